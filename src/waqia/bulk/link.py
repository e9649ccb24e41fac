"""Events across texts: incidents of many rows that most likely tell of one happening become one event.

One pass. An incident is compared with those that share its rarest words or its day and place, a bounded number of each, so the work grows
with the rows. It joins the event with which it scores best (`likeness.Weights`), and every merge says which clues carried it. Texts in
which no incident was read are looked at last: one that plainly tells of an event becomes a source of it, none becomes an event.
"""

from __future__ import annotations

import json
import sys
import tempfile
import weakref
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from heapq import nsmallest
from typing import IO, Any

from waqia.bulk.clues import Clue, Passage, Rarity, Tables, clues_of, from_plain, ordinal, text_clue, to_plain
from waqia.bulk.events import ROW, fault
from waqia.bulk.likeness import APART, RARE, Bag, Weights, features, score, weigh
from waqia.bulk.telling import told
from waqia.errors import RecordError

KEYS = 16  # rarest words of an incident by which others are looked up
FILED = 64  # rarest words under which it can be looked up
BLOCK = 64  # newest incidents of a block
NEAREST = 24  # incidents compared, those that share most
MEMBERS = 6  # newest incidents of an event that a new one is compared with
UNRELATED = -6.0  # the score with a member that cannot be compared

Reach = tuple[int, int]  # ordinals of a first and a last day


@dataclass(frozen=True, slots=True)
class Member:
    """An incident of an event: its clue, the weight of its words, and where its source lies in the spool."""

    clue: Clue
    square: float
    source: int


@dataclass(slots=True)
class Event:
    """One happening: its incidents, the days that their texts reach over, and why each was merged."""

    id: str
    members: list[Member]
    reach: Reach | None  # see `_reach`
    merges: list[dict[str, Any]] = field(default_factory=list)


