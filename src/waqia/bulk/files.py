"""Texts from the files that people have: JSONL, JSON arrays, CSV and TSV, Parquet, folders of text files, each also compressed, and stdin.

What a file is shows in its name, and where that says nothing in its first bytes.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from waqia.errors import ConfigError, RecordError
from waqia.records import dump_row, parse_line

READ = "JSONL, a JSON array, CSV, TSV, Parquet, a text, a folder of texts; each also as .gz, .bz2, .xz or .zst"
_KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".text": "text",
}
PACKED = (".gz", ".bz2", ".xz", ".zst")
_MAGIC = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP file (Excel and Word files are such)",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"<!do": "a web page",
    b"<htm": "a web page",
    b"<?xm": "XML",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"SQLi": "an SQLite database",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an input: where it stands, its fields with `id`, `text` and perhaps `date` under these names, and why it cannot be read."""

    where: str
    fields: dict[str, Any]
    fault: str | None = None


def rows(path: str | Path, *, id_field: str | None = None, text_field: str | None = None, date_field: str | None = None) -> Iterator[Row]:
    """Yield the rows of a file, a folder, or "-" for standard input, in their order and one at a time (a JSON array is read whole).

    The fields named become `id`, `text` and `date`; ids of any JSON scalar stay as they are, and a row without one has its number where
    no `id_field` is named. A row that cannot be read keeps its place, with a fault. RecordError in one line for another kind of file,
    ConfigError for a library that is missing.
    """
    names = {"id": id_field or "id", "text": text_field or "text", "date": date_field or "date"}
    seen: dict[str, str] = {}
    for number, (where, item) in enumerate(_items(path), 1):
        if isinstance(item, RecordError):
            yield Row(where, {"id": f"row {number}"}, str(item))
        else:
            yield _row(where, item, number, names, id_field is None, seen)


def holds_rows(path: str | Path) -> bool:
    """Whether a folder, or a file by its name, holds many texts (JSONL, an array, a table, a packed file) and not one."""
    name = Path(path)
    return name.is_dir() or name.suffix.lower() in PACKED or _KINDS.get(name.suffix.lower(), "text") != "text"


def found(begin: bytes) -> str | None:
    """What the first bytes of a file say that it is, of the kinds that are not read; None where they say nothing."""
    return next((said for magic, said in _MAGIC.items() if begin[: len(magic)].lower() == magic.lower()), None)


def _row(where: str, item: Any, number: int, names: dict[str, str], numbered: bool, seen: dict[str, str]) -> Row:
    if isinstance(item, str):
        item = {names["text"]: item}
    if not isinstance(item, dict):
        return Row(where, {"id": f"row {number}"}, f"{where}: found {type(item).__name__}, expected an object with {names['text']}")
    mapped = {name: item[field] for name, field in names.items() if field in item}
    fields = {**mapped, **{key: value for key, value in item.items() if key not in names.values() and key not in mapped}}
    if "id" not in fields and numbered:
        fields = {"id": number, **fields}
    name, text = fields.get("id"), fields.get("text")
    if not isinstance(name, (str, int, float)) or name == "":
        fault = f"{where}: {names['id']} is {_short(name)}, expected text that is not empty, or a number; columns: {_short(list(item))}"
        return Row(where, {**fields, "id": f"row {number}"}, fault)
    said = json.dumps(name)
    if said in seen:
        return Row(where, fields, f"{where}: id {_short(name)} stands already at {seen[said]}; ids must be unique in a file")
    seen[said] = where
    if not isinstance(text, str):
        hint = (
            f"; columns are {', '.join(map(str, item))[:200]}: name the one with the text by --text-field"
            if names["text"] not in item
            else ""
        )
        return Row(where, fields, f"{where}: {names['text']} is {_short(text)}, expected text{hint}")
    return Row(where, fields)


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:77]}..."


