"""Texts against facts that people coded: the main incident's date, its killed and injured civilians, its place and who struck.

The main incident of a text is the one that tells most of who was hurt, then the one told first. Coded numbers count civilians alone and
several texts together, so not every text can be right. Guesses from the whole text stand beside what the main incident tells.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.facts.figures import hit, summary
from eval.facts.geo import Meant, belligerent_family, place_within
from eval.score.counts import Counts
from waqia.document.actors import ActorTable
from waqia.document.counts import Bound
from waqia.document.counts import Counts as Casualties
from waqia.document.facts import Claimed, IncidentFacts, incident_facts, told_counts
from waqia.document.gazetteer import Gazetteer
from waqia.document.sentences import casualties_in
from waqia.document.totals import totals
from waqia.errors import RecordError
from waqia.reader import Reader
from waqia.records import read_rows
from waqia.schema import Incident, Reading, Span

DAYS = 1  # a date counts as right within so many days


@dataclass(frozen=True, slots=True)
class Coded:
    """One row: a text, its date where known, and what people coded of the incident that it tells; bounds None where not coded."""

    id: str
    text: str
    date: datetime.date | None
    incident: str
    day: datetime.date | None
    killed: tuple[int, int] | None
    injured: tuple[int, int] | None


def measure(path: Path, artefact: Path | None = None) -> dict[str, Any]:
    """Figures of a file of coded texts as a model reads them; texts of one incident are drawn together for the intervals."""
    rows = list(read_coded(path))
    reader = Reader.load(artefact)
    readings = list(reader.read_many((row.text, row.date) for row in rows))
    tallies: list[dict[str, Counts]] = []
    errors: list[dict[str, Any]] = []
    meant = Meant.of(reader.labels)
    for row, reading in zip(rows, readings, strict=True):
        if reading.error is not None:
            raise RecordError(f"{path}: {row.id}: not read: {reading.error}")
        tally, wrong = score(row, reading, meant)
        tallies.append(tally)
        errors += wrong
    result = {"model": reader.model, **summary(tallies, [row.incident for row in rows], errors)}
    coded = [row for _, row in read_rows(path)]
    places = place_within(readings, coded, Gazetteer.packaged(), meant)
    belligerents = belligerent_family(readings, coded, ActorTable.packaged(reader.labels), meant)
    for name, report in (("place", places), ("belligerent", belligerents)):
        result["figures"] |= {f"{name} {key}": {**figure, "of": report["texts"]} for key, figure in report["figures"].items()}
    return result


def score(row: Coded, reading: Reading, meant: Meant) -> tuple[dict[str, Counts], list[dict[str, Any]]]:
    """What is right of one text, and what is wrong with both values; a fact that was not coded is not asked.

    An open bound stands for its least number; `bounds overlap` asks only whether it leaves room for what was coded. Beside what the main
    incident tells stand guesses: the text's day where no day is told, and of the killed and injured the first
    that the text tells anywhere.
    """
    facts = main_facts(row, reading, meant)
    tally: dict[str, Counts] = {}
    errors: list[dict[str, Any]] = []
    if row.date is not None and row.day is not None:
        right = facts.when is not None and _near(facts.when.start, facts.when.end, row.day)
        tally[f"date within {DAYS} day"] = hit(right)
        near, main = _near(row.date, row.date, row.day), main_incident(row, reading, meant)
        tally[f"date within {DAYS} day, else the text's day"] = hit(near if facts.when is None else right)
        guessed = near and main is not None and main.status != meant.unrealised
        tally[f"date within {DAYS} day, Facts(text_day=True)"] = hit(guessed if facts.when is None else right)
        if facts.when is not None:
            tally[f"date within {DAYS} day, where one is read"] = hit(right)
        told = "none read" if facts.when is None else f"{facts.when.iso()} ({facts.told.text if facts.told else ''})"
        errors += [] if right else [_error("date", row, str(row.day), told, none=facts.when is None)]
    anywhere = text_counts(row.text, reading, meant)
    for kind in ("killed", "injured"):
        coded: tuple[int, int] | None = getattr(row, kind)
        if coded is None:
            continue
        read, guess = (_number(getattr(counts, kind)) for counts in (facts.counts, anywhere))
        right = _within(read, coded)
        tally[f"{kind} within bounds"] = hit(right)
        tally[f"{kind} bounds overlap"] = hit(_overlap(getattr(facts.counts, kind), coded))
        tally[f"{kind} within bounds, first of the text"] = hit(_within(guess, coded))
        if read is not None:
            tally[f"{kind} within bounds, where one is read"] = hit(right)
        errors += [] if right else [_error(kind, row, list(coded), read, none=read is None)]
    return tally, errors


def main_facts(row: Coded, reading: Reading, meant: Meant) -> IncidentFacts:
    """The facts of the main incident; none where the text has no incident."""
    main = main_incident(row, reading, meant)
    if main is None:
        return IncidentFacts()
    claimed = Claimed.of(_casualties(reading.incidents, meant)) if main.type in meant.strikes else None
    return incident_facts(row.text, main, row.date, claimed=claimed, roles=meant.roles)


def text_counts(text: str, reading: Reading, meant: Meant) -> Casualties:
    """The first counts that a text tells of its violent incidents, else the first that stand anywhere in it, numbers before vague words."""
    phrases = [told_counts(text, span) for span in dict.fromkeys(_casualties(_violent(reading, meant), meant))]
    found = [told_counts(text, span) for span in casualties_in(text, 0, len(text))]
    known, anywhere = totals(text, phrases).counts.bounds, totals(text, found).counts.bounds
    return Casualties(**{**anywhere, **known})


def _casualties(incidents: Sequence[Incident], meant: Meant) -> list[Span]:
    return [
        Span(span.start, span.end, span.text)
        for incident in incidents
        for p in incident.participants
        if p.role == meant.roles.get("casualties")
        for span in (p, *p.mentions)
    ]


def _number(bound: Bound | None) -> int | None:
    return None if bound is None else bound.estimate()


def _within(read: int | None, coded: tuple[int, int]) -> bool:
    return read is not None and coded[0] <= read <= coded[1]


def _overlap(read: Bound | None, coded: tuple[int, int]) -> bool:
    """Whether some number fits both: «وإصابة آخرين», two or more, and three to five."""
    return read is not None and read.min - read.more <= coded[1] and (read.max is None or read.max >= coded[0])


def main_incident(row: Coded, reading: Reading, meant: Meant) -> Incident | None:
    """The violent incident that tells most of who was hurt and when, the first of equals; any incident where none is violent."""
    return max(_violent(reading, meant) or reading.incidents, key=lambda incident: _tells(row, incident), default=None)


def _violent(reading: Reading, meant: Meant) -> list[Incident]:
    return [incident for incident in reading.incidents if meant.happened(incident, meant.violent)]


def _tells(row: Coded, incident: Incident) -> tuple[int, float]:
    facts = incident_facts(row.text, incident, row.date)
    told = len({"killed", "injured"} & set(facts.counts.bounds)) + (facts.when is not None)
    return told, -incident.trigger.start


def _near(start: datetime.date, end: datetime.date, day: datetime.date) -> bool:
    slack = datetime.timedelta(DAYS)
    return start - slack <= day <= end + slack and (end - start).days <= 1 + DAYS


def _error(fact: str, row: Coded, coded: Any, read: Any, *, none: bool) -> dict[str, Any]:
    return {"kind": f"{fact}: none read" if none else f"{fact}: another", "id": row.id, "coded": coded, "read": read}


def read_coded(path: Path) -> Iterator[Coded]:
    """The rows of a file; RecordError where one lacks id, text or facts, where a bound or a date is odd, or where an id stands twice."""
    seen: set[str] = set()
    for number, row in read_rows(path):
        where = f"{path}:{number}"
        if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("id"), str):
            raise RecordError(f"{where}: expected an object with id, text, date and facts")
        where = f"{where}: {row['id']}"
        if row["id"] in seen:
            raise RecordError(f"{where}: the id stands twice; ids must be unique in a file")
        seen.add(row["id"])
        facts = row.get("facts")
        if not isinstance(facts, dict) or not isinstance(facts.get("incident"), str):
            raise RecordError(f"{where}: facts is {facts!r}, expected an object with incident, date, killed and injured")
        killed, injured = (_bounds(facts, kind, where) for kind in ("killed", "injured"))
        yield Coded(row["id"], row["text"], _day(row, where), facts["incident"], _day(facts, where), killed, injured)


def _day(row: dict[str, Any], where: str) -> datetime.date | None:
    said = row.get("date")
    try:
        return datetime.date.fromisoformat(said) if said else None
    except (TypeError, ValueError) as error:
        raise RecordError(f'{where}: date is {said!r}, expected "YYYY-MM-DD" or nothing') from error


def _bounds(facts: dict[str, Any], kind: str, where: str) -> tuple[int, int] | None:
    said = facts.get(kind)
    if said is None:
        return None
    if not (isinstance(said, list) and len(said) == 2 and all(type(n) is int for n in said) and 0 <= said[0] <= said[1]):
        raise RecordError(f"{where}: {kind} is {said!r}, expected [min, max] or null")
    return said[0], said[1]
