"""Facts of incidents: the participants of a reading as an interval of days, counts with bounds, points on the map and known actors.

Pure and offline; what a phrase does not tell stays empty. The date is the day of the text, without which only full dates resolve.
"""

from __future__ import annotations

import datetime
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from waqia.document.actors import Actor, ActorTable, link_actors
from waqia.document.counts import POLICIES, Bound, Counts, read_counts
from waqia.document.dates import DateInterval, resolve_date
from waqia.document.gazetteer import Gazetteer
from waqia.document.options import Facts, Tables
from waqia.document.places import resolve_places
from waqia.document.sentences import casualties_in, sentence_around, speaks, times_in
from waqia.document.totals import Told, Totals, sums_up, totals
from waqia.errors import RecordError
from waqia.labels import OF_THAT_NAME
from waqia.schema import TEXT_DAY, Incident, Participant, Reading, Span

NEAR = 80  # characters between a mention and a day of its sentence
GUESS = 2  # ACLED's time precision of a guessed day, "within a week"
CONTEXT = 200  # characters on either side of a phrase that help to understand it
_COARSE = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")
_DAYS = ("hour", "part", "day")
_FINE = ("hour", "part", "day", "week", "span", "month", "year", "vague")


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """When an incident was and how many it hurt, each with the span that tells it.

    `source` of the date is "sentence" where no participant tells it, and TEXT_DAY, with nothing `told`, where the text does not either.
    """

    when: DateInterval | None = None
    told: Span | None = None
    source: str = ""
    totals: Totals = field(default_factory=Totals)

    @property
    def counts(self) -> Counts:
        """The counts that stand for the incident."""
        return self.totals.counts

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; only what is known."""
        told_or_guessed = self.told is not None or self.source == TEXT_DAY
        date = {"date": _date(self.when, self.told, self.source)} if self.when is not None and told_or_guessed else {}
        told = self.totals.told
        counts = {
            kind: {**_bound(bound), **_source(told[kind].source), "span": Span.to_dict(told[kind].span)}
            for kind, bound in self.counts.bounds.items()
        }
        others = {kind: [_bound(bound) for bound in bounds] for kind, bounds in self.totals.others.items()}
        return {**date, **({"counts": counts} if counts else {}), **({"other_counts": others} if others else {})}


@dataclass(frozen=True, slots=True)
class Claimed:
    """Spans that are taken, so that the next step may ask of many others whether they overlap one."""

    starts: Sequence[int]  # sorted
    ends: Sequence[int]  # the furthest end of those up to each

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Claimed:
        """The spans, in whatever order."""
        ordered = sorted((span.start, span.end) for span in spans)
        return cls([start for start, _ in ordered], list(accumulate((end for _, end in ordered), max)))

    def overlap(self, span: Span) -> bool:
        """Whether a span shares a character with one of them."""
        before = bisect_left(self.starts, span.end)
        return before > 0 and self.ends[before - 1] > span.start


def told_counts(text: str, span: Span, source: str = "") -> Told:
    """What a casualties phrase of a text counts, read with the text around it."""
    return Told(span, _counts(text, span), source)


def parse_date(said: object) -> datetime.date | None:
    """The day of a text from a date, "2023-05-12" or "2023-05-12T08:30:00"; RecordError for anything else.

    None and "" are unknown; so is a day of which only the year or the month is told, "2023" or "2023-05".
    """
    if said is None or said == "" or (isinstance(said, str) and _COARSE.fullmatch(said)):
        return None
    if isinstance(said, datetime.datetime):
        return said.date()
    if isinstance(said, datetime.date):
        return said
    if not isinstance(said, str) or said[10:11] not in ("", "T", " "):
        raise RecordError(f'date is {said!r}, expected "YYYY-MM-DD", "YYYY-MM", "YYYY", a date or nothing')
    try:
        return datetime.date.fromisoformat(said[:10])
    except ValueError as error:
        raise RecordError(f'date is {said!r}, expected a day that exists, "YYYY-MM-DD"') from error


def add_facts(text: str, reading: Reading, date: datetime.date | None, *, tables: Tables | None = None) -> Reading:
    """The reading with date, killed, injured and `facts` of every incident, from its own participants; what is filled stays.

    `tables` are those of `Facts.open`; without them there are dates and counts alone. A known actor gets the sector of the table, so that
    it has one sector in the text.
    """
    options = tables.facts if tables else Facts(places=False, actors=False)
    roles = tables.roles if tables else OF_THAT_NAME
    claimed = Claimed.of(span for incident in reading.incidents for span in _spans(incident, roles.get("casualties")))
    harmful = tables.harmful if tables else frozenset[str]()
    incidents = tuple(
        _with_told(text, incident, date, options, claimed if incident.type in harmful else None, roles) for incident in reading.incidents
    )
    if tables and options.text_day and date is not None:
        incidents = tuple(_with_text_day(incident, date, tables.unrealised) for incident in incidents)
    reading = replace(reading, incidents=incidents)
    if tables and tables.actors is not None:
        reading = _with_actors(text, reading, tables.actors, date)
    if tables and tables.gazetteer is not None:  # its truth would count its entries, each time
        reading = _with_places(text, reading, tables.gazetteer, roles)
    return reading


def incident_facts(
    text: str,
    incident: Incident,
    date: datetime.date | None,
    *,
    claimed: Claimed | None = None,
    roles: Mapping[str, str] = OF_THAT_NAME,
) -> IncidentFacts:
    """What one incident's time and casualties participants tell, all their mentions read in the order of the text.

    Where they tell none, the sentences of its mentions are read, and what the grammars read there with certainty is marked "sentence".
    `claimed` are casualties of the text's incidents, which are nobody else's; None reads no casualties from sentences.
    `roles` says which roles tell a time and casualties (`LabelSet.fact_roles`).
    """
    when, told = _when(text, incident, date, roles.get("time")) or (None, None)
    source = ""
    if when is None and not _spans(incident, roles.get("time")):
        when, told = _sentence_day(text, incident, date) or (None, None)
        source = "sentence" if when else ""
    phrases = [told_counts(text, span) for span in _spans(incident, roles.get("casualties"))]
    if not phrases and claimed is not None:
        phrases = _sentence_counts(text, incident, claimed)
    return IncidentFacts(when, told, source, totals(text, phrases))


def _with_told(
    text: str,
    incident: Incident,
    date: datetime.date | None,
    options: Facts,
    claimed: Claimed | None,
    roles: Mapping[str, str],
) -> Incident:
    told = incident_facts(text, incident, date, claimed=claimed, roles=roles)
    told = told if options.dates else replace(told, when=None, told=None)
    told = told if options.counts else replace(told, totals=Totals())
    when = incident.date if incident.date is not None or told.when is None else told.when.iso()
    killed = _total(told.counts.killed, options.policy) if incident.killed is None else incident.killed
    injured = _total(told.counts.injured, options.policy) if incident.injured is None else incident.injured
    return _with_facts(replace(incident, date=when, killed=killed, injured=injured), told.to_dict())


def _with_text_day(incident: Incident, day: datetime.date, unrealised: str | None) -> Incident:
    """The incident dated the day of its text, as a guess, where it happened and nothing tells its date."""
    if incident.date is not None or incident.status == unrealised:
        return incident
    guess = IncidentFacts(DateInterval(day, day, "day", "text date"), source=TEXT_DAY).to_dict()
    return replace(incident, date=day.isoformat(), facts={**guess, **(incident.facts or {})})


def _with_facts(incident: Incident, known: Mapping[str, Any]) -> Incident:
    return replace(incident, facts={**(incident.facts or {}), **known}) if known else incident


def _with_actors(text: str, reading: Reading, table: ActorTable, date: datetime.date | None) -> Reading:
    linked = link_actors(text, reading, table, date=None if date is None else date.isoformat())
    incidents = []
    for number, incident in enumerate(linked.reading.incidents):
        known = [(p, linked.actors[number, place]) for place, p in enumerate(incident.participants) if (number, place) in linked.actors]
        incidents.append(_with_facts(incident, {"actors": [_actor(*pair) for pair in known]} if known else {}))
    return replace(reading, incidents=tuple(incidents))


def _actor(participant: Participant, actor: Actor) -> dict[str, Any]:
    return {"role": participant.role, **actor.to_dict(), "sector": participant.sector, "span": Span.to_dict(participant)}


def _with_places(text: str, reading: Reading, gazetteer: Gazetteer, roles: Mapping[str, str]) -> Reading:
    """Places of each incident, the most exact first, in the order of its participants where they are equally exact."""
    found = resolve_places(text, reading, gazetteer, role=roles.get("place"))
    incidents = []
    for number, incident in enumerate(reading.incidents):
        known = [(p, found[number, at]) for at, p in enumerate(incident.participants) if (number, at) in found]
        ordered = sorted(known, key=lambda pair: pair[1].vagueness)
        plain = [{**place.to_dict(), "span": Span.to_dict(p)} for p, place in ordered]
        incidents.append(_with_facts(incident, {"places": plain} if plain else {}))
    return replace(reading, incidents=tuple(incidents))


def _when(text: str, incident: Incident, date: datetime.date | None, role: str | None) -> tuple[DateInterval, Span] | None:
    """The finest interval of the incident's time phrases; of equal ones the nearest to the trigger."""
    found = [(when, span) for span in _spans(incident, role) if (when := _resolve(text, span, date)) is not None]
    near = incident.trigger.start
    return min(found, key=lambda each: (_FINE.index(each[0].grain), abs(each[1].start - near)), default=None)


