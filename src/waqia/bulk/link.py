"""Events across texts: incidents of many rows that agree in type family, days, place, actors and counts become one event.

One pass with blocking keys (day, family, place cell), so work grows with the rows; every merge says which clues carried it. An incident
without a date or a place cannot be compared and becomes an event of its own.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from waqia.document.actors import ActorTable
from waqia.document.facts import add_facts, parse_date
from waqia.document.folding import key
from waqia.document.gazetteer import Gazetteer
from waqia.document.places import Place, distance_km, resolve_places
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Incident, Reading

# One strike is told as bombing, as killing or as fighting; a protest that turns violent as protest or as riot.
FAMILIES = {"battles": "armed", "explosions": "armed", "violence": "armed", "protests": "unrest", "riots": "unrest"}
LONGEST = 7  # days: a longer interval ("in 2015") does not say when
CELL = 0.25  # degrees, about 28 km: neighbours are searched too
BLOCK = 64  # newest events compared in a block, which bounds the work of an incident


@dataclass(frozen=True, slots=True)
class Weights:
    """What each clue adds to the score of a pair; `threshold` and above is a merge."""

    same_day: float = 1.0
    next_day: float = 0.4
    same_place: float = 1.5
    near_place: float = 0.5
    same_type: float = 0.5
    shared_actor: float = 0.5
    same_count: float = 1.0
    other_count: float = -0.5
    threshold: float = 2.0


@dataclass(frozen=True, slots=True)
class Clue:
    """What one incident is compared by; days are ISO, `place` a name, `at` WGS 84 degrees where the gazetteer knows it."""

    row: str
    number: int
    type: str
    family: str
    start: str | None = None
    end: str | None = None
    place: str | None = None
    at: tuple[float, float] | None = None
    actors: tuple[str, ...] = ()
    killed: int | None = None
    injured: int | None = None

    @property
    def comparable(self) -> bool:
        """Whether it has a day (an interval of at most LONGEST days) and a place."""
        return self.place is not None and bool(self.days())

    def days(self) -> list[int]:
        """The ordinals of its days; none where the date is unknown or too coarse."""
        if self.start is None or self.end is None:
            return []
        first, last = (datetime.date.fromisoformat(day).toordinal() for day in (self.start, self.end))
        return list(range(first, last + 1)) if last - first < LONGEST else []


@dataclass(slots=True)
class Event:
    """One happening: its sources (rows of plain data, the incident with its clue) and why each was merged."""

    id: str
    sources: list[dict[str, Any]]
    clues: list[Clue]
    merges: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a line of events.jsonl; date, place and counts are those of the best told source."""
        best = max(self.clues, key=lambda clue: (clue.comparable, clue.at is not None, clue.killed is not None, len(clue.actors)))
        at = None if best.at is None else {"latitude": best.at[0], "longitude": best.at[1]}
        told = {"type": best.type, "start": best.start, "end": best.end, "place": best.place, "at": at}
        counts = {kind: _range(getattr(clue, kind) for clue in self.clues) for kind in ("killed", "injured")}
        return {"id": self.id, **told, **counts, "sources": self.sources, "merges": self.merges}


@dataclass(frozen=True, slots=True)
class Tables:
    """What resolves names; load once."""

    labels: LabelSet
    gazetteer: Gazetteer
    actors: ActorTable

    @classmethod
    def packaged(cls, labels: LabelSet) -> Tables:
        """The tables that ship with Waqia."""
        return cls(labels, Gazetteer.packaged(), ActorTable.packaged(labels))


class Linker:
    """Events so far and their blocks; `add` rows, then read `events`. `old` are lines of an earlier events.jsonl."""

    def __init__(self, tables: Tables, weights: Weights | None = None, old: Iterable[Mapping[str, Any]] = ()) -> None:
        self.tables, self.weights = tables, weights or Weights()
        self.events: list[Event] = []
        self.skipped = 0
        self._blocks: dict[tuple[Any, ...], list[int]] = {}
        self._before: set[str] = set()
        self._seen: set[str] = set()
        for line in old:
            clues = [_clue(source["clue"]) for source in line["sources"]]
            self._before.update(clue.row for clue in clues)
            self.events.append(Event(line["id"], list(line["sources"]), clues, list(line["merges"])))
            for clue in clues:
                self._file(clue, len(self.events) - 1)

    def add(self, row: Mapping[str, Any]) -> None:
        """Link every incident of a row of `waqia batch`; rows already in the events are skipped, RecordError for an id given twice."""
        name = str(row["id"])
        if name in self._seen:
            raise RecordError(f"id {name!r} stands on two rows; expected one row an id; make ids unique and run again")
        self._seen.add(name)
        if name in self._before:
            self.skipped += 1
            return
        for clue, incident in clues_of(row, self.tables):
            self._place(clue, {"id": name, "number": clue.number, "source": row.get("source"), "incident": incident.to_dict()})

    def _place(self, clue: Clue, source: dict[str, Any]) -> None:
        source["clue"] = asdict(clue)
        found = [(compare(clue, c, self.weights), n, c) for n in self._near(clue) if self._open(n, clue) for c in self.events[n].clues[:8]]
        scored = [(sum(why.values()), -n, why, other) for why, n, other in found if why]
        score, number, why, other = max(scored, key=lambda each: each[:2], default=(0.0, 0, {}, clue))
        if why and score >= self.weights.threshold:
            event = self.events[-number]
            against = {"id": other.row, "number": other.number}
            event.merges.append({"id": clue.row, "number": clue.number, "with": against, "score": round(score, 3), "clues": why})
            event.sources.append(source)
            event.clues.append(clue)
        else:
            number = -len(self.events)
            self.events.append(Event(f"{clue.row}#{clue.number}", [source], [clue]))
        self._file(clue, -number)

    def _open(self, number: int, clue: Clue) -> bool:
        return all(other.row != clue.row for other in self.events[number].clues)  # the reader told apart what one text tells

    def _near(self, clue: Clue) -> list[int]:
        keys = [(day + d, clue.family, cell) for day in clue.days() for d in (-1, 0, 1) for cell in _cells(clue, around=True)]
        return list(dict.fromkeys(n for block in dict.fromkeys(keys) for n in self._blocks.get(block, [])[-BLOCK:]))

    def _file(self, clue: Clue, number: int) -> None:
        for day in clue.days():
            for cell in _cells(clue, around=False):
                self._blocks.setdefault((day, clue.family, cell), []).append(number)


