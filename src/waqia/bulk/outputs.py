"""The file that `waqia batch` was asked for, by its name: JSONL as it is written, packed JSONL, a JSON array, a table of incidents.

A batch always writes JSONL, since that is what goes on after a kill. Whatever else was asked for is made of it at the end, whole or not at
all. A table (CSV, TSV, Parquet) has a row an incident, as `waqia.to_frame` has them, then `error` and the other fields of the input as
`input_NAME` (not the text); a text without incidents has one row.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from waqia.bulk import job
from waqia.bulk.files import PACKED, zstandard
from waqia.bulk.jsonl import is_stream, stream, write_all
from waqia.errors import ConfigError
from waqia.formats.table import defused
from waqia.frame import table
from waqia.labels import LabelSet
from waqia.schema import Reading

KINDS = {".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".pq": "parquet"}
WRITTEN = "JSONL, .json, .csv, .tsv and .parquet; all but Parquet also as .gz, .bz2, .xz or .zst"
REFUSED = (".xlsx", ".xls", ".ods", ".docx", ".html", ".zip")
ROWS_TOGETHER = 4096  # of a Parquet file
_OURS = frozenset(Reading().to_dict())
_PLAIN: dict[frozenset[type], str] = {frozenset({bool}): "bool_", frozenset({int}): "int64", frozenset({float}): "float64"}
_PLAIN[frozenset({int, float})] = "float64"


@contextmanager
def as_named(target: str, labels: LabelSet) -> Iterator[str]:
    """Where to write JSONL so that `target` comes out: itself, or `TARGET.jsonl`, of which it is made when the block ends well.

    `TARGET.jsonl` and what stands beside it are removed once the target is whole. ConfigError, before anything is read, for an ending that
    is not written, for a library that is missing, and where the target is there already and no `TARGET.jsonl` says that it may be replaced.
    """
    kind, packed = _kind(target)
    if target == "-" or (os.path.exists(target) and not os.path.isfile(target)) or (kind == "jsonl" and not packed):
        yield target
        return
    place, lines = Path(target), Path(f"{target}.jsonl")
    if place.exists() and not lines.exists():
        raise ConfigError(f"{target}: is there already, whole; give another output, or remove it to read everything again")
    yield str(lines)
    partial = place.with_name(f"{place.name}.part")
    with partial.open("wb") as file:
        _make(file, lines, kind, packed, labels)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(place)
    for beside in (lines, f"{lines}.job.json", f"{target}.input.jsonl"):
        Path(beside).unlink(missing_ok=True)


@contextmanager
def whole(target: str | Path) -> Iterator[Path]:
    """Where to write a file that comes to stand at `target`, all of it and only when the block ends well; nobody else writes it meanwhile.

    What is no regular file (a pipe, /dev/stdout, `-`) is written at the end as a stream. ConfigError for a folder, or where another
    process is writing it; an OSError names the target.
    """
    place = Path(target).resolve()
    part = place.with_name(f"{place.name}.part")
    try:
        if is_stream(target):
            with tempfile.TemporaryDirectory() as folder:
                part = Path(folder, Path(target).name)
                yield part
                with stream(target) as out:
                    write_all(out, part.read_bytes())
            return
        if place.is_dir():
            raise ConfigError(f"{target}: is a folder; give a file")
        with job.locked(place, place.with_name(f"{place.name}.lock")):
            try:
                yield part
                with part.open("rb") as written:
                    os.fsync(written.fileno())
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        if error.filename in (None, str(part), f"{place}.lock"):
            error.filename = str(target)
        raise


def _kind(target: str) -> tuple[str, str]:
    """What to write, and the ending of the packer or "" ."""
    suffix = Path(target).suffix.lower()
    packed = suffix if suffix in PACKED else ""
    inner = Path(target[: -len(packed)] if packed else target).suffix.lower()
    kind = KINDS.get(inner, "jsonl")
    if inner in REFUSED or (kind == "parquet" and packed):
        raise ConfigError(f"{target}: {inner}{packed} is not written; written are {WRITTEN}")
    if packed == ".zst":
        zstandard(target)
    if kind == "parquet":
        _pyarrow(target)
    return kind, packed


def _make(file: IO[bytes], lines: Path, kind: str, packed: str, labels: LabelSet) -> None:
    with ExitStack() as stack:
        out = stack.enter_context(_packer(file, packed)) if packed else file
        if kind == "jsonl":
            with lines.open("rb") as rows:
                out.writelines(rows)
        elif kind == "json":
            with lines.open("rb") as rows:
                out.write(b"[")
                out.writelines((b",\n" if number else b"\n") + row.rstrip(b"\n") for number, row in enumerate(rows))
                out.write(b"\n]\n")
        elif kind == "parquet":
            _parquet(out, lines, labels)
        else:
            text = io.TextIOWrapper(out, "utf-8-sig", newline="", errors="backslashreplace")
            _csv(text, lines, labels, "\t" if kind == "tsv" else ",")
            text.flush()
            text.detach()


def _packer(file: IO[bytes], packed: str) -> Any:
    if packed == ".gz":
        return gzip.GzipFile("", "wb", fileobj=file, mtime=0)
    if packed == ".bz2":
        return bz2.open(file, "wb")
    if packed == ".xz":
        return lzma.open(file, "wb")
    return zstandard(file.name).ZstdCompressor().stream_writer(file, closefd=False)


def _csv(out: IO[str], lines: Path, labels: LabelSet, delimiter: str) -> None:
    columns, _ = _columns(lines, labels)
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(map(defused, columns))
    for row in _table(lines, labels):
        writer.writerow([defused(_cell(row.get(name))) for name in columns])


def _parquet(out: IO[bytes], lines: Path, labels: LabelSet) -> None:
    pyarrow = _pyarrow(str(lines))
    columns, kinds = _columns(lines, labels)
    names = {name: _PLAIN.get(frozenset(kinds[name]), "string") for name in columns}
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in names.items()])
    rows = _table(lines, labels)
    with pyarrow.parquet.ParquetWriter(out, schema) as writer:
        while some := list(islice(rows, ROWS_TOGETHER)):
            plain = [{name: _typed(row.get(name), kind) for name, kind in names.items()} for row in some]
            writer.write_table(pyarrow.Table.from_pylist(plain, schema=schema))


def _columns(lines: Path, labels: LabelSet) -> tuple[list[str], dict[str, set[type]]]:
    """The columns in order, and the types of what stands in each; a number that 64 bits do not hold counts as text."""
    kinds: dict[str, set[type]] = {name: set() for name in (*table([], labels), "error")}
    for row in _table(lines, labels):
        for name, value in row.items():
            seen = kinds.setdefault(name, set())
            if value is not None:
                seen.add(str if type(value) is int and not -(2**63) <= value < 2**63 else type(value))
    return list(kinds), kinds


def _table(lines: Path, labels: LabelSet) -> Iterator[dict[str, Any]]:
    with lines.open("rb") as rows:
        for line in rows:
            yield from _incidents(json.loads(line), labels)


def _incidents(row: Mapping[str, Any], labels: LabelSet) -> Iterable[dict[str, Any]]:
    reading = Reading.from_dict({name: row[name] for name in _OURS})
    own = {f"input_{name}": value for name, value in row.items() if name not in _OURS and name not in ("id", "text")}
    shared = {"error": reading.error, **own}
    columns = table([reading], labels, ids=[row["id"]])
    found = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return [{**one, **shared} for one in found or [{"id": row["id"]}]]


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)


def _typed(value: Any, kind: str) -> Any:
    if value is None or kind != "string":
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # Parquet holds no lone surrogate


def _pyarrow(name: str) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f"{name}: Parquet needs pyarrow ({error}); pip install 'waqia[files]'") from error
    return pyarrow
