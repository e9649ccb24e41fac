"""`waqia batch`: a JSONL file of any size to a JSONL file of readings, one row each, in order, restartable after any kill.

A row of the output begins with the very bytes of its row of the input; fields named like ours stand under "input". It is written whole or
not at all. On a restart each row of the output must prove itself: it begins as its row of the input does, and what follows is a reading
by this very reader whose spans hold. Rows whose input changed are read again, the others are kept. What is no regular file (a pipe,
/dev/stdout, `-`) is written as a stream, without a restart.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from waqia.bulk import job
from waqia.bulk.progress import Progress
from waqia.bulk.workers import ReadMany, Said, opened
from waqia.errors import ConfigError, RecordError
from waqia.reader import Reader
from waqia.records import dump_row, parse_line
from waqia.schema import Reading

log = logging.getLogger("waqia.bulk.jsonl")

OURS = frozenset(Reading().to_dict())
KEPT = "input"  # where fields of the input named like ours, or like this, are kept
LONGEST = 256 << 20  # bytes of a line; what is longer becomes an error, not memory
_FD = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,4})")
_OF_READER = re.compile(r"\w+: ")  # how an error of the reader begins; what is wrong with a row begins with «file:line: »
_CONTROL = re.compile("[\x7f-\x9f]")  # the control characters that JSON may hold as they are


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch went: rows kept from before this start, rows read by it, and how many of all carry an error."""

    before: int
    written: int
    errors: int


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the input; `head` is how its row of the output begins, up to our fields, `fault` says why it cannot be read."""

    line: int
    end: int  # bytes of the input up to here
    id: str  # as JSON
    head: bytes
    text: str
    fault: str | None
    date: Any = None

    def tail(self, reading: str) -> bytes:
        """The rest of its row of the output, from its reading as JSON."""
        return f", {reading[1:]}\n".encode()


def run(source: str | Path, target: str | Path, reader: Reader, *, workers: int = 1, terminal: TextIO | None = None) -> Outcome:
    """Read every row of `source` into `target`; "-" is standard input or output. Progress is drawn on `terminal`, else logged.

    More `workers` than one are processes of this machine with a copy of the reader each; they write the same bytes, and the number may
    change when the job is started again. ConfigError where `target` holds something else than what an earlier start of this job wrote, or
    is being written by another process. OSError, with the name of the file, where one cannot be read or written; a row is written whole or
    not at all.
    """
    with _opened(source) as lines, opened(reader, workers) as many:
        if is_stream(target):
            with stream(target) as out:
                readings = _readings(_rows(lines, _name(source)), reader, many)
                return _write(readings, out, target, Outcome(0, 0, 0), _progress(lines, terminal))
        place = Path(target).resolve()
        if place.exists() and os.path.samestat(place.stat(), os.fstat(lines.fileno())):
            raise ConfigError(f"{target}: is the input itself; give another output file")
        if place.is_dir():
            raise ConfigError(f"{target}: is a folder; give an output file, or --ray for a folder of Parquet")
        with job.locked(place, place.with_name(f"{place.name}.lock")):
            return _go_on(lines, source, place, reader, many, terminal)


def _go_on(lines: BinaryIO, source: str | Path, target: Path, reader: Reader, many: ReadMany, terminal: TextIO | None) -> Outcome:
    beside = target.with_name(f"{target.name}.job.json")
    before, name = job.known(beside), "-" if str(source) == "-" else str(Path(source).resolve())
    if not target.exists() or not target.stat().st_size:
        before = None
    elif before is None:
        raise ConfigError(f"{target}: is not of this job: no {beside.name} says who wrote it; give another output file or remove it")
    else:
        job.same_reader(target, before["reader"], reader.identity)
    if before is None:
        job.remember(beside, name, reader.identity)
    try:
        kept, rows = _resume(_rows(lines, _name(source)), target, reader)
    except _ChangedError as changed:
        if before is None or before["input"] != name or not lines.seekable():
            raise ConfigError(f"{target}:{changed}; give another output file or remove it") from changed
        again = _mend(lines, source, target, reader, many)
        lines.seek(0)
        kept, rows = _resume(_rows(lines, _name(source)), target, reader)
        kept = Outcome(kept.before - again, again, kept.errors)
    with target.open("ab", buffering=0) as out:
        return _write(_readings(rows, reader, many), out, target, kept, _progress(lines, terminal))


def _write(readings: Iterator[tuple[Row, Said]], out: BinaryIO, target: str | Path, kept: Outcome, progress: Progress) -> Outcome:
    written = errors = 0
    before, shown = kept.before + kept.written, out.isatty()
    try:
        for row, reading in readings:
            line = row.head + row.tail(reading.json)
            _put(out, escape_controls(line.decode()).encode() if shown else line, target)
            written += 1
            if reading.error is not None:
                errors += 1
                log.warning("%s", row.fault or f"line {row.line}: {reading.error}")
            progress(before + written, row.end)
    finally:
        progress.close()
    return Outcome(kept.before, kept.written + written, kept.errors + errors)


def escape_controls(line: str) -> str:
    """The same JSON without the control characters that it may hold as they are, for a terminal."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _readings(rows: Iterable[Row], reader: Reader, many: ReadMany) -> Iterator[tuple[Row, Said]]:
    waiting: deque[Row] = deque()

    label_set = f"{reader.labels.name}/{reader.labels.version}"

    def texts() -> Iterator[tuple[str, Any]]:
        for row in rows:
            waiting.append(row)
            yield row.text, row.date

    for said in many(texts()):
        row = waiting.popleft()
        yield row, Said.of(Reading(label_set=label_set, model=reader.model, error=row.fault)) if row.fault else said


