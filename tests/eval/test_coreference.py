from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from eval.compare import Comparison
from eval.score.coreference import b_cubed, ceaf_e, compare_clusters, f1, lea, merging_figures, muc, nothing_merged, partition, types_merged
from eval.score.counts import Counts, add
from eval.score.intervals import Effect
from eval.score.scoring import headline, tally
from tests.eval.test_score import LABELS, TEXT, actor, incident, span
from waqia import Record, Span


def clustered(*groups):
    return [frozenset((ord(letter), ord(letter) + 1) for letter in group) for group in groups]


KEY, RESPONSE = clustered("abc", "defg"), clustered("ab", "cd", "fghi")  # example of Pradhan et al. (2014)


def test_muc_counts_the_links_that_hold():
    assert muc(KEY, RESPONSE) == (2, 5)
    assert muc(RESPONSE, KEY) == (2, 5)


def test_b_cubed_averages_the_overlap_of_each_mention():
    assert b_cubed(KEY, RESPONSE) == (Fraction(35, 12), 7)  # (2·2 + 1) / 3 + (1 + 2·2) / 4
    assert b_cubed(RESPONSE, KEY) == (4, 8)  # 2 + 1 + 4/4


def test_ceaf_matches_clusters_one_to_one():
    assert ceaf_e(KEY, RESPONSE) == (Fraction(13, 10), 2)  # 4/5 + 4/8
    assert ceaf_e(RESPONSE, KEY) == (Fraction(13, 10), 3)


def test_lea_weighs_links_by_the_size_of_the_cluster():
    assert lea(KEY, RESPONSE) == (Fraction(5, 3), 7)  # 3 · 1/3 + 4 · 1/6
    assert lea(RESPONSE, KEY) == (Fraction(8, 3), 8)  # 2 · 1/1 + 2 · 0 + 4 · 1/6


def test_a_singleton_resolves_to_itself_only_where_it_is_one_on_both_sides():
    assert lea(clustered("a"), clustered("a")) == (1, 1)
    assert lea(clustered("a"), clustered("ab")) == (0, 1)


def test_predicted_singletons_stay_in_ceaf():
    assert ceaf_e(clustered("ab", "c"), clustered("ab")) == (1, 2)


def test_a_text_of_singletons_has_no_links_for_muc():
    figures = merging_figures(compare_clusters(clustered("a", "b"), clustered("a", "b")))
    assert figures["merging MUC"] is figures["merging CoNLL F1"] is figures["merging pair F1"] is None
    assert figures["merging LEA"] == figures["merging B3"] == figures["merging CEAFe"] == 1


def test_texts_are_added_before_anything_is_divided():
    both = add([compare_clusters(KEY, RESPONSE), compare_clusters([], clustered("a"))])
    assert both["merging/b3/precision"] == Counts(4, 9)
    assert both["merging/ceafe/recall"] == Counts(Fraction(13, 10), 2)
    assert merging_figures(both)["merging pair precision"] == 2 / 8


def test_a_file_whose_gold_tells_no_happening_has_no_merging_figures():
    assert set(merging_figures(compare_clusters([], clustered("ab"))).values()) == {None}


def test_a_mention_of_two_happenings_is_right_in_both():
    shared = clustered("ab", "bc")
    figures = merging_figures(compare_clusters(shared, shared))
    assert set(figures.values()) == {1}


def told(first, *others, type_="shelling", people=()):
    return replace(incident(type_, first, *people), mentions=tuple(Span(*span(n)) for n in others))


def test_any_mention_of_a_happening_finds_it():
    gold, said = Record("x", TEXT, (told(4, 7),)), Record("x", TEXT, (told(7),))
    counts = tally(gold, said, LABELS)
    assert counts["incidents"] == Counts(1, 1, 1)
    assert counts["one trigger/incidents"] == Counts(0, 1, 1)


def test_a_happening_predicted_twice_is_one_hit_and_one_error():
    gold, said = Record("x", TEXT, (told(4, 7),)), Record("x", TEXT, (told(4), told(7)))
    counts = tally(gold, said, LABELS)
    assert counts["incidents"] == Counts(1, 1, 2)
    assert counts["incident count error"] == Counts(1, 1)


def test_any_mention_of_a_participant_finds_it():
    named = replace(actor("initiator", 5), mentions=(Span(*span(1)),))
    gold, said = Record("x", TEXT, (told(4, people=(named,)),)), Record("x", TEXT, (told(4, people=(actor("initiator", 1),)),))
    counts = tally(gold, said, LABELS)
    assert counts["actors/any"] == counts["sectors"] + Counts(0, 0, 1) == Counts(1, 1, 1)
    assert counts["actors/half"] == Counts(0, 1, 1)


def test_without_mentions_both_definitions_are_one():
    gold = Record("x", TEXT, (incident("shelling", 4, actor("target", 8, 9)), incident("arrest", 1)))
    figures = headline(tally(gold, Record("x", TEXT, (incident("shelling", 4, actor("target", 9)),)), LABELS), LABELS)
    assert figures["incidents F1"] == figures["incidents F1 (one trigger)"] == 2 / 3
    assert figures["actors F1"] == figures["actors F1 (one mention)"] == 1
    assert figures["merging LEA"] is None


def test_baselines_merge_nothing_and_all_of_a_type():
    happenings = [told(4, 7), told(9), told(1, type_="arrest")]
    assert len(nothing_merged(happenings)) == 4
    assert sorted(map(len, types_merged(happenings))) == [1, 3]


def test_gold_mentions_go_to_the_incident_that_overlaps_them_or_stay_alone():
    gold = [told(4, 7), told(9)]
    assert sorted(map(sorted, partition(gold, [told(4, 9)]))) == sorted([[span(4)[:2], span(9)[:2]], [span(7)[:2]]])


@pytest.mark.parametrize(("lower", "verdict"), [(False, "B is better"), (True, "A is better")])
def test_more_error_is_worse(lower, verdict):
    assert Comparison(None, None, Effect(0.5, (0.4, 0.6), 0.001), lower).verdict == verdict


def test_f1_of_two_shares_is_their_harmonic_mean_and_0_where_both_are():
    assert f1(Counts(1, 2), Counts(1, 4)) == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert f1(Counts(0, 2), Counts(0, 4)) == 0.0
    assert f1(Counts(0, 2), Counts()) == 0.0
    assert f1(Counts(), Counts(1, 4)) is None
