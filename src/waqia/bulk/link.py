"""Events across texts: incidents of many rows that most likely tell of one happening become one event.

One pass. An incident is compared with those of near days that share its rarest words or its place, a bounded number of each, so the work
grows with the rows. It joins the event with which it scores best (`likeness.Weights`), and every merge says which clues carried it. Texts
in which no incident was read are looked at last: one that plainly tells of an event becomes a source of it, none becomes an event.

Incidents stand in buckets: one for each day of a text and of what it tells, and one for each thousand that came one after the other, for
texts without a day. Only the events of buckets that are looked into are at hand; all others wait as lines (`index.Index`), whether of
this run or of an earlier one, so what is put away when changes no result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from math import log
from typing import IO, Any

from waqia.bulk.clues import Clue, Passage, Tables, clues_of, from_plain, ordinal, text_clue, to_plain
from waqia.bulk.events import ROW, fault
from waqia.bulk.index import Bucket, Index
from waqia.bulk.likeness import APART, RARE, Bag, Weights, features, score, weigh
from waqia.bulk.telling import told
from waqia.errors import RecordError
from waqia.records import dump_row

KEYS = 16  # rarest words of an incident by which others are looked up
BLOCK = 64  # incidents that share a key, those of the nearest days first
NEAREST = 24  # events compared, those that share most
MEMBERS = 6  # newest incidents of an event that a new one is compared with
UNRELATED = -6.0  # the score with a member that cannot be compared
TOGETHER = 1000  # incidents of a bucket of those that came one after the other
NEWEST = 10  # of such buckets that a text without a day is looked up in, or where such a text is
AT_HAND = 20_000  # incidents, beyond which events of buckets that are not looked into are put away
SEVERAL, ALONE = 1, 2  # what is said of an event at the end: that it has several sources, that it lacks day or place

Blocks = dict[Any, list[int]]  # the events under each key of a bucket, the newest last


@dataclass(frozen=True, slots=True)
class Member:
    """An incident of an event: its clue, the weight of its words when it came, and where its source lies in the spool."""

    clue: Clue
    square: float
    source: int


@dataclass(slots=True)
class Event:
    """One happening at hand: its incidents, why each was merged, the open buckets that it is in, whether its line has to be made again."""

    id: str
    members: list[Member]
    merges: list[dict[str, Any]] = field(default_factory=list)
    buckets: set[Bucket] = field(default_factory=set)
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Totals:
    """How many events there are, of several sources, and without day or place."""

    events: int
    several: int
    alone: int


class Linker:
    """Links rows to events: `add` them, then read `lines` or `write` them. `old` are lines of an earlier events.jsonl to link onto.

    An `index` kept beside an events.jsonl stands for its lines. What is not at hand waits in temporary files.
    """

    def __init__(
        self, tables: Tables, weights: Weights | None = None, old: Iterable[Mapping[str, Any]] = (), index: Index | None = None
    ) -> None:
        self.tables, self.weights = tables, weights or Weights()
        self.index = index or Index.empty()
        self.skipped = self.attached = 0
        self._at_hand: dict[int, Event] = {}
        self._open: dict[Bucket, Blocks] = {}
        self._members = 0  # of the events at hand
        self._waiting: list[int] = []
        self._unread: list[str] = []
        for line in old:
            self._restore(line)

    def add(self, row: Mapping[str, Any]) -> None:
        """Link every incident of a row of `waqia batch`; rows already in the events are skipped, RecordError for an id given twice."""
        name = str(row["id"])
        if not self.index.is_new(name):
            self.skipped += 1
            return
        if wrong := fault(row, ROW):
            raise RecordError(f"row {name!r}: {wrong}; expected rows as `waqia batch` writes them")
        said = {"id": name, "source": row.get("source"), "date": row.get("date") or None}
        found = list(clues_of(row, self.tables))
        if found:
            self.index.count({word for clue, _, _ in found for word in clue.words})
        for clue, incident, passages in found:
            self._place(clue, _source(said, clue, passages, incident.to_dict()))
        if not found and row.get("error"):
            self._unread.append(name)
        elif not found:
            clue, passages = text_clue(row)
            self._waiting.append(self.index.spool(_line(_source(said, clue, passages, None))))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every event as plain data for a line of events.jsonl; the texts without incidents that wait join theirs first."""
        for _, line in self._lines():
            yield json.loads(line)

    def write(self, out: IO[bytes]) -> Totals:
        """Write every event as a line of events.jsonl; the index then knows the lines of that file, so nothing can be added any more."""
        end = 0
        for number, line in self._lines():
            self.index.moved(number, end, line)
            end += out.write(line)
        for name in self._unread:
            self.index.forget(name)
        kinds = self.index.kinds
        return Totals(len(kinds), sum(kind & SEVERAL > 0 for kind in kinds), sum(kind & ALONE > 0 for kind in kinds))

    def event(self, number: int) -> Event:
        """An event by its number, at hand from now on."""
        event = self._at_hand.get(number)
        if event is None:
            line = json.loads(self.index.line(number))
            members = [self._member(source) for source in line["sources"]]
            event = self._at_hand[number] = Event(line["id"], members, line["merges"], changed=False)
            self._members += len(members)
        return event

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for start in self._waiting:
            source = json.loads(self.index.spooled(start))
            clue = from_plain(source["clue"], source["passages"])
            self.index.count(set(clue.words))
            self._place(clue, source, found_event=False)
        self._waiting.clear()
        for number in range(len(self.index)):
            self._keep(number)
            yield number, self.index.line(number)

    def _restore(self, line: Mapping[str, Any]) -> None:
        number = self.index.new()
        self.index.put(number, _line(line), _kind(line))
        for nth, source in enumerate(line["sources"]):
            clue = from_plain(source["clue"], source["passages"])
            if not self.index.knows(clue.row):
                self.index.count(set(clue.words))
                self.index.know(clue.row)
            self._file(clue, number, nth)

    def _member(self, source: Mapping[str, Any]) -> Member:
        clue = _shared(from_plain(source["clue"], source["passages"]))
        square = source.get("square")
        return Member(clue, self.bag(clue).square if square is None else square, self.index.spool(_line(source)))

    def _keep(self, number: int) -> None:
        """Put the line of an event, where it has none as it is now."""
        event = self._at_hand.get(number)
        if event is not None and event.changed:
            sources = [json.loads(self.index.spooled(member.source)) for member in event.members]
            line = {"id": event.id, **told(sources, self.tables.labels.fact_roles), "sources": sources, "merges": event.merges}
            self.index.put(number, _line(line), _kind(line))
            event.changed = False

    def _place(self, clue: Clue, source: dict[str, Any], *, found_event: bool = True) -> None:
        clue = _shared(clue)
        bag = self.bag(clue)
        if self._members > AT_HAND:
            self._put_away(clue)
        best = self._best(clue, bag)
        if best is not None and best[0] >= self.weights.threshold:
            mean, number, other = best
            event = self._at_hand[number]
            why = weigh(*features(clue, bag, other.clue, other.square, self.crowd(clue)), self.weights)
            against = {"id": other.clue.row, "number": other.clue.number}
            event.merges.append({"id": clue.row, "number": clue.number, "with": against, "score": round(mean, 3), "clues": why})
            self.attached += not found_event
        elif found_event:
            number = self.index.new()
            event = self._at_hand[number] = Event(f"{clue.row}#{clue.number}", [])
        else:
            return
        event.members.append(Member(clue, bag.square, self.index.spool(_line({**source, "square": bag.square}))))
        event.changed = True
        self._members += 1
        self._file(clue, number, len(event.members) - 1)

    def _best(self, clue: Clue, bag: Bag) -> tuple[float, int, Member] | None:
        """The best score with an event, its number and the member that it is most like; None where nothing can be compared.

        The score is the mean of the best pair's and of all pairs', so that one likeness does not chain what else differs.
        """
        best: tuple[float, int, Member] | None = None
        crowd = self.crowd(clue)
        for number in dict.fromkeys(self.nearest(clue, bag)):
            members = self._at_hand[number].members
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
        """Events of near days with an incident that shares most, the most first, of equals the newer; they are at hand."""
        near = [blocks for bucket in _near(clue, self.index.arrived) if (blocks := self._blocks(bucket))]
        shared: dict[int, float] = {}
        for key, weight in self._keys(clue, bag):
            left = BLOCK
            for blocks in near:
                if numbers := blocks.get(key):
                    for number in numbers[-left:]:
                        shared[number] = shared.get(number, 0.0) + weight
                    left -= len(numbers)
                    if left <= 0:
                        break
        return nsmallest(NEAREST, shared, key=lambda number: (-shared[number], -number))

    def crowd(self, clue: Clue) -> int:
        """How many incidents so far are within a day of one; 0 where its day is unknown."""
        day = _day(clue)
        return 0 if day is None else sum(self.index.crowds[day + step] for step in (-1, 0, 1))

    def _file(self, clue: Clue, number: int, nth: int) -> None:
        """Put an incident into its buckets: the `nth` member of an event."""
        day = _day(clue)
        if day is not None:
            self.index.crowds[day] += 1
        for bucket in _buckets(clue, self.index.arrived):
            if number in self._at_hand and not _is_any(bucket):
                self._open[bucket] = self._blocks(bucket)
            self.index.file(bucket, number, nth)
            self._enter(bucket, clue, number)
        self.index.arrived += 1

    def _enter(self, bucket: Bucket, clue: Clue, number: int) -> None:
        blocks = self._open.get(bucket)
        if blocks is not None:
            self._at_hand[number].buckets.add(bucket)
            for key in (*clue.words, *_where(clue)):
                blocks.setdefault(key, []).append(number)

    def _blocks(self, bucket: Bucket) -> Blocks:
        """The blocks of a bucket, its events at hand."""
        blocks = self._open.get(bucket)
        if blocks is None:
            members = list(self.index.members(bucket))
            if not members:
                return {}
            blocks = self._open[bucket] = {}
            for number, nth in members:
                self._enter(bucket, self.event(number).members[nth].clue, number)
        return blocks

    def _put_away(self, clue: Clue) -> None:
        """Close the buckets in which an incident is not looked up, and keep of events in no open one the line alone."""
        for bucket in self._open.keys() - set(_near(clue, self.index.arrived)) - set(_buckets(clue, self.index.arrived)):
            del self._open[bucket]
            for number, _ in self.index.members(bucket):
                event = self._at_hand.get(number)
                if event is None:
                    continue
                event.buckets.discard(bucket)
                if not event.buckets:
                    self._keep(number)
                    del self._at_hand[number]
                    self._members -= len(event.members)

    def _keys(self, clue: Clue, bag: Bag) -> list[tuple[Any, float]]:
        """What an incident is looked up by: its rarest words, those first that another text had too, and its days with its place."""
        rare = [word for word, value in bag.rarity.items() if value >= RARE]  # what a pair has to share
        ranked = sorted(rare, key=lambda word: (self.index.seen(word) < 2, -bag.rarity[word], word))[:KEYS]
        return [(word, bag.rarity[word]) for word in ranked] + [(key, 6.0) for key in _where(clue)]

    def bag(self, clue: Clue) -> Bag:
        """The words of a clue with their rarity as it is now."""
        return Bag.of({word: self.rarity(word) for word in clue.words})

    def rarity(self, word: str) -> float:
        """How rare a word is in the texts so far and in our own passages, in nats: log((texts + 1) / (texts with the word + 0.5))."""
        return log((self.tables.texts + self.index.texts + 1) / (self.index.seen(word) + self.tables.common.get(word, 0) + 0.5))


