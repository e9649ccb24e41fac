"""What linking knows of events that are not at hand: where each line is, which incidents are of which day, words and ids seen.

Kept beside an events.jsonl (EVENTS.index, SQLite), it lets a new day join without the earlier days being read again. It holds for one
state of that file, told by its size and time of change; each line has a checksum. Where it is missing or does not fit, the events are read.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import weakref
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from waqia.errors import RecordError

Bucket = int | str  # the ordinal of a day, else the name of a thousand incidents one after the other
FORMAT = 1  # to be raised when words of passages are made in another way
TABLES = """
create table ids (id blob primary key, run integer) without rowid;
create table words (word blob primary key, texts integer) without rowid;
create table filed (bucket primary key, members blob);
create table state (name text primary key, value blob);
"""


class Index:
    """Lines of events by number, the incidents of each bucket, counts of words and ids; `events` is the file linked onto, if any."""

    def __init__(self, events: Path | None = None) -> None:
        self.texts = self.arrived = 0  # texts whose words were counted, incidents filed
        self.filed: dict[Bucket, array[int]] = {}  # event and place among its members, for each incident in the order of their coming
        self.crowds = Counter[int]()  # incidents of each day
        self.kinds = bytearray()  # of each event, as its line was written: SEVERAL and ALONE
        self._starts, self._checks = array("q"), array("I")  # where lines begin: in the file linked onto, else ~ in the spool
        self._spool, self._end = tempfile.TemporaryFile(prefix="waqia-link-"), 0  # noqa: SIM115  # closed with the index
        self._events, self._path = None if events is None else events.open("rb"), events
        self._words, self._run = dict[str, int](), 1
        self._db = sqlite3.connect("", isolation_level=None)  # in a temporary file
        weakref.finalize(self, _closed, self._spool, self._events, self._db)
        self._db.execute("pragma synchronous = off")

    @classmethod
    def empty(cls) -> Index:
        """That of no events."""
        index = cls()
        index._db.executescript(TABLES)
        index._db.execute("begin")
        return index

    @classmethod
    def beside(cls, events: Path) -> Index | None:
        """That of an events file; None where there is none or it is of another state of the file."""
        place = _place(events)
        if not (events.is_file() and place.is_file()):
            return None
        try:
            with closing(sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True)) as kept:
                state = dict(kept.execute("select name, value from state"))
                if state.get("of") != _state_of(events):
                    return None
                index = cls(events)
                kept.backup(index._db)
        except (sqlite3.Error, OSError):
            return None
        index._load(state)
        return index

    def _load(self, state: Mapping[str, Any]) -> None:
        self.texts, self.arrived, self._run = state["texts"], state["arrived"], state["run"] + 1
        self.kinds = bytearray(state["kinds"])
        self._starts.frombytes(state["starts"])
        self._checks.frombytes(state["checks"])
        self.crowds = Counter({int(day): count for day, count in json.loads(state["crowds"]).items()})
        for bucket, members in self._db.execute("select bucket, members from filed"):
            self.filed[bucket] = array("I", members)
        self._db.execute("begin")

    def save(self, events: Path, target: Path) -> None:
        """Keep it beside `target`, where `events`, whole by now, will stand; before that it fits no file there."""
        blobs = {"kinds": bytes(self.kinds), "starts": self._starts.tobytes(), "checks": self._checks.tobytes()}
        plain = {"texts": self.texts, "arrived": self.arrived, "run": self._run, "crowds": json.dumps(self.crowds)}
        state = {**plain, **blobs, "of": _state_of(events)}
        filed = ((bucket, members.tobytes()) for bucket, members in self.filed.items())
        for table, rows in (
            ("words", ((_plain(word), count) for word, count in self._words.items())),
            ("state", state.items()),
            ("filed", filed),
        ):
            self._db.executemany(f"insert or replace into {table} values (?, ?)", rows)
        self._db.execute("commit")
        place = _place(target)
        part = place.with_name(f"{place.name}.part")
        part.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(part)) as kept:
                self._db.backup(kept)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._starts)

    def new(self) -> int:
        """The number of one event more, which has no line yet."""
        self._starts.append(0)
        self._checks.append(0)
        self.kinds.append(0)
        return len(self._starts) - 1

    def put(self, number: int, line: bytes, kind: int) -> None:
        """Keep the line of an event."""
        self._starts[number], self._checks[number], self.kinds[number] = ~self.spool(line), crc32(line), kind

    def line(self, number: int) -> bytes:
        """The line of an event as it was put or stands in the file linked onto; RecordError where that is not what was written."""
        start = self._starts[number]
        if start < 0:
            return self.spooled(~start)
        assert self._events is not None
        self._events.seek(start)
        line = self._events.readline()
        if crc32(line) != self._checks[number]:
            raise RecordError(
                f"{self._path}:{number + 1}: not the line that was written; to link onto it as it is, remove {_place(self._path)}"
            )
        return line

    def moved(self, number: int, start: int, line: bytes) -> None:
        """The line of an event stands at `start` of the file that is written."""
        self._starts[number], self._checks[number] = start, crc32(line)

    def spool(self, line: bytes) -> int:
        """Keep a line in the temporary file; where it begins."""
        self._spool.seek(self._end)
        self._spool.write(line)
        start, self._end = self._end, self._end + len(line)
        return start

    def spooled(self, start: int) -> bytes:
        """The line that was kept there."""
        self._spool.seek(start)
        return self._spool.readline()

    def is_new(self, name: str) -> bool:
        """Whether a row was not among those of earlier runs; RecordError where it was among those of this one."""
        known = self._db.execute("select run from ids where id = ?", (_plain(name),)).fetchone()
        if known is not None and known[0] == self._run:
            raise RecordError(f"id {name!r} stands on two rows; expected one row an id; make ids unique and run again")
        self.know(name, self._run)
        return known is None

    def know(self, name: str, run: int = 0) -> None:
        """Take a row for one of a run."""
        self._db.execute("insert or replace into ids values (?, ?)", (_plain(name), run))

    def knows(self, name: str) -> bool:
        """Whether a row is known."""
        return self._db.execute("select 1 from ids where id = ?", (_plain(name),)).fetchone() is not None

    def forget(self, name: str) -> None:
        """Take a row for one never seen."""
        self._db.execute("delete from ids where id = ?", (_plain(name),))

    def seen(self, word: str) -> int:
        """How many texts had the word."""
        count = self._words.get(word)
        if count is None:
            known = None if self._events is None else self._db.execute("select texts from words where word = ?", (_plain(word),)).fetchone()
            count = self._words[word] = known[0] if known else 0
        return count

    def count(self, words: set[str]) -> None:
        """Count the words of one text more."""
        self.texts += 1
        for word in words:
            self._words[word] = self.seen(word) + 1

    def file(self, bucket: Bucket, number: int, nth: int) -> None:
        """Put an incident into a bucket: the `nth` member of an event."""
        self.filed.setdefault(bucket, array("I")).extend((number, nth))

    def members(self, bucket: Bucket) -> Iterator[tuple[int, int]]:
        """Event and place among its members of each incident in a bucket, in the order of their coming."""
        pairs = iter(self.filed.get(bucket, ()))
        return zip(pairs, pairs, strict=True)


def _state_of(events: Path) -> str:
    """What tells one state of a file from others."""
    now = os.stat(events)
    return f"{FORMAT} {now.st_size} {now.st_mtime_ns}"


def _place(events: Path | None) -> Path:
    return Path(f"{events}.index")


def _plain(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # SQLite's text holds no lone surrogate


def _closed(*files: IO[bytes] | sqlite3.Connection | None) -> None:
    for file in files:
        with suppress(OSError):  # what a full disk did not take nobody needs any more
            if file is not None:
                file.close()