def _resolve(text: str, span: Span, date: datetime.date | None) -> DateInterval | None:
    return resolve_date(span.text, date, before=text[max(0, span.start - CONTEXT) : span.start], after=text[span.end : span.end + CONTEXT])


def _sentence_day(text: str, incident: Incident, date: datetime.date | None) -> tuple[DateInterval, Span] | None:
    """The day that the sentences of an incident's mentions name near them, where they all name the same one."""
    found = []
    for mention in incident.all_mentions:
        bounds = sentence_around(text, mention.start)
        for span in times_in(text, *bounds):
            near = max(span.start - mention.end, mention.start - span.end) <= NEAR
            when = _resolve(text, span, date) if near and not speaks(text[bounds[0] : span.start]) else None
            if when is not None and when.grain in _DAYS:
                found.append((when, span))
    return found[0] if len({when.start for when, _ in found}) == 1 else None


def _sentence_counts(text: str, incident: Incident, claimed: Claimed) -> list[Told]:
    """Numbers of killed that the sentences of an incident's mentions tell and no participant of the text.

    Injured read that way were wrong more often than right, so they are left out.
    """
    sentences = [bounds for bounds in _sentences(text, incident) if not sums_up(text[slice(*bounds)])]
    spans = [span for bounds in sentences for span in casualties_in(text, *bounds)]
    free = [span for span in spans if not claimed.overlap(span)]
    found = [(span, _counts(text, span).killed) for span in free]
    return [Told(span, Counts(killed=killed), "sentence") for span, killed in found if killed is not None and not killed.word]


