"""Facts of incidents: the time and casualties participants of a reading as an interval of days and counts with bounds.

Pure and offline; what a phrase does not tell stays empty. The date is the day of the text, without which only full dates resolve.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from waqia.document.counts import Bound, Counts, Totals, incident_totals, read_counts
from waqia.document.dates import DateInterval, resolve_date
from waqia.errors import RecordError
from waqia.schema import Incident, Participant, Reading, Span

CONTEXT = 200  # characters on either side of a phrase that help to understand it
_FINE = ("hour", "part", "day", "week", "span", "month", "year", "vague")


@dataclass(frozen=True, slots=True)
class Facts:
    """When an incident was and how many it hurt, each with the span that tells it.

    `others` are the counts that the text also gives, by kind: earlier or less complete ones.
    """

    when: DateInterval | None = None
    told: Span | None = None
    counts: Counts = field(default_factory=Counts)
    others: Mapping[str, tuple[Bound, ...]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; only what is known."""
        date = {} if self.when is None or self.told is None else {"date": _date(self.when, self.told)}
        counts = {kind: _bound(bound) for kind, bound in self.counts.bounds.items()}
        others = {kind: [_bound(bound) for bound in bounds] for kind, bounds in (self.others or {}).items()}
        return {**date, **({"counts": counts} if counts else {}), **({"other_counts": others} if others else {})}


def parse_date(said: object) -> datetime.date | None:
    """The day of a text from a date, "2023-05-12" or "2023-05-12T08:30:00"; None and "" are unknown, RecordError for anything else."""
    if said is None or said == "":
        return None
    if isinstance(said, datetime.datetime):
        return said.date()
    if isinstance(said, datetime.date):
        return said
    try:
        return datetime.date.fromisoformat(said[:10]) if isinstance(said, str) and said[10:11] in ("", "T", " ") else _refuse(said)
    except ValueError as error:
        raise RecordError(f'date is {said!r}, expected a day that exists, "YYYY-MM-DD"') from error


def add_facts(text: str, reading: Reading, date: datetime.date | None) -> Reading:
    """The reading with date, killed, injured and facts of every incident, from its own time and casualties; what is filled stays."""
    return replace(reading, incidents=tuple(_with_facts(text, incident, date) for incident in reading.incidents))


def incident_facts(text: str, incident: Incident, date: datetime.date | None) -> Facts:
    """What the time and casualties participants of one incident tell, all their mentions read in the order of the text."""
    when, told = _when(text, incident, date) or (None, None)
    totals = _totals(text, incident)
    return Facts(when, told, totals.counts, totals.others or None)


def _with_facts(text: str, incident: Incident, date: datetime.date | None) -> Incident:
    facts = incident_facts(text, incident, date)
    known = facts.to_dict()
    if not known:
        return incident
    when = incident.date if incident.date is not None or facts.when is None else facts.when.iso()
    killed = _total(facts.counts.killed) if incident.killed is None else incident.killed
    injured = _total(facts.counts.injured) if incident.injured is None else incident.injured
    return replace(incident, date=when, killed=killed, injured=injured, facts=known)


def _when(text: str, incident: Incident, date: datetime.date | None) -> tuple[DateInterval, Span] | None:
    """The finest interval of the incident's time phrases; of equal ones the nearest to the trigger."""
    found = [(when, span) for span in _spans(incident, "time") if (when := _resolve(text, span, date)) is not None]
    near = incident.trigger.start
    return min(found, key=lambda each: (_FINE.index(each[0].grain), abs(each[1].start - near)), default=None)


def _resolve(text: str, span: Span, date: datetime.date | None) -> DateInterval | None:
    return resolve_date(span.text, date, before=text[max(0, span.start - CONTEXT) : span.start], after=text[span.end : span.end + CONTEXT])


def _totals(text: str, incident: Incident) -> Totals:
    spans = sorted(_spans(incident, "casualties"), key=lambda span: span.start)
    return incident_totals(_counts(text, span) for span in spans)


def _counts(text: str, span: Span) -> Counts:
    return read_counts(span.text, before=text[max(0, span.start - CONTEXT) : span.start], after=text[span.end : span.end + CONTEXT])


def _spans(incident: Incident, role: str) -> Iterable[Span]:
    return [span for p in incident.participants if p.role == role for span in _mentions(p)]


def _mentions(participant: Participant) -> tuple[Span, ...]:
    return (participant, *participant.mentions)


def _total(bound: Bound | None) -> int | None:
    """One number for a record: the least; None for «عدد من», «عشرات»."""
    return None if bound is None or bound.word else bound.min


def _date(when: DateInterval, told: Span) -> dict[str, Any]:
    days = {"start": when.start.isoformat(), "end": when.end.isoformat(), "grain": when.grain}
    return {**days, "time_precision": when.time_precision, "anchored": when.anchored, "span": Span.to_dict(told)}


def _bound(bound: Bound) -> dict[str, Any]:
    return {"min": bound.min, "max": bound.max, **({"about": True} if bound.about else {}), **({"word": bound.word} if bound.word else {})}


def _refuse(said: object) -> datetime.date:
    raise RecordError(f'date is {said!r}, expected "YYYY-MM-DD", a date or nothing')
