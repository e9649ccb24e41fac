"""Which gold and which predicted items are the same: what can be judged at all, how alike two items are, and the best one-to-one matching.

`same_incident` and `same_participant` match by happening: any mention of the one incident against any mention of the other, the span of a
predicted participant against any mention of the gold one. (Were the mentions of a prediction to count there too, one that gathers
everything that might be the actor would match best.) `same_trigger` and `same_span` look at the one labelled span alone. Where nobody
asked for mentions, the two are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Record, Span

TIE = 1e-6  # what agreement in status or sector weighs beside overlap: enough to decide between equal spans, never more

_T = TypeVar("_T")


def asked_types(gold: Record, labels: LabelSet) -> set[str]:
    """The incident types that the annotators of a record were asked about."""
    return set(labels.incident_types if gold.annotated is None else gold.annotated)


def unmarked_types(gold: Record) -> set[str]:
    """The incident types that a record is said to report without a span to show for it."""
    return answered(gold) - {incident.type for incident in gold.incidents}


def judged(gold: Record, predicted: Record, labels: LabelSet) -> tuple[list[Incident], list[Incident]]:
    """The incidents of gold and prediction that can be judged: those of types that were asked about and marked."""
    types = asked_types(gold, labels) - unmarked_types(gold)
    return [i for i in gold.incidents if i.type in types], [i for i in predicted.incidents if i.type in types]


def same_incident(gold: Incident, predicted: Incident) -> float:
    """How well two incidents match by happening: 0 for not at all, else the most that a mention of the one overlaps one of the other."""
    return _agreeing(gold, predicted, best_overlap(gold.all_mentions, predicted.all_mentions))


def same_trigger(gold: Incident, predicted: Incident) -> float:
    """How well two incidents match by the one labelled trigger: 0 for not at all, else the overlap of their triggers."""
    return _agreeing(gold, predicted, overlap(gold.trigger, predicted.trigger))


def _agreeing(gold: Incident, predicted: Incident, shared: float) -> float:
    return shared + TIE * (gold.status == predicted.status) if shared and gold.type == predicted.type else 0.0


def best_overlap(a: Sequence[Span], b: Sequence[Span]) -> float:
    """The largest overlap of a span of the one with a span of the other."""
    return max((overlap(x, y) for x in a for y in b), default=0.0)


def overlap(a: Span, b: Span) -> float:
    """Characters that two spans share, as a part of the longer one."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return max(0, shared) / max(a.end - a.start, b.end - b.start)


def match(gold: Sequence[_T], predicted: Sequence[_T], likeness: Callable[[_T, _T], float]) -> list[tuple[_T, _T]]:
    """The one-to-one matching with most pairs, and among those the one with most likeness; pairs of likeness 0 are none."""
    if not gold or not predicted:
        return []
    likely = np.array([[likeness(a, b) for b in predicted] for a in gold])
    # A pair more outweighs any likeness: likeness adds at most 1 + TIE a pair.
    weight = np.where(likely > 0, likely + min(likely.shape) + 2, 0)
    from scipy.optimize import linear_sum_assignment  # takes a moment to import

    return [(gold[a], predicted[b]) for a, b in zip(*linear_sum_assignment(weight, maximize=True), strict=True) if likely[a, b] > 0]


def passage_types(record: Record) -> set[str]:
    """The incident types that a record says its passage reports."""
    given = record.extra.get("passage_types")
    return set(given) if given is not None else {incident.type for incident in record.incidents} | answered(record)


def answered(record: Record) -> set[str]:
    """The incident types that a record only says its passage reports, whether or not it marks them."""
    return {name for name, answer in record.extra.get("answers", {}).items() if answer == "yes"}


@dataclass(frozen=True, slots=True)
class Item:
    """A participant with the type of its incident."""

    incident: str
    participant: Participant


def items(incidents: Sequence[Incident]) -> list[Item]:
    """The participants of incidents; an actor of two incidents is two."""
    return [Item(incident.type, participant) for incident in incidents for participant in incident.participants]


def same_participant(gold: Item, predicted: Item) -> float:
    """How well a predicted span matches any mention of a gold one: 0 or the part of the longer span shared, at least half."""
    return _filling(gold, predicted, best_overlap((gold.participant, *gold.participant.mentions), (predicted.participant,)))


def same_span(a: Item, b: Item) -> float:
    """How well two participants match by their one span: 0 for not at all, else the part of the longer span shared, at least half."""
    return _filling(a, b, overlap(a.participant, b.participant))


def _filling(a: Item, b: Item, shared: float) -> float:
    if a.incident != b.incident or a.participant.role != b.participant.role or shared < 0.5:
        return 0.0
    return shared + TIE * (a.participant.sector == b.participant.sector)
