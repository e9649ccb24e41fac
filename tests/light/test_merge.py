from __future__ import annotations

import numpy as np
import pytest

from waqia.model.merge import BACK, PAIR_FEATURES, Mention, clusters, decide, join_types, pair_features, stem
from waqia.model.pipeline import happening
from waqia.model.windows import WordRange


def mention(start, score, types, text="هجوم"):
    return Mention(0, WordRange(0, 1), start, start + len(text), text, score, np.array(types, np.float32), np.zeros(2, np.float32))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("الهجوم", "هجوم"), ("هجوم", "هجوم"), ("والاعتقالات", "اعتقال"), ("لِلْقَصْف", "قصف"), ("غارة جوية", "غار"), ("ولد", "ولد"), ("", "")],
)
def test_a_stem_is_without_clitics_article_marks_and_endings_while_three_letters_remain(text, wanted):
    assert stem(text) == wanted


def test_two_mentions_are_compared_by_stem_and_distance_whatever_their_order():
    a, b = ("هجوم", 10), ("هجوم", 69)
    assert pair_features(a, b) == pair_features(b, a) == (1.0, 1.0, pytest.approx(np.log1p(59) / 8))
    assert pair_features(a, ("قصف", 70)) == (0.0, 0.0, pytest.approx(np.log1p(60) / 8))


def test_a_mention_joins_the_happening_that_it_is_most_like_on_average():
    same = {(0, 1): 0.9, (0, 2): 0.2, (1, 2): 0.3, (0, 3): 0.9, (1, 3): 0.3, (2, 3): 0.65}
    # mention 3: mean of 0.9 and 0.3 with the first happening, 0.65 with the second
    assert clusters(4, same, 0.5) == [[0, 1], [2, 3]]
    assert clusters(4, same, 0.66) == [[0, 1], [2], [3]]
    assert clusters(4, same, 0.95) == [[0], [1], [2], [3]]


def test_of_two_happenings_equally_like_a_mention_joins_the_one_that_began_first():
    assert clusters(3, {(0, 1): 0.1, (0, 2): 0.7, (1, 2): 0.7}, 0.5) == [[0, 2], [1]]


def test_a_pair_too_far_apart_to_be_compared_counts_for_nothing():
    assert clusters(3, {(0, 1): 0.8, (1, 2): 0.8}, 0.5) == [[0, 1, 2]]
    assert clusters(2, {}, 0.5) == [[0], [1]]


def test_no_mention_makes_no_happening():
    assert clusters(0, {}, 0.5) == []


def test_all_mentions_of_a_happening_decide_its_type_each_as_much_as_it_is_probable():
    vague, sure = mention(0, 0.5, [0.6, 0.4]), mention(20, 0.9, [0.3, 0.7])
    # type 0: 0.5 * 0.6 + 0.9 * 0.3 = 0.57; type 1: 0.5 * 0.4 + 0.9 * 0.7 = 0.83
    assert decide([vague, sure]) == (1, pytest.approx(0.63))


def test_the_most_probable_mention_is_the_trigger_and_of_equals_the_first():
    a, b, c = mention(0, 0.6, [1, 0]), mention(10, 0.9, [1, 0]), mention(5, 0.9, [1, 0])
    assert [one.start for one in happening([a, b, c]).mentions] == [5, 10, 0]


def test_a_mention_is_compared_with_the_64_before_it_by_three_features():
    assert (BACK, PAIR_FEATURES) == (64, 3)
    assert len(pair_features(("هجوم", 0), ("هجوم", 0))) == 3
    assert pair_features(("هجوم", 5), ("هجوم", 5)) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("وبالقصف", "قصف"), ("للهجوم", "هجوم"), ("كالهجوم", "هجوم"), ("فهجوم", "هجوم"), ("هجومها", "هجوم"), ("قتلوا", "قتل"),
     ("اشتباكات", "اشتباك"), ("إطلاق", "اطلاق"), ("آلية", "الي"), ("مرمى", "مرمي"), ("الغـــارة", "غار"), ("قتله", "قتل"),
     ("وقت", "وقت"), ("  قصف ", "قصف"), ("  ", "  ")],
)  # fmt: skip
def test_a_stem_is_cut_once_before_and_once_behind(text, wanted):
    assert stem(text) == wanted


def test_a_mention_as_like_as_the_threshold_joins():
    assert clusters(2, {(0, 1): 0.5}, 0.5) == [[0, 1]]


def test_a_mention_may_join_the_last_of_several_happenings():
    assert clusters(5, {(2, 3): 0.9, (1, 4): 0.8}, 0.5) == [[0], [1, 4], [2, 3]]


def test_of_types_that_all_mentions_hold_equally_likely_the_first_is_taken_with_the_surest_mention():
    assert decide([mention(0, 0.5, [0.5, 0.5]), mention(9, 0.8, [0.5, 0.5])]) == (0, pytest.approx(0.4))


def test_a_happening_tells_its_type_and_probability():
    one = happening([mention(0, 0.5, [0.6, 0.4]), mention(20, 0.9, [0.3, 0.7])])
    assert (one.type, one.score, [m.start for m in one.mentions]) == (1, pytest.approx(0.63), [20, 0])


def test_happenings_of_one_type_are_joined_at_a_lower_likeness_the_likest_first():
    same = {(0, 1): 0.3, (0, 2): 0.4, (1, 2): 0.1}
    # 0 and 2 first; then 1 is like them by the mean of 0.3 and 0.1
    assert join_types([[0], [1], [2]], [5, 5, 5], same, 0.25) == [[0, 2], [1]]
    assert join_types([[0], [1], [2]], [5, 5, 5], same, 0.2) == [[0, 2, 1]]
    assert join_types([[0], [1], [2]], [5, 5, 7], same, 0.2) == [[0, 1], [2]]
    assert join_types([[0], [1], [2]], [5, 5, 5], same, 0.41) == [[0], [1], [2]]


def test_happenings_of_which_no_pair_is_known_are_not_joined():
    assert join_types([[0], [1]], [5, 5], {}, 0.1) == [[0], [1]]
    assert join_types([], [], {}, 0.1) == []