def compare(a: Clue, b: Clue, weights: Weights) -> dict[str, float]:
    """The clues of a pair with their weights; empty where days, places or families exclude that they are one."""
    gap = min((abs(x - y) for x in a.days() for y in b.days()), default=99)
    if a.family != b.family or gap > 1 or not (a.comparable and b.comparable):
        return {}
    why = {"same day": weights.same_day} if gap == 0 else {"next day": weights.next_day}
    if a.place == b.place:
        why["same place"] = weights.same_place
    elif a.at and b.at and distance_km(a.at, b.at) <= 25:
        why["place within 25 km"] = weights.near_place
    else:
        return {}
    if a.type == b.type:
        why["same type"] = weights.same_type
    if shared := set(a.actors) & set(b.actors):
        why["actor " + min(shared)] = weights.shared_actor
    for kind, x, y in (("killed", a.killed, b.killed), ("injured", a.injured, b.injured)):
        if x is not None and y is not None:
            why[("same " if x == y else "other ") + kind] = weights.same_count if x == y else weights.other_count
    return why


def clues_of(row: Mapping[str, Any], tables: Tables) -> Iterator[tuple[Clue, Incident]]:
    """Each incident of a row with what it is compared by; RecordError where the row lacks what `waqia batch` writes."""
    try:
        text, date = row["text"], parse_date(row.get("date"))
        reading = Reading.from_dict({"incidents": row["incidents"], "types": {}})
    except KeyError as error:
        raise RecordError(f"row {row.get('id')!r} has no {error}; expected rows as `waqia batch` writes them") from error
    reading = add_facts(text, reading, date)
    places = resolve_places(text, reading, tables.gazetteer)
    for number, incident in enumerate(reading.incidents):
        yield _clue_of(str(row["id"]), number, incident, date, places, tables), incident


def _clue_of(
    row: str, number: int, incident: Incident, date: datetime.date | None, places: Mapping[tuple[int, int], Place], tables: Tables
) -> Clue:
    if incident.type not in tables.labels.incident_types:
        raise RecordError(f"row {row!r}: type {incident.type!r} is not in the label set {tables.labels.name}; give its label set")
    group = tables.labels.incident_types[incident.type].group
    day = None if date is None else date.isoformat()
    when = (incident.facts or {}).get("date") or {"start": day, "end": day}
    told = [p for p in incident.participants if p.role == "place"]
    place = next((places[p.start, p.end] for p in told if (p.start, p.end) in places), None)
    name = " ".join(key(told[0].text)) or None if told else None
    at = None if place is None else (place.latitude, place.longitude)
    year = int(when["start"][:4]) if when["start"] else None
    actors = [(tables.actors.find(p.text, year), p.text) for p in incident.participants if p.sector is not None]
    known = tuple(sorted({actor.id if actor else " ".join(key(said)) for actor, said in actors}))
    named = place.entry.name if place else name
    family = FAMILIES.get(group, group)
    return Clue(row, number, incident.type, family, when["start"], when["end"], named, at, known, incident.killed, incident.injured)


def link(rows: Iterable[Mapping[str, Any]], tables: Tables, *, old: Iterable[Mapping[str, Any]] = ()) -> Linker:
    """Link rows, onto the events of an earlier run where there are any."""
    linker = Linker(tables, old=old)
    for row in rows:
        linker.add(row)
    return linker


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file; RecordError names file and line of what is none."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                data = json.loads(line)
            except ValueError as error:
                raise RecordError(f"{path}:{number}: not JSON ({error}); expected one object a line") from error
            if not isinstance(data, dict) or "id" not in data:
                raise RecordError(f"{path}:{number}: no object with an id; expected one object a line")
            yield data


def _cells(clue: Clue, *, around: bool) -> list[Any]:
    if clue.at is None:
        return [] if clue.place is None else [clue.place]
    x, y = int(clue.at[0] // CELL), int(clue.at[1] // CELL)
    reach = (-1, 0, 1) if around else (0,)
    return [(x + i, y + j) for i in reach for j in reach]


def _clue(data: Mapping[str, Any]) -> Clue:
    return Clue(**{**data, "at": tuple(data["at"]) if data["at"] else None, "actors": tuple(data["actors"])})


def _range(values: Iterable[int | None]) -> dict[str, int] | None:
    known = [value for value in values if value is not None]
    return {"min": min(known), "max": max(known)} if known else None
