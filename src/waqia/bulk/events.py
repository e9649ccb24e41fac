"""The lines of JSONL that `waqia link` reads and writes, proved when they are read: what follows may trust them."""

from __future__ import annotations

import datetime
import shutil
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from waqia.bulk.clues import Clue
from waqia.bulk.jsonl import is_stream
from waqia.errors import RecordError
from waqia.records import parse_line

Shape = Any  # a type, (one, or other) shapes, [items], {fields, "name?" where it may be missing}, a function that says what was expected


class Only(dict[str, Shape]):
    """An object that has no other fields."""


def day(value: Any) -> str | None:
    """What was expected of a day; None where it is one."""
    try:
        datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        return '"YYYY-MM-DD"'
    return None


NONE = type(None)
NUMBER, WHOLE, TEXT, DAY = (int, float), (int, NONE), (str, NONE), (day, NONE)
SPAN = {"start": int, "end": int, "text": str}
SPANS = ([SPAN], NONE)
PARTICIPANT = {"role": str, "sector": TEXT, **SPAN, "mentions?": SPANS}
_WHERE = {"name": str, "name_ar": TEXT, "kind": str, "country": str, "admin": TEXT, "exact": bool, "inferred": bool}
WHERE = (_WHERE, NONE)
FACTS = (
    {
        "date?": ({"start": day, "end": day, "time_precision": int, "span?": SPAN}, NONE),
        "counts?": {"*": {"span": SPAN}},
        "places?": [{**_WHERE, "latitude": NUMBER, "longitude": NUMBER, "span": SPAN}],
        "actors?": [{"role": str, "id": str, "name_en": str, "name_ar": str, "country": TEXT, "span": SPAN}],
    },
    NONE,
)
_INCIDENT = {"type": str, "trigger": SPAN, "participants?": [{"role": str, "sector?": TEXT, **SPAN}], "facts?": FACTS}
ROW = {
    "text": TEXT,
    "incidents": [{**_INCIDENT, "killed?": WHOLE, "injured?": WHOLE}],
}  # of a row of `waqia batch` what `Reading.from_dict` does not prove
INCIDENT = {"type": str, "status": str, "trigger": SPAN, "mentions?": SPANS, "participants": [PARTICIPANT], "facts?": FACTS}
COUNTED = {**INCIDENT, "killed?": WHOLE, "injured?": WHOLE}
_TOLD_AGAIN = ("row", "at", "actors", "days", "weekdays", "words")
_PLAIN_CLUE = {f"{name}?": TEXT for name in Clue.__slots__ if name not in _TOLD_AGAIN}
_DAYS = {"published?": DAY, "start?": DAY, "end?": DAY}
_COUNTS = dict.fromkeys(("number?", "killed?", "injured?"), WHOLE)
CLUE = Only({**_PLAIN_CLUE, **_COUNTS, **_DAYS, "row": str, "at?": [NUMBER], "actors?": [str]})
PASSAGE = Only({"start": int, "text": str})
SOURCE = {
    "id": str,
    "number": WHOLE,
    "source": TEXT,
    "date": TEXT,
    "passages": [PASSAGE],
    "incident": (COUNTED, NONE),
    "clue": CLUE,
    "square?": NUMBER,
}
BOUNDS = ({"min": int, "max": int}, NONE)
ACTOR = {"role": str, "id": TEXT, "name": str, "name_ar": TEXT, "sector": TEXT, "country": TEXT}
MERGE = {"id": str, "number": WHOLE, "score": NUMBER, "clues": {"*": NUMBER}}
AT = ({"latitude": NUMBER, "longitude": NUMBER}, NONE)
EVENT = {
    **{"id": str, "type": str, "start": DAY, "end": DAY, "time_precision": WHOLE, "place": TEXT, "at": AT, "where": WHERE},
    **{"killed": BOUNDS, "injured": BOUNDS, "actors": [ACTOR], "told_by": dict, "sources": [SOURCE], "merges": [MERGE]},
}


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each object of a JSONL file stands, and itself; RecordError names file and line of what is none, or has no id."""
    with path.open("rb") as lines:
        yield from _objects(lines, path)


def _objects(lines: IO[bytes], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(iter(lines.readline, b""), 1):
        where = f"{path}:{number}"
        data = parse_line(line, where)
        if not isinstance(data, dict) or not isinstance(data.get("id"), (str, int, float)):
            raise RecordError(f"{where}: no object with an id; expected one object a line")
        yield where, data


def read_by_day(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file in the order of their `date`, one without behind the one before it; RecordError as of `read_lines`."""
    with tempfile.TemporaryFile(prefix="waqia-rows-") if is_stream(path) else path.open("rb") as rows:
        if is_stream(path):
            with path.open("rb") as given:
                shutil.copyfileobj(given, rows)
        rows.seek(0)
        starts, days, start, day = array("Q"), list[str](), 0, ""
        for _, row in _objects(rows, path):
            day = sys.intern(str(row.get("date") or day)[:10])
            starts.append(start)
            days.append(day)
            start = rows.tell()
        for number in sorted(range(len(days)), key=days.__getitem__):
            rows.seek(starts[number])
            yield parse_line(rows.readline(), f"{path}:{number + 1}")


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of an events.jsonl; RecordError where one is no event as `waqia link` writes it."""
    for where, line in read_lines(path):
        wrong = fault(line, EVENT)
        if wrong or not line["sources"]:
            raise RecordError(f"{where}: no event: {wrong or 'no sources'}; make the file again: waqia link READ EVENTS")
        yield line


def fault(value: Any, shape: Shape, name: str = "") -> str | None:
    """The first thing in which a value has not a shape, for people to read; None where it has it."""
    if isinstance(shape, tuple):
        wrongs = [fault(value, one, name) for one in shape]
        return None if None in wrongs else wrongs[0]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _said(name, value, "a list")
        return next((wrong for n, one in enumerate(value) if (wrong := fault(one, shape[0], f"{name}[{n}]"))), None)
    if isinstance(shape, Mapping):
        return _fields(value, shape, name)
    if isinstance(shape, type):
        kinds = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object", NONE: "null"}
        right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        return None if right else _said(name, value, kinds[shape])
    expected: Callable[[Any], str | None] = shape
    wanted = expected(value)
    return None if wanted is None else _said(name, value, wanted)


def _fields(value: Any, shape: Mapping[str, Shape], name: str) -> str | None:
    if not isinstance(value, dict):
        return _said(name, value, "an object")
    every = dict.fromkeys(value, shape["*"]) if "*" in shape else shape
    for key, inner in every.items():
        field = key.removesuffix("?")
        if field not in value and not key.endswith("?"):
            return f"{name or 'it'} has no {field}"
        if field in value and (wrong := fault(value[field], inner, f"{name}.{field}".lstrip("."))):
            return wrong
    known = {key.removesuffix("?") for key in every}
    others = sorted(set(value) - known) if isinstance(shape, Only) else []
    return f"{name} has an unknown {others[0]!r}" if others else None


def _said(name: str, value: Any, expected: str) -> str:
    return f"{name or 'it'} is {value!r:.60}, expected {expected}"
