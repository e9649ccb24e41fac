"""`waqia batch`: a JSONL file of any size to a JSONL file of readings, one row each, in order, restartable after any kill.

The output is the only state. A row is written with one call and ends in a line break; on a restart a half-written last row is cut off and
the rows before it must answer, in order, to the first rows of the input, after which the job goes on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waqia.errors import ConfigError, RecordError
from waqia.reader import Reader
from waqia.schema import Reading, dump_row, parse_line

log = logging.getLogger("waqia.batch")

OURS = ("incidents", "types", "windows", "truncated", "label_set", "model", "error")
EVERY = 10.0  # seconds between two lines of progress


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch went: rows written before this start, rows written now, and how many of these carry an error."""

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
    before = _resume(source, target, reader.model)
    rows = _rows(source)
    for _ in range(before):
        next(rows)
    written = errors = 0
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
    carried = {key: value for key, value in row.fields.items() if key not in OURS}
    return (dump_row({**carried, **reading.to_dict()}) + "\n").encode()


def _resume(source: Path, target: Path, model: str) -> int:
    """How many rows `target` has already, of this input and model; a half-written last one is cut off."""
    if not target.exists():
        return 0
    with target.open("r+b") as out:
        whole = ids = 0
        rows = _rows(source)
        for line in out:
            if not line.endswith(b"\n"):
                out.truncate(whole)
                break
            _prove(line, next(rows, None), model, f"{target}:{ids + 1}")
            whole += len(line)
            ids += 1
    if ids:
        log.info("%s has %d rows already; going on", target, ids)
    return ids


def _prove(line: bytes, row: Row | None, model: str, where: str) -> None:
    """Raise ConfigError unless a row of the output answers to a row of the input."""
    wanted = None if row is None else {"id": row.fields["id"], "model": model}
    try:
        written = json.loads(line)
        found = {key: written.get(key) for key in ("id", "model")}
    except (ValueError, AttributeError):
        found = None
    if wanted is None or found != wanted:
        raise ConfigError(f"{where}: {found} is not of this job (expected {wanted}); give another output file or remove it")
