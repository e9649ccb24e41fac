from __future__ import annotations

import numpy as np
import pytest

from waqia.model.calibration import Calibration
from waqia.model.decode import LONGEST_PARTICIPANT, LONGEST_TRIGGER, borne_out, logit, pick_mentions, pick_participants, sigmoid, softmax
from waqia.model.windows import WordRange
from waqia.schema import Incident, Span


def mentions(begins: dict[int, tuple[int, float]], inside: set[int] = frozenset(), owned=(0, 8), threshold=0.5, temperature=1.0):
    """Mentions decoded from 8 words and 3 types, with a logit for a type at some words and words that go on a mention."""
    logits = np.zeros((8, 4), np.float32)
    logits[:, 0] = 4
    for word, (type_, value) in begins.items():
        logits[word, 1 + type_] = value
    inside_logits = np.array([1.0 if word in inside else -1.0 for word in range(8)], np.float32)
    return pick_mentions(logits, inside_logits, WordRange(*owned), threshold, temperature)


def test_a_mention_begins_where_a_type_is_likely_and_goes_on_inside():
    assert [words for words, _ in mentions({2: (1, 9.0)}, inside={3, 4})] == [(2, 5)]


def test_words_inside_without_a_beginning_are_no_mention():
    assert mentions({}, inside={1, 2, 3}) == []


def test_a_more_likely_mention_takes_the_words_of_a_less_likely_one():
    assert [words for words, _ in mentions({2: (0, 9.0), 3: (1, 6.0)}, inside={3})] == [(2, 4)]


def test_a_mention_has_four_words_at_most():
    assert [words for words, _ in mentions({1: (0, 9.0)}, inside={2, 3, 4, 5, 6})] == [(1, 5)]


def test_a_window_reports_only_the_mentions_that_it_owns():
    assert [words.start for words, _ in mentions({1: (0, 9.0), 6: (0, 9.0)}, owned=(0, 4))] == [1]
    assert [words.start for words, _ in mentions({1: (0, 9.0), 6: (0, 9.0)}, owned=(1, 6))] == [1]


def test_the_score_of_a_mention_is_one_less_the_probability_of_none():
    ((_, score),) = mentions({2: (0, 6.0)})
    none = np.exp(4) / (np.exp(4) + np.exp(6) + 2)
    assert score == pytest.approx(1 - none, abs=1e-6)
    ((_, soft),) = mentions({2: (0, 6.0)}, temperature=2.0)
    assert soft == pytest.approx(1 - np.exp(2) / (np.exp(2) + np.exp(3) + 2), abs=1e-6)


def test_a_mention_whose_types_are_undecided_is_one_all_the_same():
    logits = np.zeros((1, 4), np.float32)  # a quarter each: three quarters that one begins
    assert pick_mentions(logits, np.zeros(1, np.float32), WordRange(0, 1), 0.75, 1.0) == [((0, 1), 0.75)]
    assert pick_mentions(logits, np.zeros(1, np.float32), WordRange(0, 1), 0.76, 1.0) == []


def roles(spans: dict[tuple[int, int, int], float], threshold=0.5):
    """Participants (role, start, stop) from logits of (start, stop, role); a cell of the logits is first word x last word."""
    logits = np.full((6, 6, 2), -9, np.float32)
    for (start, stop, role), value in spans.items():
        logits[start, stop - 1, role] = value
    return [(role, *words) for role, words, _ in pick_participants(logits, np.full(2, threshold, np.float32), 1.0)]


def test_of_overlapping_spans_of_a_role_the_likeliest_is_kept():
    assert roles({(1, 4, 0): 3.0, (2, 5, 0): 2.0}) == [(0, 1, 4)]


def test_spans_of_two_roles_may_overlap():
    assert sorted(roles({(1, 4, 0): 3.0, (2, 4, 1): 2.0})) == [(0, 1, 4), (1, 2, 4)]


def test_a_span_never_ends_before_it_begins():
    assert roles({(4, 4, 0): 9.0}) == roles({(4, 3, 0): 9.0}) == []


def test_a_span_that_runs_on_for_too_long_is_never_picked():
    logits = np.full((40, 40, 1), -9, np.float32)
    logits[2, 35, 0] = 9
    logits[3, 6, 0] = 3
    assert [row[:2] for row in pick_participants(logits, np.full(1, 0.5, np.float32), 1.0)] == [(0, (3, 7))]


def test_calibration_survives_json_and_refuses_unknown_keys(labels):
    calibration = Calibration.plain(labels)
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    with pytest.raises(TypeError):
        Calibration.from_dict({**calibration.to_dict(), "mood": 1})


def incident(type_, start, score):
    """An incident with its trigger at `start`."""
    return Incident(type_, "actual", Span(start, start + 4, "هجوم"), (), score)


def test_a_text_that_is_unlikely_to_report_any_type_found_reports_nothing():
    found = [incident("armed_attack", 0, 0.6), incident("arrest", 50, 0.9)]
    types = {"armed_attack": 0.4, "arrest": 0.1, "protest": 0.9}
    assert borne_out(found, types, 0.4) == found
    assert borne_out(found, types, 0.41) == ()
    assert borne_out(found[1:], types, 0.4) == ()


def test_without_a_least_probability_of_the_text_every_incident_stays():
    found = [incident("arrest", 50, 0.9)]
    assert borne_out(found, {"arrest": 0.0}, 0.0) == found
    assert borne_out([], {}, 0.0) == []


