"""Gold spans to words of windows: the targets of training, and what windows and words cannot express, by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from waqia.labels import LabelSet
from waqia.model.decode import LONGEST_PARTICIPANT, LONGEST_TRIGGER
from waqia.model.windows import Window, WordRange
from waqia.schema import Incident, Record, Span

IGNORE = -100  # what torch's losses leave out


@dataclass(frozen=True, slots=True)
class Reach:
    """How many gold labels the windows can express, and why the others cannot be."""

    reached: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: of incidents and participants how many are reached and which share is not; what was lost, by cause."""
        share = {}
        for name, reached in self.reached.items():
            lost = sum(count for cause, count in self.lost.items() if cause.startswith(name[:-1]))
            share[name] = {"reached": reached, "lost": lost, "share_lost": lost / (reached + lost) if reached + lost else None}
        return {**share, "causes": dict(self.lost)}

    def lines(self) -> list[str]:
        """What was reached and lost, for the log."""
        return [f"{count} {name}" for name, count in sorted(self.reached.items())] + [
            f"{count} lost: {cause}" for cause, count in sorted(self.lost.items())
        ]


class Filler(NamedTuple):
    """A participant of a gold incident in a window's words; role and sector by their places in the label set."""

    role: int
    words: WordRange
    sector: int  # IGNORE where it has none


@dataclass(frozen=True, slots=True)
class Target:
    """A mention of a gold incident in a window's words, with what a model should say of it."""

    incident: int  # its place in the record
    main: bool  # the trigger itself, not another mention
    span: Span
    words: WordRange
    type: int  # by its place in the label set
    status: int
    participants: tuple[Filler, ...]


def targets(record: Record, window: Window, labels: LabelSet, lost: Counter[str]) -> list[Target]:
    """Every mention of the record's incidents as far as this window can express it; triggers that it cannot are added to `lost` by cause.

    A trigger has its words before another mention has; mentions that find them taken are left out.
    """
    found: list[Target] = []
    taken: set[int] = set()
    for place, incident in enumerate(record.incidents):
        words = window.find(incident.trigger.start, incident.trigger.end, record.text)
        cause = _unreached(words, taken)
        if cause or words is None:
            _lose(incident, cause, lost)
        else:
            found.append(_target(place, incident, incident.trigger, words, record.text, window, labels, lost))
            taken |= set(range(*words))
    for place, incident in enumerate(record.incidents):
        for mention in incident.mentions or ():
            words = window.find(mention.start, mention.end, record.text)
            if words is not None and not _unreached(words, taken):
                found.append(_target(place, incident, mention, words, record.text, window, labels, Counter()))
                taken |= set(range(*words))
    return sorted(found, key=lambda target: target.words.start)


def _unreached(words: WordRange | None, taken: set[int]) -> str:
    if words is None:
        return "trigger cut by the window or not at word bounds"
    if words.length > LONGEST_TRIGGER:
        return f"trigger longer than {LONGEST_TRIGGER} words"
    return "its words are another trigger's" if taken & set(range(*words)) else ""


def _target(
    place: int, incident: Incident, mention: Span, words: WordRange, text: str, window: Window, labels: LabelSet, lost: Counter[str]
) -> Target:
    type_, status = list(labels.incident_types).index(incident.type), list(labels.statuses).index(incident.status)
    participants = _participants(incident, text, window, labels, lost)
    return Target(place, mention is incident.trigger, mention, words, type_, status, participants)


def _lose(incident: Incident, cause: str, lost: Counter[str]) -> None:
    lost[f"incident, {cause}"] += 1
    if incident.participants:
        lost["participant of a lost incident"] += len(incident.participants)


def _participants(incident: Incident, text: str, window: Window, labels: LabelSet, lost: Counter[str]) -> tuple[Filler, ...]:
    """Participants by the first of their mentions that the window holds, the most informative one before all others."""
    roles, sectors = list(labels.roles), list(labels.sectors)
    found: list[Filler] = []
    for p in incident.participants:
        places = (window.find(span.start, span.end, text) for span in (p, *p.mentions))
        words, role = next((place for place in places if place is not None), None), roles.index(p.role)
        if words is None:
            lost["participant outside the window or not at word bounds"] += 1
        elif words.length > LONGEST_PARTICIPANT:
            lost[f"participant longer than {LONGEST_PARTICIPANT} words"] += 1
        elif any(role == other.role and words.overlaps(other.words) for other in found):
            lost["participant overlapping another of its role"] += 1
        else:
            found.append(Filler(role, words, IGNORE if p.sector is None else sectors.index(p.sector)))
    return tuple(found)


def count(record: Record, windows: Sequence[Window], labels: LabelSet, reach: Reach) -> None:
    """Count every gold incident once, in the window that owns its trigger."""
    outside = list(record.incidents)
    for window in windows:
        begin, end = window.span(window.owned)
        mine = tuple(incident for incident in record.incidents if begin <= incident.trigger.start < end)
        outside = [incident for incident in outside if incident not in mine]
        found = [target for target in targets(replace(record, incidents=mine), window, labels, reach.lost) if target.main]
        reach.reached["incidents"] += len(found)
        reach.reached["participants"] += sum(len(target.participants) for target in found)
    for incident in outside:
        _lose(incident, "outside every window", reach.lost)
