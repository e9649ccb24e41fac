"""`waqia batch`: a JSONL file of any size to a JSONL file of readings, one row each, in order, restartable after any kill.

The output is the only state. A row is written with one call and ends in a line break; on a restart a half-written last row is cut off and
the rows before it must answer, in order, to the first rows of the input, after which the job goes on.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from waqia.errors import ConfigError, RecordError
from waqia.reader import Reader
from waqia.records import dump_row, parse_line
from waqia.schema import Reading

log = logging.getLogger("waqia.bulk.jsonl")

OURS = ("incidents", "types", "windows", "truncated", "label_set", "model", "error")
EVERY = 10.0  # seconds between two lines of progress


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch went: rows written before this start, rows written now, and how many of all carry an error."""

    before: int
    written: int
    errors: int


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the input; `fault` says why it cannot be read."""

    line: int
    fields: dict[str, Any]
    fault: str | None


def run(source: Path, target: Path, reader: Reader) -> Outcome:
    """Read every row of `source` into `target`; ConfigError where `target` holds something else than the beginning of this job."""
    if target.exists() and target.samefile(source):
        raise ConfigError(f"{target}: is the input itself; give another output file")
    rows = _rows(source)
    before, errors, rows = _resume(rows, target, reader.model)
    written = 0
    said = began = time.monotonic()
    with target.open("ab", buffering=0) as out:
        for row, reading in _readings(rows, reader):
            out.write(_line(row, reading))
            written += 1
            if reading.error is not None:
                errors += 1
                log.warning("%s:%d: %s", source, row.line, reading.error)
            if time.monotonic() - said > EVERY:
                said = time.monotonic()
                log.info("%d rows, %.1f a second", before + written, written / (said - began))
    return Outcome(before, written, errors)


def _rows(source: Path) -> Iterator[Row]:
    """Every line that is not blank; a bad one keeps its place and says what is wrong with it."""
    first: dict[str, int] = {}
    with source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = parse_line(line, f"{source}:{number}")
            except RecordError as error:
                yield Row(number, {"id": f"line {number}"}, str(error))
                continue
            yield Row(number, *_check(row, number, first))


def _check(row: Any, number: int, first: dict[str, int]) -> tuple[dict[str, Any], str | None]:
    if not isinstance(row, dict):
        return {"id": f"line {number}"}, f"found {type(row).__name__}, expected an object with id and text"
    if not isinstance(row.get("id"), str) or not row["id"]:
        return {**row, "id": f"line {number}"}, f"id is {row.get('id')!r}, expected text that is not empty"
    if row["id"] in first:
        return row, f"id {row['id']!r} stands already in line {first[row['id']]}; ids must be unique in a file"
    first[row["id"]] = number
    if not isinstance(row.get("text"), str):
        return row, f"text is {row.get('text')!r}, expected text"
    return row, None


def _readings(rows: Iterator[Row], reader: Reader) -> Iterator[tuple[Row, Reading]]:
    waiting: list[Row] = []

    def texts() -> Iterator[str]:
        for row in rows:
            waiting.append(row)
            yield "" if row.fault else row.fields["text"]

    for reading in reader.read_many(texts()):
        row = waiting.pop(0)
        yield row, Reading(label_set=reading.label_set, model=reading.model, error=row.fault) if row.fault else reading


def _line(row: Row, reading: Reading) -> bytes:
    return (dump_row({**_carried(row.fields), **reading.to_dict()}) + "\n").encode()


def _carried(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in OURS}


def _resume(rows: Iterator[Row], target: Path, model: str) -> tuple[int, int, Iterator[Row]]:
    """How many rows `target` has already, how many of them carry an error, and the rows still to be read.

    A half-written last row is cut off, but only where it is proved to be the beginning of ours: nothing foreign is ever touched.
    """
    if not target.exists():
        return 0, 0, rows
    count = errors = whole = 0
    with target.open("rb") as out:
        for line in out:
            if not line.endswith(b"\n"):
                break
            written = _prove(line, next(rows, None), model, f"{target}:{count + 1}")
            count, errors, whole = count + 1, errors + (written["error"] is not None), whole + len(line)
        else:
            line = b""
    if line:
        begun = next(rows, None)
        rows = chain([_prove_begun(line, begun, f"{target}:{count + 1}")], rows)
        os.truncate(target, whole)
    if count:
        log.info("%s has %d rows already; going on", target, count)
    return count, errors, rows


def _prove(line: bytes, row: Row | None, model: str, where: str) -> dict[str, Any]:
    """The row as written; ConfigError unless it answers to this row of the input and was read by this model."""
    try:
        written = json.loads(line)
    except ValueError:
        written = None
    good = isinstance(written, dict) and "error" in written
    if not good or row is None or _carried(written) != _carried(row.fields) or written.get("model") != model:
        raise ConfigError(_foreign(where, line, row, model))
    return dict(written)


def _prove_begun(line: bytes, row: Row | None, where: str) -> Row:
    """The row again; ConfigError unless the last line, which has no end, is the beginning of it."""
    ours = b"" if row is None else dump_row(_carried(row.fields))[:-1].encode()
    if row is None or not (ours.startswith(line) or line.startswith(ours)):
        raise ConfigError(_foreign(where, line, row, ""))
    return row


def _foreign(where: str, line: bytes, row: Row | None, model: str) -> str:
    wanted = "nothing more" if row is None else f"the row {row.fields['id']!r} as {model or 'this model'} reads it"
    found = line[:60].decode("utf-8", "replace").rstrip()
    return f"{where}: {found}… is not of this job (expected {wanted}); give another output file or remove it"
