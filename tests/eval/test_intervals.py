"""Intervals and p values against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eval.score.counts import Counts
from eval.score.intervals import Effect, _interval, bootstrap, by_document, paired


def recall(tally):
    return {"recall": tally["items"].recall}


def hits(*found):
    return [{"items": Counts(hit, 1)} for hit in found]


def test_an_interval_ends_at_its_percentiles():
    assert _interval(range(101), 2.5) == (2.5, 97.5)
    assert _interval([0.0, 1.0], 2.5) == pytest.approx((0.025, 0.975))


def test_an_interval_is_at_95_percent_unless_another_level_is_asked_for():
    # 400 documents, half of them right: 0.5 ± 1.96 * sqrt(0.25 / 400) = 0.5 ± 0.049 at 95 %, ± 0.041 at 90 %, ± 0.0644 at 99 %
    tallies = hits(*[0, 1] * 200)
    widths = {level: np.diff(bootstrap(tallies, range(400), recall, level=level)["recall"])[0] / 2 for level in (0.9, 0.95, 0.99)}
    assert list(widths.values()) == pytest.approx([0.0411, 0.049, 0.0644], abs=0.004)
    assert bootstrap(tallies, range(400), recall) == bootstrap(tallies, range(400), recall, level=0.95, resamples=1000, seed=0)


def test_the_interval_of_two_documents_is_that_of_their_four_resamples():
    # recall 0, 0.5, 0.5, 1: its 30th and 70th percentiles are 0.5, its 2.5th and 97.5th are 0 and 1
    assert bootstrap(hits(0, 1), ["a", "b"], recall, level=0.4)["recall"] == (0.5, 0.5)
    assert bootstrap(hits(0, 1), ["a", "b"], recall)["recall"] == (0.0, 1.0)


def test_the_passages_of_one_document_are_drawn_together():
    assert bootstrap(hits(0, 1, 0, 1), ["a"] * 4, recall)["recall"] == (0.5, 0.5)


@pytest.mark.parametrize(("documents", "interval"), [(2, (1.0, 1.0)), (3, None)])
def test_a_figure_that_most_resamples_cannot_give_has_no_interval(documents, interval):
    # of as many draws as documents, all must be there: in 3/4 of the resamples one of two is, in 6/27 all three are
    tallies = [{str(n): Counts(1, 1)} for n in range(documents)]
    least = 1 if documents == 2 else documents

    def figures(tally):
        return {"all": 1.0 if sum(counts.gold > 0 for counts in tally.values()) >= least and tally["0"].gold else None}

    assert bootstrap(tallies, range(documents), figures)["all"] == interval


@pytest.mark.parametrize(("documents", "p"), [(1, 1.0), (2, 1 / 2), (3, 1 / 4), (5, 1 / 16)])
def test_p_is_the_share_of_swaps_that_leave_at_least_the_effect(documents, p):
    # b right where a is wrong in every document: only all swapped or none swapped leave the whole effect
    test = paired(hits(*[0] * documents), hits(*[1] * documents), range(documents), recall, rounds=4000)["recall"]
    assert test.effect == 1.0
    assert test.interval == (1.0, 1.0)
    assert test.p == pytest.approx(p, abs=0.03)


def test_p_is_never_0_and_counts_what_was_seen_as_one_of_the_rounds():
    a, b = hits(*[0] * 60), hits(*[1] * 60)
    tests = {rounds: paired(a, b, range(60), recall, rounds=rounds)["recall"] for rounds in (18, 19)}
    assert {rounds: test.p for rounds, test in tests.items()} == {18: 1 / 19, 19: 1 / 20}
    assert {rounds: test.decided for rounds, test in tests.items()} == {18: False, 19: True}


def test_an_effect_is_what_b_has_over_a():
    assert paired(hits(1, 1, 0), hits(1, 0, 0), range(3), recall, rounds=10)["recall"].effect == pytest.approx(-1 / 3)


@pytest.mark.parametrize(
    ("interval", "p", "decided"),
    [
        ((0.1, 0.2), 0.05, True),
        ((0.1, 0.2), 0.051, False),
        ((0.0, 0.2), 0.01, False),
        ((-0.2, 0.0), 0.01, False),
        ((-0.2, -0.1), 0.01, True),
    ],
)
def test_an_effect_is_decided_where_p_is_small_and_the_interval_leaves_out_0(interval, p, decided):
    assert Effect(0.15, interval, p).decided is decided


def test_counts_are_added_by_document_whatever_their_order():
    names, counts = by_document([{"b": Counts(1, 2, 3)}, {"a": Counts(4, 5, 6)}, {"b": Counts(1, 1, 1)}], ["y", "x", "y"])
    assert names == ["a", "b"]
    assert counts.tolist() == [[[4, 5, 6], [0, 0, 0]], [[0, 0, 0], [2, 3, 4]]]


@pytest.mark.parametrize(("given", "interval"), [(5, None), (6, (1.0, 1.0))])
def test_a_figure_needs_more_than_half_of_the_resamples(given, interval):
    asked = iter(range(100))

    def figures(tally):
        return {"some": 1.0 if next(asked) <= given else None}  # the first question is about the file itself

    assert bootstrap(hits(0, 1), range(2), figures, resamples=10)["some"] == interval
