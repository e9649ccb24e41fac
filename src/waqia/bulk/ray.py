"""Reading past one machine: Ray Data over Parquet or JSONL with the same reader (pip install 'waqia[ray]').

    waqia.bulk.ray.run("/shared/news", "/shared/incidents", Reader.load(threads=1), workers=64)

The output folder is the only state. Rows whose id stands there are not read again, so a killed job goes on when it is started again;
a worker that dies is replaced and its rows are read by another. A row that cannot be read comes out with its `error` and stops no other.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as files
import pyarrow.parquet
import ray
import ray.data
from numpy.typing import NDArray
from pyarrow import fs

from waqia.bulk.job import locked
from waqia.bulk.jsonl import OURS, Outcome
from waqia.errors import ConfigError, RecordError
from waqia.reader import Reader
from waqia.records import dump_row, parse_line
from waqia.schema import Reading

ROWS = 256  # rows that a worker takes at once
RANGE = 4_194_304  # bytes of JSONL that become one block, more where there are terabytes of it
RANGES = 10_000
FAULT = "waqia.fault"  # a column on the way: why a line of JSONL is no row

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
        ("truncated", pa.bool_()),
        ("label_set", pa.string()),
        ("model", pa.string()),
        ("error", pa.string()),
    ]
)
LINE = pa.schema([("id", pa.string()), ("text", pa.string()), ("fields", pa.string()), (FAULT, pa.string())])

Digests = NDArray[np.bytes_]  # (N,) of 16 bytes, sorted


def run(source: str | Path, target: str | Path, reader: Reader, *, workers: int) -> Outcome:
    """Read every row of `source`, one file or a folder of .parquet or .jsonl, into Parquet files in the folder `target`.

    Rows need the columns `id`, unique, and `text`; their `date`, if any, is the day of the text. Other columns of Parquet are kept; other
    fields of JSONL stand as JSON in `fields`.
    A worker is one process with a copy of `reader`, so load that with threads=1; its artefact must lie at the same path on every machine.
    Skipping takes 16 bytes an id written before in the memory of every machine. Runs on the cluster of RAY_ADDRESS, else on this machine.
    ConfigError where the source is neither kind or lacks a column, where the target was read by another model, or where another job
    of this machine is writing it.
    """
    if workers < 1:
        raise ConfigError(f"workers is {workers}, expected at least 1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports usage when it starts, unless this stands before; yours holds
    with _alone(target):
        return _run(source, target, reader, workers)


def _run(source: str | Path, target: str | Path, reader: Reader, workers: int) -> Outcome:
    rows = _rows(*_files(source))
    done, before = _done(target, reader.model)
    options = {"reader": reader, "done": [ray.put(done)]}
    read = rows.map_batches(Worker, batch_format="pyarrow", batch_size=ROWS, fn_constructor_kwargs=options, concurrency=workers, num_cpus=1)
    read.write_parquet(_place(target))
    paths, system = _whole(target)
    written = files.dataset(paths, schema=READING, filesystem=system)
    return Outcome(before, written.count_rows() - before, written.count_rows(filter=files.field("error").is_valid()))


def _alone(target: str | Path) -> AbstractContextManager[None]:
    """Be the only job that writes a folder of this machine; a store elsewhere (s3://…) has no locks."""
    if "://" in str(target):
        return nullcontext()
    place = Path(target).resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    return locked(place, place.with_name(f"{place.name}.lock"))


class Worker:
    """What Ray runs in each process: the reader, on tables of rows."""

    def __init__(self, reader: Reader, done: Sequence[ray.ObjectRef]) -> None:
        self.reader, self.done = reader, ray.get(done[0])

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Columns id, text and others -> the same and those of READING, without the rows that were done before."""
        rows = rows.filter(pa.array(fresh(rows["id"], self.done)))
        faults = [_fault(*cells) for cells in zip(rows["id"], _column(rows, FAULT), strict=True)]
        texts = ["" if fault else _python(text) for text, fault in zip(rows["text"], faults, strict=True)]
        dates = [_date(*cells) for cells in zip(_column(rows, "date"), _column(rows, "fields"), strict=True)]
        readings = [_plain(*pair) for pair in zip(self.reader.read_many(zip(texts, dates, strict=True)), faults, strict=True)]
        own = rows.drop_columns([name for name in rows.column_names if name in (*OURS, FAULT)])
        read = pa.Table.from_pylist(readings, schema=READING)
        return pa.table({**dict(zip(own.column_names, own.columns, strict=True)), **dict(zip(READING.names, read.columns, strict=True))})


def fresh(ids: pa.ChunkedArray, done: Digests) -> NDArray[np.bool_]:
    """Which ids (N,) are not among those done; a row without an id always is, for nothing tells it from another."""
    mine = digests(ids)
    known: NDArray[np.bool_] = np.searchsorted(done, mine, "left") < np.searchsorted(done, mine, "right")
    return np.array([_fault(cell, None) is not None for cell in ids], bool) | ~known


def digests(ids: pa.ChunkedArray) -> Digests:
    """A digest of 16 bytes for each id (N,), in order."""
    return np.array([blake2b(str(_python(cell)).encode(), digest_size=16).digest() for cell in ids], "S16")


def lines(ranges: pa.Table) -> pa.Table:
    """The lines of JSONL that begin in a range of bytes (columns path, start, stop), as columns id, text, fields and FAULT.

    A line that is no row has an id made of its file and its place there.
    """
    found = [_line(line, f"{place['path']}:{byte}") for place in ranges.to_pylist() for byte, line in _between(**place)]
    return pa.Table.from_pylist(found, schema=LINE)


def _between(path: str, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    system, inside = fs.FileSystem.from_uri(path)
    with io.BufferedReader(system.open_input_file(inside)) as file:
        if start:
            file.seek(start - 1)
            file.readline()  # the rest of a line that began before, or only its end
        while (byte := file.tell()) < stop and (line := file.readline()):
            if line.strip():
                yield byte, line


def _line(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = parse_line(line, where)
    except RecordError as error:
        return {"id": where, FAULT: str(error)}
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"].isprintable():
        return {"id": where, FAULT: f"{where}: expected an object with id, which is text that can be printed, and text"}
    fields = dump_row({name: value for name, value in row.items() if name not in ("id", "text")})
    try:
        row["text"].encode()
    except (KeyError, AttributeError, UnicodeEncodeError) as error:
        return {"id": row["id"], "fields": fields, FAULT: f"{where}: no text that UTF-8 can hold ({type(error).__name__}: {error})"}
    return {"id": row["id"], "text": row["text"], "fields": fields}


def _rows(paths: list[str], system: fs.FileSystem, kind: str) -> ray.data.Dataset:
    if kind == "jsonl":
        sizes = {path: system.get_file_info(path).size for path in paths}
        step = max(RANGE, sum(sizes.values()) // RANGES)
        uri = "" if isinstance(system, fs.LocalFileSystem) else f"{system.type_name}://"
        ranges = [{"path": uri + path, "start": at, "stop": at + step} for path, size in sizes.items() for at in range(0, size, step)]
        return ray.data.from_items(ranges, override_num_blocks=max(1, len(ranges))).map_batches(lines, batch_format="pyarrow", batch_size=1)
    missing = {"id", "text"} - set(files.dataset(paths[0], filesystem=system).schema.names)
    if missing:
        raise ConfigError(f"{paths[0]}: no column {' and '.join(sorted(missing))}; rename yours to id and text")
    return ray.data.read_parquet(paths, filesystem=system)


def _files(source: str | Path) -> tuple[list[str], fs.FileSystem, str]:
    paths, system = _listed(source)
    kinds = {path.rpartition(".")[2] for path in paths} & {"parquet", "jsonl"}
    if len(kinds) != 1:
        found = " and ".join(sorted(kinds)) or "neither"
        raise ConfigError(f"{source}: found {found}, expected files .parquet or .jsonl, one kind of them")
    kind = kinds.pop()
    return [path for path in paths if path.endswith(f".{kind}")], system, kind


def _done(target: str | Path, model: str) -> tuple[Digests, int]:
    """The digests of the ids in the target, sorted, and the number of its rows; ConfigError where another model wrote one."""
    paths, system = _whole(target)
    written = files.dataset(paths, filesystem=system)
    if paths and not {"id", "model", "error"} <= set(written.schema.names):
        raise ConfigError(f"{target}: {paths[0]} is not of this job (no id, model and error); give another output folder")
    parts = []
    for part in written.to_batches(columns=["id", "model"]) if paths else ():
        others = set(part["model"].unique().to_pylist()) - {model}
        if others:
            raise ConfigError(f"{target}: was read by {others.pop()!r}, not by {model!r}; give another output folder")
        parts.append(digests(part["id"]))
    done = np.sort(np.concatenate(parts)) if parts else np.array([], "S16")
    return done, len(done)


def _whole(target: str | Path) -> tuple[list[str], fs.FileSystem]:
    """The Parquet files of the target; one without a footer, which a killed job left half written, is renamed: its rows are read again."""
    paths, system = _listed(target)
    whole = []
    for path in paths:
        if path.endswith(".parquet"):
            try:
                pa.parquet.read_metadata(path, filesystem=system)
                whole.append(path)
            except pa.ArrowInvalid:
                system.move(path, f"{path}.half")
    return whole, system


def _listed(place: str | Path) -> tuple[list[str], fs.FileSystem]:
    system, inside = fs.FileSystem.from_uri(_place(place))
    info = system.get_file_info(inside)
    if info.type != fs.FileType.Directory:
        return [inside] if info.is_file else [], system
    return sorted(found.path for found in system.get_file_info(fs.FileSelector(inside, recursive=True)) if found.is_file), system


def _place(path: str | Path) -> str:
    return str(path) if "://" in str(path) else str(Path(path).absolute())


def _column(rows: pa.Table, name: str) -> Sequence[Any]:
    return rows[name] if name in rows.column_names else [None] * len(rows)


def _python(cell: Any) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:  # Parquet does not prove its strings; the reader tells that this is no text
        return error


def _date(cell: Any, fields: Any) -> Any:
    """The day of a row: its column `date` in Parquet, its field `date` in JSONL; None where it has neither."""
    if cell is not None:
        return _python(cell)
    others = None if fields is None or not fields.is_valid else _python(fields)
    return json.loads(others).get("date") if isinstance(others, str) and '"date"' in others else None


def _fault(id_: Any, told: Any) -> str | None:
    if told is not None and told.is_valid:
        return str(told.as_py())
    value = _python(id_)
    return f"id is {value!r}, expected text" if value is None or isinstance(value, UnicodeDecodeError) else None


def _plain(reading: Reading, fault: str | None) -> dict[str, Any]:
    row = reading.to_dict()
    if fault:
        return {name: row[name] for name in ("label_set", "model")} | {"error": fault}
    incidents = [{**one, "facts": dump_row(one["facts"])} if "facts" in one else one for one in row["incidents"]]
    return {**row, "incidents": incidents, "types": list(row["types"].items())}