def test_bounds_are_four_words_of_a_mention_and_24_of_a_participant():
    assert (LONGEST_TRIGGER, LONGEST_PARTICIPANT) == (4, 24)


def test_a_mention_ends_with_the_window_or_before_a_word_that_is_as_likely_inside_as_not():
    assert [words for words, _ in mentions({6: (0, 9.0)}, inside={7})] == [(6, 8)]
    logits = np.array([[0, 9], [9, 0]], np.float32)
    both = WordRange(0, 2)
    assert [words for words, _ in pick_mentions(logits, np.array([0, 0], np.float32), both, 0.5, 1.0)] == [(0, 1)]
    assert [words for words, _ in pick_mentions(logits, np.array([0, 1e-3], np.float32), both, 0.5, 1.0)] == [(0, 2)]


def test_a_mention_does_not_run_into_a_more_likely_one():
    assert [words for words, _ in mentions({3: (0, 9.0), 1: (1, 7.0)}, inside={2, 3, 4})] == [(3, 5), (1, 3)]


def test_of_equally_likely_mentions_the_first_comes_first():
    assert [words.start for words, _ in mentions({5: (0, 9.0), 1: (1, 9.0), 3: (2, 9.0)})] == [1, 3, 5]


def test_a_temperature_says_which_mentions_are_likely_enough():
    # against «none» at 4, a type at 6 and two at 0: 0.879 at temperature 1, 0.688 at 2
    assert [words for words, _ in mentions({2: (0, 6.0)}, threshold=0.8)] == [(2, 3)]
    assert mentions({2: (0, 6.0)}, threshold=0.8, temperature=2.0) == []
    assert [words for words, _ in mentions({2: (0, 6.0)}, threshold=0.74, temperature=2.0)] == [(2, 3)]


def test_a_threshold_of_a_role_holds_after_the_temperature():
    # 0.8 is a logit of ln 4 = 1.386, so 2.773 before a temperature of 2
    logits = np.full((2, 2, 1), -9, np.float32)
    logits[0, 0], logits[1, 1] = 2.78, 2.76
    ((role, words, score),) = pick_participants(logits, np.full(1, 0.8, np.float32), 2.0)
    assert (role, words) == (0, (0, 1))
    assert score == pytest.approx(1 / (1 + np.exp(-1.39)), abs=1e-6)


def test_every_role_has_its_own_threshold():
    logits = np.full((2, 2, 3), -9, np.float32)
    logits[0, 0] = 1.0  # 0.731
    found = pick_participants(logits, np.array([0.7, 0.74, 0.73], np.float32), 1.0)
    assert [row[:2] for row in found] == [(0, (0, 1)), (2, (0, 1))]


@pytest.mark.parametrize(("last", "picked"), [(25, 1), (26, 0)])
def test_a_participant_has_24_words_at_most(last, picked):
    logits = np.full((40, 40, 1), -9, np.float32)
    logits[2, last, 0] = 9
    assert len(pick_participants(logits, np.full(1, 0.5, np.float32), 1.0)) == picked


def test_participants_of_a_role_side_by_side_are_both_picked_the_likelier_first():
    assert roles({(0, 2, 0): 2.0, (2, 4, 0): 3.0, (4, 5, 0): 2.0, (3, 5, 0): 2.5}) == [(0, 2, 4), (0, 0, 2), (0, 4, 5)]


def test_logits_and_probabilities_turn_into_each_other():
    assert sigmoid(np.array([0.0, np.log(3), -np.log(3)])).tolist() == pytest.approx([0.5, 0.75, 0.25])
    assert logit(np.array([0.5, 0.75, 0.25])).tolist() == pytest.approx([0.0, np.log(3), -np.log(3)])
    assert sigmoid(np.array([-1e9, 1e9], np.float32)).tolist() == pytest.approx([0.0, 1.0], abs=1e-12)
    assert logit(np.array([0.0, 1.0])).tolist() == pytest.approx([-27.631021, 27.631021], abs=1e-3)
    assert softmax(np.array([[0.0, np.log(3)], [1000.0, 1000.0]])).ravel().tolist() == pytest.approx([0.25, 0.75, 0.5, 0.5])


def test_one_row_of_logits_is_enough_and_single_precision_is_kept():
    assert softmax(np.array([0.0, np.log(3)])).tolist() == pytest.approx([0.25, 0.75])
    assert {function(np.zeros((2, 2))).dtype for function in (softmax, sigmoid, logit)} == {np.dtype(np.float32)}
    assert float(sigmoid(np.array(-1e9))) == pytest.approx(1 / (1 + np.exp(60.0)), rel=1e-5)
    assert float(sigmoid(np.array(1e9))) == 1.0


def test_of_forty_equally_likely_mentions_or_participants_the_first_comes_first():
    logits = np.zeros((40, 4), np.float32)
    found = pick_mentions(logits, np.full(40, -1, np.float32), WordRange(0, 40), 0.5, 1.0)
    assert [row[0].start for row in found] == list(range(40))
    likely = np.full((40, 40, 1), -9, np.float32)
    likely[range(40), range(40)] = 2
    assert [row[1].start for row in pick_participants(likely, np.full(1, 0.5, np.float32), 1.0)] == list(range(40))
