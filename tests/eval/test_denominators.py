"""What every figure is divided by, on three passages worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.score.counts import Counts, add, mean
from eval.score.scoring import headline, tally
from waqia.schema import Incident, Participant, Record, Span

TEXT = "قصف حلب وقصف حمص"


def incident(type_, start, status="actual", *participants):
    return Incident(type_, status, Span(start, start + 3, TEXT[start : start + 3]), participants)


def place(start, role="place", sector=None):
    return Participant(start, start + 3, TEXT[start : start + 3], role, sector)


def test_precision_is_over_what_is_predicted_recall_over_gold_and_f1_over_both():
    counts = Counts(2, 5, 4)
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 0.4, pytest.approx(4 / 9))
    assert (Counts(0, 5, 0).precision, Counts(0, 5, 0).recall, Counts(0, 5, 0).f1) == (None, 0.0, 0.0)
    assert (Counts(0, 0, 4).precision, Counts(0, 0, 4).recall, Counts(0, 0, 4).f1) == (0.0, None, 0.0)
    assert Counts().f1 is None
    assert mean([None, 0.5, 0.0]) == 0.25
    assert mean([None]) is None


@pytest.fixture
def figures(labels):
    gold = [
        Record("a", TEXT, (incident("shelling", 0, "actual", place(4)), incident("shelling", 9, "alleged", place(13)))),
        Record("b", TEXT),
        Record("c", TEXT),
    ]
    said = [
        Record("a", TEXT, (incident("shelling", 0, "actual", place(4)), incident("shelling", 9, "actual"), incident("protest", 4))),
        Record("b", TEXT, (incident("arrest", 0),)),
        Record("c", TEXT),
    ]
    return headline(add(tally(a, b, labels) for a, b in zip(gold, said, strict=True)), labels)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("incidents F1", 2 * 2 / (2 + 4)),
        ("types micro-F1", 2 * 1 / (1 + 3)),
        ("types macro-F1", (1 + 0 + 0) / 3),  # types that neither side tells are left out of the mean
        ("place F1", 2 * 1 / (2 + 1)),
        ("target F1", None),
        ("actors F1", None),
        ("sectors accuracy", None),
        ("statuses accuracy", 1 / 2),  # over the incidents that match
        ("incident-free kept", 1 / 2),  # over the passages without an incident in gold
        ("incident count error", (1 + 1 + 0) / 3),  # over all passages
        ("trigger identification F1", 2 * 2 / (2 + 4)),
    ],
)
def test_each_figure_is_divided_by_what_it_is_about(figures, name, value):
    assert figures[name] == (None if value is None else pytest.approx(value))


def test_a_predicted_participant_is_its_span_and_a_gold_one_any_of_its_mentions(labels):
    """What a prediction gathers as further mentions cannot make it right."""
    actor, elsewhere = place(10, "target"), Span(40, 43, "xxx")
    gold = replace(actor, mentions=(elsewhere,))

    def hits(ours, theirs):
        a, b = (Record("a", "x" * 60, (incident("protest", 0, "actual", one),)) for one in (ours, theirs))
        return tally(a, b, labels)["actors/any"].hits

    assert hits(gold, replace(actor, start=40, end=43)) == 1
    assert hits(replace(actor, mentions=()), Participant(40, 43, "xxx", "target", None, None, (Span(10, 13, "xxx"),))) == 0
