"""Reading past one machine: Ray Data over Parquet or JSONL with the same reader (pip install 'waqia[ray]').

    waqia.bulk.ray.run("/shared/news", "/shared/incidents", Reader.load(threads=1), workers=64)

The output folder is the only state: a killed job goes on when it is started again, by the rules of `waqia.bulk.parts`. A worker that
dies is replaced and its rows are read by another. A row that cannot be read comes out with its `error` and stops no other.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from pyarrow import fs

from waqia.bulk import parts
from waqia.bulk.job import locked, same_reader
from waqia.bulk.jsonl import Outcome
from waqia.bulk.parts import DATE, DIGEST, FAULT, KEY, PLACE, PROOF, Index, Part, Places, Settled, python
from waqia.errors import ConfigError
from waqia.reader import Reader
from waqia.records import dump_row
from waqia.schema import Reading

ROWS = 256  # rows that a worker takes at once

SPAN: list[Any] = [("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())]
MENTIONS = ("mentions", pa.list_(pa.struct(SPAN)))
PARTICIPANT = pa.struct([("role", pa.string()), ("sector", pa.string()), ("score", pa.float64()), *SPAN, MENTIONS])
INCIDENT = pa.struct(
    [
        ("type", pa.string()),
        ("status", pa.string()),
        ("score", pa.float64()),
        ("trigger", pa.struct(SPAN)),
        MENTIONS,
        ("date", pa.string()),
        ("killed", pa.int64()),
        ("injured", pa.int64()),
        ("facts", pa.string()),  # JSON, since what it holds differs from incident to incident
        ("participants", pa.list_(PARTICIPANT)),
    ]
)
READING = pa.schema(
    [
        ("incidents", pa.list_(INCIDENT)),
        ("types", pa.map_(pa.string(), pa.float64())),
        ("windows", pa.int64()),
        ("screened", pa.int64()),
        ("truncated", pa.bool_()),
        ("label_set", pa.string()),
        ("model", pa.string()),
        ("error", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Todo:
    """What every worker has to know: the places of rows that are done, of rows whose id stands already, and where it does."""

    done: Places  # sorted
    repeated: Places  # sorted
    firsts: Places
    paths: list[str]


def run(source: str | Path, target: str | Path, reader: Reader, *, workers: int) -> Outcome:
    """Read every row of `source`, one file or a folder of .parquet or .jsonl, into Parquet files in the folder `target`.

    Rows need the columns `id`, unique, and `text`; a `date` is the day of the text. Other columns of Parquet are kept, those named like
    ours in `input`; other fields of JSONL stand as JSON in `fields`. A worker is one process with a copy of `reader`, so load that with
    threads=1; its artefact must lie at the same path on every machine. The input is read twice, first to know its rows: 40 bytes a row
    in the memory of this process (more while they are sorted), 8 bytes a row that is done in that of each worker. Runs on the cluster of
    RAY_ADDRESS, else on this machine. ConfigError where the source is neither kind or lacks a column, where another reader wrote the
    target or it is of something else, where a reading in it would be lost, or where another job of this machine is writing it.
    """
    if workers < 1:
        raise ConfigError(f"workers is {workers}, expected at least 1")
    _keep_to_itself()
    with _alone(target):
        return _run(source, target, reader, workers)


def _keep_to_itself() -> None:
    """Set, before Ray starts, what it would otherwise do elsewhere: report usage, and keep the token of its cluster in the home folder.

    What you have set holds, and so does a token in its place; a cluster that runs already has a token of its own.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    yours = any(name in os.environ for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    running = ray.is_initialized() or Path(folder, "ray", "ray_current_cluster").exists()
    if not (yours or running or (Path.home() / ".ray" / "auth_token").exists()):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _run(source: str | Path, target: str | Path, reader: Reader, workers: int) -> Outcome:
    place, name = parts.absolute(target), parts.absolute(source)
    if place == name:
        raise ConfigError(f"{target}: is the input itself; give another output folder")
    paths, system, kind = _files(source)
    ranges = parts.ranges_of(paths, system, kind)
    same_input = _claim(place, name, reader)
    known = _rows(ranges, kind).select_columns([PLACE, DIGEST, KEY]).iter_batches(batch_size=None, batch_format="pyarrow") if ranges else ()
    index = Index.of(known, partial(parts.where, paths))
    before = _settle(place, index, same_input=same_input)
    todo = Todo(before.done, index.repeated, index.firsts, paths)
    if len(before.done) < len(index.places):
        options = {"reader": reader, "todo": [ray.put(todo)]}
        read = _rows(ranges, kind).map_batches(
            Worker, batch_format="pyarrow", batch_size=ROWS, fn_constructor_kwargs=options, concurrency=workers, num_cpus=1
        )
        read.write_parquet(place, write_page_checksum=True)
    after = _settle(place, index, same_input=True)
    missing = len(index.places) - len(after.done)
    if missing:
        raise ConfigError(f"{target}: {missing} of {len(index.places)} rows were not written; start the job again")
    return Outcome(len(before.done), len(after.done) - len(before.done), after.errors)


def _claim(target: str, source: str, reader: Reader) -> bool:
    """Write what the output is of, or prove that it is of this reader; whether it is of this input. ConfigError where it is of another."""
    system, inside = fs.FileSystem.from_uri(target)
    before, found = parts.known(target, system, inside), parts.parts_of(target)[0]
    if before is None and found:
        raise ConfigError(f"{target}: is not of this job: no {parts.JOB} says who wrote {found[0]}; give another output folder")
    if before is None or not found:
        parts.remember(system, inside, source, reader.identity)
        return True
    same_reader(target, before["reader"], reader.identity)
    return bool(before["input"] == source)


def _settle(target: str, index: Index, *, same_input: bool) -> Settled:
    paths, system = parts.parts_of(target)
    found: list[Part] = ray.get([_part.remote(path, system) for path in paths])
    return parts.settle(target, system, found, index, same_input=same_input)


@ray.remote  # type: ignore[untyped-decorator, misc, unused-ignore]
def _part(path: str, system: fs.FileSystem) -> Part:
    return parts.part(path, system)


def _alone(target: str | Path) -> AbstractContextManager[None]:
    """Be the only job that writes a folder of this machine; a store elsewhere (s3://…) has no locks."""
    if "://" in str(target):
        return nullcontext()
    place = Path(target).resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    return locked(place, place.with_name(f"{place.name}.lock"))


class Worker:
    """What Ray runs in each process: the reader, on tables of rows."""

    def __init__(self, reader: Reader, todo: Sequence[ray.ObjectRef]) -> None:
        self.reader, self.todo = reader, ray.get(todo[0])

    def __call__(self, rows: pa.Table) -> pa.Table:
        """See `read`."""
        return read(rows, self.reader, self.todo)


def read(rows: pa.Table, reader: Reader, todo: Todo) -> pa.Table:
    """Columns id, text, others and those of parts.WAY -> without these, with READING, DIGEST and PROOF, of rows not yet done."""
    rows = rows.filter(pa.array(~np.isin(np.asarray(rows[PLACE]), todo.done)))
    places, digests = rows[PLACE].to_pylist(), rows[DIGEST].to_pylist()
    faults = [_fault(*cells) for cells in zip(rows["id"], _column(rows, FAULT), strict=True)]
    at = np.searchsorted(todo.repeated, places)
    for n, place in enumerate(places):
        if at[n] < len(todo.repeated) and todo.repeated[at[n]] == place:
            first = parts.where(todo.paths, int(todo.firsts[at[n]]))
            faults[n] = f"{parts.where(todo.paths, place)}: id {python(rows['id'][n])!r} stands already at {first}; ids must be unique"
            digests[n] = parts.repeated_digest(digests[n], first)
    texts = ["" if fault else python(text) for text, fault in zip(rows["text"], faults, strict=True)]
    dates = [None if fault else python(date) for date, fault in zip(_column(rows, DATE, "date"), faults, strict=True)]
    readings = [_plain(*pair) for pair in zip(reader.read_many(zip(texts, dates, strict=True)), faults, strict=True)]
    own = rows.drop_columns([name for name in (PLACE, DIGEST, KEY, FAULT, DATE) if name in rows.column_names])
    ours = pa.Table.from_pylist(readings, schema=READING)
    columns = {**dict(zip(own.column_names, own.columns, strict=True)), **dict(zip(READING.names, ours.columns, strict=True))}
    made = pa.table({**columns, DIGEST: pa.array(digests, pa.binary(16))})
    return made.append_column(PROOF, pa.array(parts.proofs(made), pa.binary(16)))


def _rows(ranges: list[dict[str, Any]], kind: str) -> ray.data.Dataset:
    pieces = ray.data.from_items(ranges, override_num_blocks=max(1, len(ranges)))
    return pieces.map_batches(parts.lines if kind == "jsonl" else parts.groups, batch_format="pyarrow", batch_size=1)


def _files(source: str | Path) -> tuple[list[str], fs.FileSystem, str]:
    paths, system = parts.listed(source)
    kinds = {path.rpartition(".")[2] for path in paths} & {"parquet", "jsonl"}
    if len(kinds) != 1:
        found = " and ".join(sorted(kinds)) or "neither"
        raise ConfigError(f"{source}: found {found}, expected files .parquet or .jsonl, one kind of them")
    kind = kinds.pop()
    return [path for path in paths if path.endswith(f".{kind}")], system, kind


def _column(rows: pa.Table, *names: str) -> Sequence[Any]:
    """The first of these columns that is there, else cells that are None."""
    name = next((name for name in names if name in rows.column_names), None)
    return [_NULL] * len(rows) if name is None else rows[name]


_NULL = pa.scalar(None)


def _fault(id_: Any, told: Any) -> str | None:
    return str(told.as_py()) if told.is_valid else parts.id_fault(id_)


def _plain(reading: Reading, fault: str | None) -> dict[str, Any]:
    row = reading.to_dict()
    if fault:
        return {name: row[name] for name in ("label_set", "model")} | {"error": fault}
    incidents = [{**one, "facts": dump_row(one["facts"])} if "facts" in one else one for one in row["incidents"]]
    return {**row, "incidents": incidents, "types": list(row["types"].items())}