class Linker:
    """Events so far and their blocks; `add` rows, then read `lines`. `old` are lines of an earlier events.jsonl.

    Sources wait in a temporary file; the memory holds the clues.
    """

    def __init__(self, tables: Tables, weights: Weights | None = None, old: Iterable[Mapping[str, Any]] = ()) -> None:
        self.tables, self.weights = tables, weights or Weights()
        self.events: list[Event] = []
        self.skipped = self.attached = 0
        self._rarity = Rarity(tables)
        self._blocks: dict[Any, deque[int]] = {}
        self._crowds = Counter[int]()
        self._spool = _Spool()
        self._waiting: list[tuple[Clue, int]] = []
        self._before: set[str] = set()
        self._seen: set[str] = set()
        for line in old:
            self._restore(line)

    def add(self, row: Mapping[str, Any]) -> None:
        """Link every incident of a row of `waqia batch`; rows already in the events are skipped, RecordError for an id given twice."""
        name = str(row["id"])
        if name in self._seen:
            raise RecordError(f"id {name!r} stands on two rows; expected one row an id; make ids unique and run again")
        self._seen.add(name)
        if name in self._before:
            self.skipped += 1
            return
        if wrong := fault(row, ROW):
            raise RecordError(f"row {name!r}: {wrong}; expected rows as `waqia batch` writes them")
        said = {"id": name, "source": row.get("source"), "date": row.get("date") or None}
        found = list(clues_of(row, self.tables))
        self._rarity.add({word for clue, _, _ in found for word in clue.words})
        for clue, incident, passages in found:
            self._place(clue, self._spool.add(_source(said, clue, passages, incident.to_dict())))
        if not found and not row.get("error"):
            clue, passages = text_clue(row)
            self._waiting.append((clue, self._spool.add(_source(said, clue, passages, None))))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every event as plain data for a line of events.jsonl; the texts without incidents that wait join theirs first."""
        for clue, source in self._waiting:
            self._rarity.add(clue.words)
            self._place(clue, source, found_event=False)
        self._waiting.clear()
        for event in self.events:
            sources = [self._spool.read(member.source) for member in event.members]
            yield {"id": event.id, **told(sources, self.tables.labels.fact_roles), "sources": sources, "merges": event.merges}

    def _restore(self, line: Mapping[str, Any]) -> None:
        clues = [_shared(from_plain(source["clue"], source["passages"])) for source in line["sources"]]
        event = Event(line["id"], [], reduce(_joined, map(_reach, clues)), list(line["merges"]))
        self.events.append(event)
        for clue, source in zip(clues, line["sources"], strict=True):
            if clue.row not in self._before:
                self._rarity.add(clue.words)
                self._before.add(clue.row)
            bag = self.bag(clue)
            event.members.append(Member(clue, bag.square, self._spool.add(source)))
            self._file(clue, bag, len(self.events) - 1)

    def _place(self, clue: Clue, source: int, *, found_event: bool = True) -> None:
        clue = _shared(clue)
        bag = self.bag(clue)
        member, best = Member(clue, bag.square, source), self._best(clue, bag)
        if best is not None and best[0] >= self.weights.threshold:
            mean, number, other = best
            event = self.events[number]
            why = weigh(*features(clue, bag, other.clue, other.square, self.crowd(clue)), self.weights)
            against = {"id": other.clue.row, "number": other.clue.number}
            event.merges.append({"id": clue.row, "number": clue.number, "with": against, "score": round(mean, 3), "clues": why})
            event.members.append(member)
            event.reach = _joined(event.reach, _reach(clue))
            self.attached += not found_event
        elif found_event:
            number = len(self.events)
            self.events.append(Event(f"{clue.row}#{clue.number}", [member], _reach(clue)))
        else:
            return
        self._file(clue, bag, number)

    def _best(self, clue: Clue, bag: Bag) -> tuple[float, int, Member] | None:
        """The best score with an event, its number and the member that it is most like; None where nothing can be compared.

        The score is the mean of the best pair's and of all pairs', so that one likeness does not chain what else differs.
        """
        best: tuple[float, int, Member] | None = None
        crowd = self.crowd(clue)
        for number in dict.fromkeys(self.nearest(clue, bag)):
            members = self.events[number].members
            if any(member.clue.row == clue.row for member in members):
                continue  # the reader told apart what one text tells
            scores = []
            for member in members[-MEMBERS:]:
                found, _ = features(clue, bag, member.clue, member.square, crowd)
                scores.append((score(found, self.weights) if found else UNRELATED, member))
            top, nearest = max(scores, key=lambda pair: pair[0])
            mean = (top + sum(value for value, _ in scores) / len(scores)) / 2
            if best is None or mean > best[0]:
                best = mean, number, nearest
        return best

    def nearest(self, clue: Clue, bag: Bag) -> list[int]:
        """Events with an incident that shares most, the most first, of equals the newer; none whose texts are all too far away in time."""
        shared: dict[int, float] = {}
        for key, weight in self._keys(clue, bag, KEYS):
            for number in self._blocks.get(key, ()):
                shared[number] = shared.get(number, 0.0) + weight
        own = _reach(clue)
        near = (number for number in shared if _may_meet(own, self.events[number].reach))
        return nsmallest(NEAREST, near, key=lambda number: (-shared[number], -number))

    def crowd(self, clue: Clue) -> int:
        """How many incidents so far are within a day of one; 0 where its day is unknown."""
        day = _day(clue)
        return 0 if day is None else sum(self._crowds[day + step] for step in (-1, 0, 1))

    def _file(self, clue: Clue, bag: Bag, number: int) -> None:
        day = _day(clue)
        if day is not None:
            self._crowds[day] += 1
        for key, _ in self._keys(clue, bag, FILED):
            self._blocks.setdefault(key, deque(maxlen=BLOCK)).append(number)

    def _keys(self, clue: Clue, bag: Bag, count: int) -> list[tuple[Any, float]]:
        """The blocks of an incident: its rarest words, those first that another text had too, and its days with its place."""
        rare = [word for word, value in bag.rarity.items() if value >= RARE]  # what a pair has to share
        ranked = sorted(rare, key=lambda word: (self._rarity.seen(word) < 2, -bag.rarity[word], word))[:count]
        days = range(clue.span[0], clue.span[1] + 1) if clue.span else ()
        places = dict.fromkeys(place for place in (clue.place, clue.said) if place)
        return [(word, bag.rarity[word]) for word in ranked] + [((day, place), 6.0) for day in days for place in places]

    def bag(self, clue: Clue) -> Bag:
        """The words of a clue with their rarity as it is now."""
        return Bag.of({word: self._rarity.of(word) for word in clue.words})


class _Spool:
    """Sources in a temporary file, by the place where each begins."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="waqia-link-")  # noqa: SIM115  # closed with the spool
        weakref.finalize(self, _closed, self._file)
        self._end = 0

    def add(self, source: Mapping[str, Any]) -> int:
        line = json.dumps(source, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        self._file.seek(self._end)
        self._file.write(line)
        start, self._end = self._end, self._end + len(line)
        return start

    def read(self, start: int) -> dict[str, Any]:
        self._file.seek(start)
        data: dict[str, Any] = json.loads(self._file.readline().decode("utf-8", "surrogatepass"))
        return data


def _closed(file: IO[bytes]) -> None:
    with suppress(OSError):  # what a full disk did not take nobody needs any more
        file.close()


def link(
    rows: Iterable[Mapping[str, Any]], tables: Tables, *, weights: Weights | None = None, old: Iterable[Mapping[str, Any]] = ()
) -> Linker:
    """Link rows, onto the events of an earlier run where there are any."""
    linker = Linker(tables, weights, old)
    for row in rows:
        linker.add(row)
    return linker


def _reach(clue: Clue) -> Reach | None:
    """From the first to the last of the days of a text and of what it tells; None for a text without a day: it may be of any."""
    if clue.published is None:
        return None
    day = ordinal(clue.published)
    first, last = clue.span or (day, day)
    return min(day, first), max(day, last)


def _joined(one: Reach | None, other: Reach | None) -> Reach | None:
    return (min(one[0], other[0]), max(one[1], other[1])) if one and other else None


def _may_meet(one: Reach | None, other: Reach | None) -> bool:
    """Whether `features` may find anything in a pair of these days."""
    return not (one and other) or max(one[0] - other[1], other[0] - one[1]) <= APART


def _day(clue: Clue) -> int | None:
    return ordinal(clue.published) if clue.published else None if clue.span is None else clue.span[0]


def _source(said: Mapping[str, Any], clue: Clue, passages: Iterable[Passage], incident: dict[str, Any] | None) -> dict[str, Any]:
    plain = {"passages": [passage.to_dict() for passage in passages], "incident": incident, "clue": to_plain(clue)}
    return {"id": said["id"], "number": clue.number, "source": said["source"], "date": said["date"], **plain}


def _shared(clue: Clue) -> Clue:
    """The clue with one object for each word, however many incidents have it."""
    values = {name: getattr(clue, name) for name in Clue.__slots__}
    return Clue(**{**values, "words": tuple(map(sys.intern, clue.words))})