def _sentences(text: str, incident: Incident) -> list[tuple[int, int]]:
    return list(dict.fromkeys(sentence_around(text, mention.start) for mention in incident.all_mentions))


def _counts(text: str, span: Span) -> Counts:
    return read_counts(span.text, before=text[max(0, span.start - CONTEXT) : span.start], after=text[span.end : span.end + CONTEXT])


def _spans(incident: Incident, role: str | None) -> Iterable[Span]:
    return [span for p in incident.participants if p.role == role for span in _mentions(p)]


def _mentions(participant: Participant) -> tuple[Span, ...]:
    return (participant, *participant.mentions)


def _total(bound: Bound | None, policy: str) -> int | None:
    """One number for a record: the one told; for «عدد من», «عشرات» what the policy says, None with "least"."""
    return None if bound is None or (bound.word and policy == POLICIES[0]) else bound.estimate(policy=policy)


def _date(when: DateInterval, told: Span | None, source: str) -> dict[str, Any]:
    days = {"start": when.start.isoformat(), "end": when.end.isoformat(), "grain": when.grain}
    precision = GUESS if source == TEXT_DAY else when.time_precision
    return {**days, "time_precision": precision, "anchored": when.anchored, **_span(told), **_source(source)}


def _span(told: Span | None) -> dict[str, Any]:
    return {} if told is None else {"span": Span.to_dict(told)}


def _source(source: str) -> dict[str, str]:
    return {"source": source} if source else {}


def _bound(bound: Bound) -> dict[str, Any]:
    return {"min": bound.min, "max": bound.max, **({"about": True} if bound.about else {}), **({"word": bound.word} if bound.word else {})}