def link(
    rows: Iterable[Mapping[str, Any]], tables: Tables, *, weights: Weights | None = None, old: Iterable[Mapping[str, Any]] = ()
) -> Linker:
    """Link rows, onto the events of an earlier run where there are any."""
    linker = Linker(tables, weights, old)
    for row in rows:
        linker.add(row)
    return linker


def _days(clue: Clue) -> dict[int, None]:
    """The ordinals of the day of a text and of the days that it tells."""
    own = () if clue.published is None else (ordinal(clue.published),)
    return dict.fromkeys((*own, *(range(clue.span[0], clue.span[1] + 1) if clue.span else ())))


def _buckets(clue: Clue, arrived: int) -> Iterator[Bucket]:
    """Where an incident stands that comes after so many others."""
    yield from _days(clue)
    yield f"any {arrived // TOGETHER}"
    if clue.published is None:
        yield f"undated {arrived // TOGETHER}"


def _near(clue: Clue, arrived: int) -> Iterator[Bucket]:
    """Where those stand that may be one event with an incident, so far as `features` compares them: the nearest days first."""
    days = _days(clue)
    if clue.published is not None:
        own = ordinal(clue.published)
        days = dict.fromkeys((own, *(own + sign * step for step in range(1, APART + 1) for sign in (-1, 1)), *days))
    yield from days
    kind, last = "any" if clue.published is None else "undated", arrived // TOGETHER
    yield from (f"{kind} {last - step}" for step in range(NEWEST) if step <= last)


