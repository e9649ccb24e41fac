"""What a job over a folder of Parquet reads and keeps: rows with their place and digest, the parts of its output, and what they lack.

The rules are those of `waqia.bulk.jsonl`, for rows in no order: a row of the output carries the digest of its row of the input. On a
restart each row that stands in a whole part with the digest of a row of the input is kept, as often as the input has it; a changed,
repeated or damaged one is dropped and read again. Nothing here knows Ray.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray
from pyarrow import fs

from waqia.bulk import job
from waqia.bulk.jsonl import KEPT, LONGEST, OURS, pairs_of, written_object
from waqia.errors import ConfigError, RecordError
from waqia.records import parse_line

RANGE = 4_194_304  # bytes of JSONL that become one block, more where there are terabytes of it
RANGES = 10_000
JOB = "_job.json"  # in the output; Parquet readers pass names with "_" over
DIGEST = "input_digest"  # column of the output: which row of the input a reading is of
PROOF = "row_digest"  # column of the output: of all the others, so that a damaged row is seen
PLACE, KEY, FAULT, DATE = "waqia.place", "waqia.key", "waqia.fault", "waqia.date"  # columns on the way
FILE_SHIFT = 40  # a place is the number of the file, and in 40 bits the byte of a line, or the number of a row of Parquet

WAY = [(PLACE, pa.int64()), (DIGEST, pa.binary(16)), (KEY, pa.binary(16)), (FAULT, pa.string()), (DATE, pa.string())]
LINE = pa.schema([("id", pa.string()), ("text", pa.string()), ("fields", pa.string()), *WAY])

Digests = NDArray[np.bytes_]  # (N,) of 16 bytes
Places = NDArray[np.int64]  # (N,)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The rows of an input in the order of their places: the digest of each, and of its id (`keys`, those of faulty rows stand apart)."""

    places: Places
    digests: Digests
    keys: Digests
    repeated: Places  # sorted: rows whose id stands in an earlier row
    firsts: Places  # where, for each of them

    @classmethod
    def of(cls, tables: Iterable[pa.Table], where: Callable[[int], str]) -> Index:
        """From the columns PLACE, DIGEST and KEY of all rows; the digest of a repeated row tells where its id stands first."""
        parts = [(np.asarray(t[PLACE]), _bytes(t[DIGEST]), _bytes(t[KEY])) for t in tables]
        empty = (np.array([], np.int64), np.array([], "S16"), np.array([], "S16"))
        places, digests, keys = (np.concatenate(arrays) for arrays in zip(empty, *parts, strict=True))
        order = np.argsort(places, kind="stable")
        places, digests, keys = places[order], digests[order], keys[order]
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        again = np.flatnonzero((first[inverse] != np.arange(len(keys))) & (keys != b""))
        firsts = places[first[inverse[again]]]
        for row, stands in zip(again, firsts.tolist(), strict=True):
            digests[row] = repeated_digest(digests[row], where(stands))
        return cls(places, digests, keys, places[again], firsts)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A Parquet file of the output: the digests of its rows and of their ids, and which of them hold a reading; None where damaged."""

    path: str
    rows: tuple[Digests, Digests, NDArray[np.bool_]] | None


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What the output holds, once every row in it is one of the input: whose places these are (sorted), and how many carry an error."""

    done: Places
    errors: int


# --- rows of the input