def _put(out: BinaryIO, line: bytes, target: str | Path) -> None:
    """Write all of a row, or raise and leave none of it (in a stream what has gone is gone)."""
    start = out.seek(0, os.SEEK_END) if out.seekable() else None
    try:
        write_all(out, line)
    except OSError as error:
        if start is not None and out.seek(0, os.SEEK_END) > start:
            os.ftruncate(out.fileno(), start)
        error.filename = str(target)
        raise


def write_all(out: BinaryIO, data: bytes) -> None:
    """Write all of it to a file without a buffer, which may take a part at a time: a full disk takes some first and refuses the next."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) or 0 :]


# --- rows of the input


def _rows(lines: BinaryIO, name: str) -> Iterator[Row]:
    """Every line that is not blank; a bad one keeps its place and says what is wrong with it."""
    first: dict[str, int] = {}
    number = end = 0
    while line := lines.readline(LONGEST):
        number, end = number + 1, end + len(line)
        where, rest = f"{name}:{number}", line
        while len(rest) == LONGEST and not rest.endswith(b"\n"):
            rest = lines.readline(LONGEST)
            end += len(rest)
        if rest is not line:
            yield _faulty(number, end, f"{where}: the line has more than {LONGEST >> 20} MiB; cut it into several rows")
        elif line.strip():
            yield _row(line, number, end, where, first)


def _row(line: bytes, number: int, end: int, where: str, first: dict[str, int]) -> Row:
    try:
        fields = parse_line(line, where)
        pairs = pairs_of(line) if isinstance(fields, dict) else {}
    except (ValueError, RecursionError, MemoryError) as error:  # one row must never stop the job
        return _faulty(number, end, str(error) if isinstance(error, RecordError) else f"{where}: cannot be parsed ({error})")
    if not isinstance(fields, dict):
        return _faulty(number, end, f"{where}: found {type(fields).__name__}, expected an object with id and text")
    identifier = fields.get("id")
    if not isinstance(identifier, (str, int, float)) or identifier == "":
        return _faulty(number, end, f"{where}: id is {_short(identifier)}, expected text that is not empty, or a number", pairs)
    said = json.dumps(identifier)
    head, text = _head(pairs), fields.get("text")
    if said in first:
        fault = f"{where}: id {_short(identifier)} stands already in line {first[said]}; ids must be unique in a file"
        return Row(number, end, said, head, "", fault)
    first[said] = number
    if not isinstance(text, str):
        return Row(number, end, said, head, "", f"{where}: text is {_short(text)}, expected text")
    return Row(number, end, said, head, text, None, fields.get("date"))


def _faulty(number: int, end: int, fault: str, pairs: Mapping[str, str] | None = None) -> Row:
    own = {"id": json.dumps(f"line {number}")}
    if pairs:
        own[KEPT] = written_object(pairs)
    return Row(number, end, own["id"], written_object(own)[:-1].encode(), "", fault)


def _head(pairs: Mapping[str, str]) -> bytes:
    """The fields of the input as they are written there; those named like ours under "input", so that none is lost or taken for ours."""
    alike = {key: said for key, said in pairs.items() if key in OURS or key == KEPT}
    own = {key: said for key, said in pairs.items() if key not in alike}
    return written_object({**own, KEPT: written_object(alike)} if alike else own)[:-1].encode()


def written_object(pairs: Mapping[str, str]) -> str:
    """A JSON object of fields whose values are written as they are."""
    return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=_lone(key))}: {said}" for key, said in pairs.items()) + "}"


def _lone(key: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in key)


_DECODER = json.JSONDecoder()


def pairs_of(line: bytes) -> dict[str, str]:
    """The fields of a JSON object, each value as it is written in the line: parsing and writing again would change numbers."""
    text = line.decode("utf-8-sig")
    pairs: dict[str, str] = {}
    place = _skip(text, text.index("{") + 1)
    while text[place] != "}":
        key, place = _DECODER.raw_decode(text, place)
        begin = _skip(text, _skip(text, place) + 1)  # past the colon
        _, place = _DECODER.raw_decode(text, begin)
        said = text[begin:place]
        pairs[key] = said if said[0] == '"' else said.replace("\r", " ")  # white space there; other programs end a line at it
        place = _skip(text, place)
        place = _skip(text, place + 1) if text[place] == "," else place
    return pairs


def _skip(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:80]}…"


# --- rows of the output


class _ChangedError(Exception):
    """The output does not go on as the input does."""


def _resume(rows: Iterator[Row], target: Path, reader: Reader) -> tuple[Outcome, Iterator[Row]]:
    """How many rows `target` has already, and the rows still to be read; a last row that was cut off is removed, once it is proved ours."""
    if not target.exists():
        return Outcome(0, 0, 0), rows
    count = errors = whole = 0
    with target.open("rb") as out:
        for line in out:
            row = next(rows, None)
            if not line.endswith(b"\n"):
                begun = line.rstrip(b"\0")  # what a power cut may leave
                if row is None or not (row.head.startswith(begun) or begun.startswith(row.head)):
                    raise _ChangedError(_foreign(count, line, row))
                rows = chain([row], rows)
                os.truncate(target, whole)
                break
            reading = None if row is None else _proved(line, row, reader)
            if reading is None:
                raise _ChangedError(_foreign(count, line, row))
            count, errors, whole = count + 1, errors + (reading.error is not None), whole + len(line)
    if count:
        log.info("%s has %d rows already; going on", target, count)
    return Outcome(count, 0, errors), rows


def _proved(line: bytes, row: Row, reader: Reader) -> Reading | None:
    """The reading that a row of the output holds; None unless it is whole, of this row of the input, and by this reader."""
    rest = line[len(row.head) :]
    if not (line.startswith(row.head) and rest.startswith(b", ")):
        return None
    try:
        reading = Reading.from_dict(json.loads(b"{" + rest[2:]))
        for incident in reading.incidents:
            for span in (incident.trigger, *(incident.mentions or ()), *incident.participants):
                span.check(row.text, "")
            for participant in incident.participants:
                for span in participant.mentions:
                    span.check(row.text, "")
    except (ValueError, TypeError, RecursionError):
        return None
    label_set = f"{reader.labels.name}/{reader.labels.version}"
    if reading.model != reader.model or reading.label_set != label_set or row.tail(dump_row(reading.to_dict())) != rest:
        return None
    stale = row.fault is None and reading.error is not None and not _OF_READER.match(reading.error)  # its row was wrong before
    return None if stale or (row.fault and reading.error != row.fault) else reading


def _foreign(count: int, line: bytes, row: Row | None) -> str:
    found = line[:60].decode("utf-8", "replace").rstrip()
    wanted = "nothing more" if row is None else f"line {row.line} of the input, id {row.id}, as this reader reads it"
    return f"{count + 1}: {found}… is not of this job (expected {wanted})"


def _mend(lines: BinaryIO, source: str | Path, target: Path, reader: Reader, many: ReadMany) -> int:
    """Write the output anew where its input changed: proved rows as they are, changed ones read; how many were read.

    ConfigError, and nothing touched, where that would lose a reading whose id the input no longer has. It ends with the last row
    that can be kept, and replaces the output whole: a kill before that reads these changed rows again.
    """
    kept, last = _keep(lines, source, target, reader)
    log.info("%s: the input has changed; %d rows are kept, the others are read again", target, len(kept))
    lines.seek(0)
    rows = (row for row in _rows(lines, _name(source)) if row.line <= last)
    blank = (replace(row, text="") if row.line in kept else row for row in rows)
    partial, again = target.with_name(f"{target.name}.part"), 0
    with target.open("rb") as old, partial.open("wb", buffering=0) as out:
        for row, reading in _readings(blank, reader, many):
            if row.line in kept:
                old.seek(kept[row.line])
                _put(out, old.readline(), partial)
            else:
                _put(out, row.head + row.tail(reading.json), partial)
                again += 1
        os.fsync(out.fileno())
    partial.replace(target)
    return again


def _keep(lines: BinaryIO, source: str | Path, target: Path, reader: Reader) -> tuple[dict[int, int], int]:
    """Line of the input -> place of its proved row in the output, and the last such line; ConfigError where a reading would be lost."""
    places: dict[str, list[int]] = defaultdict(list)
    read: dict[str, int] = {}  # ids that have a reading -> their row
    with target.open("rb") as out:
        place = 0
        for count, line in enumerate(out, 1):
            identifier, good = _id_of(line)
            places[identifier].append(place)
            if good:
                read[identifier] = count
            place += len(line)
        kept: dict[int, int] = {}
        lines.seek(0)
        for row in _rows(lines, _name(source)):
            read.pop(row.id, None)
            for place in places.get(row.id, ()):
                out.seek(place)
                if _proved(out.readline(), row, reader) is not None:
                    kept[row.line] = place
                    places[row.id].remove(place)
                    break
    if read:
        identifier, count = next(iter(read.items()))
        lost = f"holds a reading of id {identifier}, which is not in {source}"
        raise ConfigError(f"{target}:{count}: is not of this job: {lost}; give another output file or remove it")
    return kept, max(kept, default=0)


def _id_of(line: bytes) -> tuple[str, bool]:
    """The id of a row of the output, as JSON, and whether it holds a reading; what cannot be parsed has none to lose."""
    try:
        row = json.loads(line)
        return json.dumps(row["id"]), row["error"] is None
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", False


# --- files and streams


def _name(source: str | Path) -> str:
    return Path(source).name


@contextmanager
def _opened(source: str | Path) -> Iterator[BinaryIO]:
    if str(source) == "-":
        if sys.stdin is None:
            raise ConfigError("-: standard input is closed; give a file, or send rows to it")
        yield sys.stdin.buffer
        return
    with open(source, "rb") as lines:
        yield lines


def is_stream(target: str | Path) -> bool:
    """Whether an output is no regular file and no folder: a pipe, a device, `-`."""
    name = str(target)
    if _descriptor(name) is not None:
        return True
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


def _descriptor(name: str) -> int | None:
    """The file descriptor that a name stands for, or None: «-», /dev/stdout, /dev/fd/3."""
    named = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}.get(name)
    match = _FD.fullmatch(name)
    return int(match[1]) if match else named


@contextmanager
def stream(target: str | Path) -> Iterator[BinaryIO]:
    """Such an output, opened."""
    number = _descriptor(str(target))
    if number == 1 and sys.stdout is None:
        raise ConfigError(f"{target}: standard output is closed; give a file")
    with open(target if number is None else os.dup(number), "wb", buffering=0) as out:
        yield out


def _progress(lines: BinaryIO, terminal: TextIO | None) -> Progress:
    status = os.fstat(lines.fileno())
    return Progress(status.st_size if stat.S_ISREG(status.st_mode) else 0, terminal)