def _items(path: str | Path) -> Iterator[tuple[str, Any]]:
    """(where, object, text or fault) of every row."""
    name = str(path)
    if name != "-" and Path(path).is_dir():
        yield from _folder(Path(path))
        return
    with _opened(path) as (raw, inner):
        file = io.BufferedReader(raw) if not isinstance(raw, io.BufferedReader) else raw  # type: ignore[type-var, unused-ignore]
        kind = _KINDS.get(Path(inner).suffix.lower()) or _sniff(file, name)
        if kind == "parquet":
            yield from _parquet(name, file)
        elif kind == "jsonl":
            yield from _jsonl(name, file)
        elif kind == "json":
            yield from _array(name, file)
        elif kind == "text":
            yield name, {"id": Path(inner).name, "text": _decoded(file.read(), name)}
        else:
            yield from _table(name, file, "\t" if kind == "tsv" else None)


def _sniff(file: io.BufferedReader, name: str) -> str:
    """What a file without a telling name is; RecordError names what was found and what is read."""
    begin = file.peek(4096)[:4096]
    plain = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begin[:4] == b"PAR1":
        return "parquet"
    if plain[:1] in (b"{", b"["):
        return "json" if plain[:1] == b"[" else "jsonl"
    kind = found(begin)
    if kind is None and name != "-" and not begin:
        return "jsonl"
    raise RecordError(f"{name}: found {kind or repr(begin[:30].decode('utf-8', 'replace'))}; read are {READ}")


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, str]]:
    """The bytes, unpacked, and the name without the ending of the packer."""
    name = str(path)
    suffix = Path(name).suffix.lower()
    inner = name[: -len(suffix)] if suffix in PACKED else name
    if name == "-":
        yield sys.stdin.buffer, ""
        return
    if suffix == ".gz":
        with gzip.open(name, "rb") as packed:
            yield packed, inner
    elif suffix == ".bz2":
        with bz2.open(name, "rb") as packed:
            yield packed, inner
    elif suffix == ".xz":
        with lzma.open(name, "rb") as packed:
            yield packed, inner
    elif suffix == ".zst":
        with open(name, "rb") as file, zstandard(name).ZstdDecompressor().stream_reader(file, read_across_frames=True) as packed:
            yield packed, inner
    else:
        with open(name, "rb") as file:
            yield file, inner


def zstandard(name: str) -> Any:
    """The library for .zst; ConfigError, beginning with `name`, where it is missing."""
    try:
        import zstandard
    except ImportError as error:
        raise ConfigError(f"{name}: .zst needs zstandard ({error}); pip install 'waqia[files]'") from error
    return zstandard


def _jsonl(name: str, file: BinaryIO | io.BufferedReader) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            where = f"{name}:{number}"
            try:
                yield where, parse_line(line, where)
            except RecordError as error:
                yield where, error


def _array(name: str, file: io.BufferedReader) -> Iterator[tuple[str, Any]]:
    data = file.read()
    if not data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):  # one object, or JSONL that is called .json
        yield from _jsonl(name, io.BytesIO(data)) if data.count(b"\n{") or data.count(b"\n") <= 1 else [(name, parse_line(data, name))]
        return
    for number, item in enumerate(parse_line(data, name), 1):
        yield f"{name} item {number}", item


def _table(name: str, file: io.BufferedReader, delimiter: str | None) -> Iterator[tuple[str, Any]]:
    """Rows of CSV or TSV under the names of its first row; a comma, a semicolon or a tab parts the columns, as the first row shows."""
    csv.field_size_limit(1 << 28)
    lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        head = lines.readline()
        parts = delimiter or max(",;\t", key=head.count)
        columns = next(csv.reader([head], delimiter=parts), [])
        if len(set(columns)) < len(columns):
            raise RecordError(f"{name}: columns {columns} have a name twice; give each its own")
        table = csv.reader(lines, delimiter=parts, strict=True)
        for cells in table:
            where = f"{name}:{table.line_num + 1}"
            if len(cells) == len(columns):
                yield where, dict(zip(columns, cells, strict=True))
            elif cells:
                yield where, RecordError(f"{where}: has {len(cells)} columns, expected {len(columns)} as in the first row")
    except UnicodeDecodeError as error:
        raise RecordError(f"{name}: is no UTF-8 ({error.reason} {error.object[error.start]:#x}); save it as CSV UTF-8") from error
    except csv.Error as error:
        raise RecordError(f"{name}: is no well-formed CSV ({error}); quotes inside a cell are doubled") from error
    finally:
        lines.detach()