def ranges_of(paths: list[str], system: fs.FileSystem, kind: str) -> list[dict[str, Any]]:
    """The input in pieces that are read at once: bytes [start, stop) of JSONL, or row groups (`group`, `start` its first row)."""
    uri = "" if isinstance(system, fs.LocalFileSystem) else f"{system.type_name}://"
    if kind == "jsonl":
        sizes = [system.get_file_info(path).size for path in paths]
        step = max(RANGE, sum(sizes) // RANGES)
        return [
            {"path": uri + path, "file": number, "start": at, "stop": at + step}
            for number, (path, size) in enumerate(zip(paths, sizes, strict=True))
            for at in range(0, size, step)
        ]
    found = []
    for number, path in enumerate(paths):
        start, meta = 0, _metadata(path, system)
        for group in range(meta.num_row_groups):
            found.append({"path": uri + path, "file": number, "start": start, "group": group})
            start += meta.row_group(group).num_rows
    return found


def _metadata(path: str, system: fs.FileSystem) -> Any:
    try:
        meta = pa.parquet.read_metadata(path, filesystem=system)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError(f"{path}: is no whole Parquet ({str(error).splitlines()[0][:100]}); make or copy it again") from error
    missing = {"id", "text"} - set(meta.schema.to_arrow_schema().names)
    if missing:
        raise ConfigError(f"{path}: no column {' and '.join(sorted(missing))}; rename yours to id and text")
    return meta


def where(paths: list[str], place: int) -> str:
    """A place as people read it: the file, and the byte of a line or the number of a row."""
    return f"{paths[place >> FILE_SHIFT]}:{place & ((1 << FILE_SHIFT) - 1)}"


def lines(ranges: pa.Table) -> pa.Table:
    """The lines of JSONL that begin in ranges (columns path, file, start, stop), as columns id, text, fields and those of WAY.

    A line that is no row has an id made of its file and its place there.
    """
    found = []
    for place in ranges.to_pylist():
        for byte, line in _between(place["path"], place["start"], place["stop"]):
            found.append({PLACE: place["file"] << FILE_SHIFT | byte, **_line(line, f"{place['path']}:{byte}")})
    return marked(pa.Table.from_pylist(found, schema=LINE))


def groups(ranges: pa.Table) -> pa.Table:
    """Row groups of Parquet (columns path, file, start, group): their own columns, those named like ours under `input`, and WAY."""
    tables = []
    for place in ranges.to_pylist():
        system, inside = fs.FileSystem.from_uri(place["path"])
        with system.open_input_file(inside) as file:
            rows = pa.parquet.ParquetFile(file).read_row_group(place["group"])
        alike = [name for name in rows.column_names if name in OURS or name in (KEPT, DIGEST, PROOF)]
        if alike:
            kept = pa.compute.make_struct(*(rows[name] for name in alike), field_names=alike)
            rows = rows.drop_columns(alike).append_column(KEPT, kept)
        at = (place["file"] << FILE_SHIFT) + place["start"]
        tables.append(rows.append_column(PLACE, pa.array(np.arange(at, at + len(rows)), pa.int64())))
    return marked(pa.concat_tables(tables))


def marked(rows: pa.Table) -> pa.Table:
    """Rows with PLACE -> the same with DIGEST (of all columns but PLACE) and KEY (of the id; empty for a row without one)."""
    own = [name for name in rows.column_names if name not in (PLACE, DIGEST, KEY)]
    columns = [[python(cell) for cell in rows[name]] for name in own]
    digests = [_digest(repr((own, cells))) for cells in zip(*columns, strict=True)]
    faults = rows[FAULT].to_pylist() if FAULT in own else [None] * len(rows)
    keys = [b"" if fault or id_fault(cell) else _digest(repr(python(cell))) for cell, fault in zip(rows["id"], faults, strict=True)]
    rows = rows.drop_columns([name for name in (DIGEST, KEY) if name in rows.column_names])
    return rows.append_column(DIGEST, pa.array(digests, pa.binary(16))).append_column(KEY, pa.array(keys, pa.binary()))


def proofs(rows: pa.Table) -> list[bytes]:
    """A digest of every row of the output: its values with their names, but PROOF; a null counts as a column that is not there."""
    columns = {name: [python(cell) for cell in rows[name]] for name in sorted(rows.column_names) if name != PROOF}
    return [
        _digest(repr([(name, _bare(cell)) for name, cell in zip(columns, cells, strict=True) if cell is not None]))
        for cells in zip(*columns.values(), strict=True)
    ]


def _bare(value: Any) -> Any:
    """A value without the fields of structures that are null."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items() if inner is not None}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def repeated_digest(digest: bytes, first: str) -> bytes:
    """The digest of a row whose id stands already at `first`: another one than if it could be read."""
    return blake2b(bytes(digest).ljust(16, b"\0") + first.encode(), digest_size=16).digest()  # numpy drops zeros at the end


def id_fault(cell: Any) -> str | None:
    """Why an id cannot be one."""
    value = python(cell)
    good = isinstance(value, (str, int, float)) and value != ""
    return None if good else f"id is {value!r}, expected text that is not empty, or a number"


def python(cell: Any) -> Any:
    """A cell's value, or the error of one that is no UTF-8: Parquet does not prove its strings; the reader tells that it is no text."""
    try:
        return cell.as_py()
    except UnicodeDecodeError as error:
        return error


def _between(path: str, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Lines that begin in [start, stop), each with its byte; one that is longer than LONGEST comes as its first LONGEST bytes."""
    system, inside = fs.FileSystem.from_uri(path)
    with io.BufferedReader(system.open_input_file(inside)) as file:
        if start:
            file.seek(start - 1)
            _rest(file)  # of a line that began before, or only its end
        while (byte := file.tell()) < stop and (line := file.readline(LONGEST)):
            if len(line) == LONGEST and not line.endswith(b"\n"):
                _rest(file)
            if line.strip():
                yield byte, line


def _rest(file: io.BufferedReader) -> None:
    while len(line := file.readline(LONGEST)) == LONGEST and not line.endswith(b"\n"):
        pass


def _line(line: bytes, where: str) -> dict[str, Any]:
    """A line as a row of LINE; its other fields stand in `fields` as they are written there."""
    if len(line) >= LONGEST:
        return {"id": where, FAULT: f"{where}: the line has more than {LONGEST >> 20} MiB; cut it into several rows"}
    try:
        row = parse_line(line, where)
        pairs = pairs_of(line) if isinstance(row, dict) else {}
    except (ValueError, RecursionError, MemoryError) as error:  # one row must never stop the job
        return {"id": where, FAULT: str(error) if isinstance(error, RecordError) else f"{where}: cannot be parsed ({error})"}
    if not isinstance(row, dict):
        return {"id": where, FAULT: f"{where}: found {type(row).__name__}, expected an object with id and text"}
    name, text, date = row.get("id"), row.get("text"), row.get("date")
    good = isinstance(name, (str, int, float)) and name != "" and _encodes(name)
    sound = isinstance(text, str) and _encodes(text)
    known = {key for key, kept in (("id", good and isinstance(name, str)), ("text", sound)) if kept}
    said = {
        "id": where if not good else name if isinstance(name, str) else pairs["id"],
        "fields": written_object({key: value for key, value in pairs.items() if key not in known}),
        DATE: date if date is None or (isinstance(date, str) and _encodes(date)) else pairs["date"],
    }
    if not good:
        return {**said, FAULT: f"{where}: id is {name!r:.80}, expected text that is not empty, or a number"}
    if not isinstance(text, str):
        return {**said, FAULT: f"{where}: text is {text!r:.80}, expected text"}
    return {**said, "text": text} if sound else {**said, FAULT: f"{where}: text holds half a character (a lone surrogate)"}


def _encodes(value: Any) -> bool:
    """Whether UTF-8, and so Parquet, can hold a text; a number it can."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(said: str) -> bytes:
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _bytes(column: Any) -> Digests:
    return np.array(column.to_pylist(), "S16")


# --- parts of the output


def part(path: str, system: fs.FileSystem) -> Part:
    """Read a part whole and prove its pages and rows by their sums; ConfigError where it is whole, but no part of such a job."""
    try:
        with system.open_input_file(path) as file:
            rows = pa.parquet.ParquetFile(file, page_checksum_verification=True).read()
        rows.validate(full=True)
        found = proofs(rows)
    except Exception:  # what pyarrow raises for a damaged file has no common base
        return Part(path, None)
    if not {"id", "model", "error", DIGEST, PROOF} <= set(rows.column_names):
        raise ConfigError(f"{path}: is not of this job (no columns id, model, error, {DIGEST}, {PROOF}); give another output folder")
    if rows[PROOF].to_pylist() != found:
        return Part(path, None)
    keys = np.array([_digest(repr(python(cell))) for cell in rows["id"]], "S16")
    return Part(path, (_bytes(rows[DIGEST]), keys, np.asarray(rows["error"].is_null())))


def parts_of(target: str) -> tuple[list[str], fs.FileSystem]:
    """The Parquet files of the output; what a killed rewriting of one has begun is removed."""
    paths, system = listed(target)
    for path in paths:
        if path.endswith(".parquet.part"):
            system.delete_file(path)
    return [path for path in paths if path.endswith(".parquet")], system


def settle(target: str, system: fs.FileSystem, parts: list[Part], index: Index, *, same_input: bool) -> Settled:
    """Take out of the output what is no row of the input, or stands there too often, and set damaged parts aside as `.damaged`.

    ConfigError, and nothing touched, where a reading would be lost: its id is not in the input, or the input is another one.
    """
    whole = [one.rows for one in parts if one.rows is not None]
    empty = (np.array([], "S16"), np.array([], "S16"), np.array([], bool))
    digests, keys, read = (np.concatenate(arrays) for arrays in zip(empty, *whole, strict=True))
    done, kept = matched(index.digests, digests)
    lost = read & ~kept & ~np.isin(digests, index.digests) & ~(np.isin(keys, index.keys) if same_input else np.zeros(len(keys), bool))
    if lost.any():
        said = f"holds {int(lost.sum())} readings of rows that are not in this input"
        raise ConfigError(f"{target}: {said}; give another output folder, or the input that it was read from")
    place = 0
    for one in parts:
        if one.rows is None:
            system.move(one.path, f"{one.path}.damaged")
        else:
            mine = kept[place : place + len(one.rows[0])]
            place += len(mine)
            if not mine.all():
                _rewrite(one.path, system, mine)
    return Settled(index.places[done], int((~read[kept]).sum()))


def matched(expected: Digests, written: Digests) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows of the input (N,) stand in the output, and which of the output (M,) are of the input: each as often as both have it."""
    _, codes = np.unique(np.concatenate([expected, written]), return_inverse=True)
    wanted, found = codes[: len(expected)], codes[len(expected) :]
    size = int(codes.max(initial=-1)) + 1
    return _rank(wanted) < np.bincount(found, minlength=size)[wanted], _rank(found) < np.bincount(wanted, minlength=size)[found]


def _rank(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many equal codes stand before each."""
    order = np.argsort(codes, kind="stable")
    sorted_ = codes[order]
    ranks = np.empty(len(codes), np.int64)
    ranks[order] = np.arange(len(codes)) - np.searchsorted(sorted_, sorted_, "left")
    return ranks


def _rewrite(path: str, system: fs.FileSystem, kept: NDArray[np.bool_]) -> None:
    """Leave only some rows of a part; it is replaced whole."""
    if not kept.any():
        system.delete_file(path)
        return
    with system.open_input_file(path) as file:
        rows = pa.parquet.ParquetFile(file).read().filter(pa.array(kept))
    with system.open_output_stream(f"{path}.part") as out:
        pa.parquet.write_table(rows, out, write_page_checksum=True)
    system.move(f"{path}.part", path)


# --- the job file


def known(target: str, system: fs.FileSystem, inside: str) -> dict[str, Any] | None:
    """What `remember` wrote into the output, or None; ConfigError where it is damaged."""
    path = f"{inside}/{JOB}"
    if not system.get_file_info(path).is_file:
        return None
    with system.open_input_file(path) as file:
        return job.told(file.read(), f"{target}/{JOB}")


def remember(system: fs.FileSystem, inside: str, source: str, reader: Mapping[str, str]) -> None:
    """Write, whole or not at all, which input is read and by which reader."""
    system.create_dir(inside, recursive=True)
    with system.open_output_stream(f"{inside}/{JOB}.part") as out:
        out.write(job.said(source, reader).encode())
    system.move(f"{inside}/{JOB}.part", f"{inside}/{JOB}")


def listed(place: str | Path) -> tuple[list[str], fs.FileSystem]:
    """The files of a folder and of those in it, or the one file, in the order of their names; none where nothing is there."""
    system, inside = fs.FileSystem.from_uri(absolute(place))
    info = system.get_file_info(inside)
    if info.type != fs.FileType.Directory:
        return [inside] if info.is_file else [], system
    return sorted(found.path for found in system.get_file_info(fs.FileSelector(inside, recursive=True)) if found.is_file), system


def absolute(path: str | Path) -> str:
    """A path that means the same to every process."""
    return str(path) if "://" in str(path) else str(Path(path).absolute())