def _is_any(bucket: Bucket) -> bool:
    return isinstance(bucket, str) and bucket.startswith("any")


def _where(clue: Clue) -> list[tuple[int, str]]:
    """The days of an incident with its place."""
    days = range(clue.span[0], clue.span[1] + 1) if clue.span else ()
    return [(day, place) for day in days for place in dict.fromkeys(place for place in (clue.place, clue.said) if place)]


def _day(clue: Clue) -> int | None:
    return ordinal(clue.published) if clue.published else None if clue.span is None else clue.span[0]


def _source(said: Mapping[str, Any], clue: Clue, passages: Iterable[Passage], incident: dict[str, Any] | None) -> dict[str, Any]:
    plain = {"passages": [passage.to_dict() for passage in passages], "incident": incident, "clue": to_plain(clue)}
    return {"id": said["id"], "number": clue.number, "source": said["source"], "date": said["date"], **plain}


def _shared(clue: Clue) -> Clue:
    """The clue with one object for each word, however many incidents have it."""
    values = {name: getattr(clue, name) for name in Clue.__slots__}
    return Clue(**{**values, "words": tuple(map(sys.intern, clue.words))})


def _line(data: Mapping[str, Any]) -> bytes:
    return dump_row(data).encode() + b"\n"


def _kind(line: Mapping[str, Any]) -> int:
    return SEVERAL * (len(line["sources"]) > 1) + ALONE * (line["start"] is None or line["place"] is None)