def _parquet(name: str, file: io.BufferedReader) -> Iterator[tuple[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f"{name}: Parquet needs pyarrow ({error}); pip install 'waqia[files]'") from error
    try:
        table = pyarrow.parquet.ParquetFile(file if file.seekable() else io.BytesIO(file.read()))
        number = 0
        for batch in table.iter_batches(batch_size=1024):
            for item in batch.to_pylist():
                number += 1
                yield f"{name} row {number}", {key: _plain(value) for key, value in item.items()}
    except pyarrow.ArrowInvalid as error:
        raise RecordError(f"{name}: is no Parquet ({str(error).splitlines()[0][:100]}); read are {READ}") from error


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: dates and other objects as text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _folder(folder: Path) -> Iterator[tuple[str, Any]]:
    """A row a text file, under its name within the folder; in the order of the names."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and _is_text(path))
    if not paths:
        raise RecordError(f"{folder}: found a folder without .txt files; read are {READ}")
    for path in paths:
        with _opened(path) as (file, _):
            try:
                yield str(path), {"id": path.relative_to(folder).as_posix(), "text": _decoded(file.read(), str(path))}
            except RecordError as error:
                yield str(path), error


def _is_text(path: Path) -> bool:
    inner = Path(path.name[: -len(path.suffix)]) if path.suffix.lower() in PACKED else path
    return _KINDS.get(inner.suffix.lower()) == "text"


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"{name}: byte {error.start} is no UTF-8; save the file as UTF-8") from error


@contextmanager
def as_jsonl(
    source: str, target: str, *, id_field: str | None = None, text_field: str | None = None, date_field: str | None = None
) -> Iterator[str]:
    """The source itself where it is JSONL with our field names, or a stream, else a file with its rows as JSONL.

    That file is `TARGET.input.jsonl`, made anew at each start, so that a job goes on where it stopped; beside a target that is a stream
    it is temporary. A row that cannot be read has null as its text and says why in `fault`, so that it keeps its place.
    """
    path = Path(source)
    named = id_field or text_field or date_field
    if not named and (source == "-" or not (path.is_file() or path.is_dir()) or _is_jsonl(path)):
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        stream = target == "-" or (os.path.exists(target) and not os.path.isfile(target))
        beside = Path(folder) / "input.jsonl" if stream else Path(f"{target}.input.jsonl")
        partial = beside.with_name(f"{beside.name}.partial")
        with partial.open("wb") as out:
            for row in rows(source, id_field=id_field, text_field=text_field, date_field=date_field):
                fields = row.fields if row.fault is None else {**row.fields, "text": None, "fault": row.fault}
                out.write((dump_row(fields) + "\n").encode())
        partial.replace(beside)
        yield str(beside)


def _is_jsonl(path: Path) -> bool:
    """By its name, or by its first letter where the name says nothing or less than that."""
    if path.is_dir():
        return False
    kind = _KINDS.get(path.suffix.lower())
    if kind == "jsonl" or (kind is not None and kind not in ("text", "json")) or path.suffix.lower() in PACKED:
        return kind == "jsonl"
    with path.open("rb") as file:
        begin = file.read(4096)
    if kind is None and not begin.strip():
        return True
    return begin.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") and (kind != "json" or b"\n{" in begin)
