"""Gold and predictions from files: every row proved, every id answered once, before anything is scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.records import prove, read_rows
from waqia.schema import Id, Reading, Record

SHOWN = 5  # ids or rows named in a message

Row = tuple[str, Any]  # where it stands (`file:line`), and its JSON


def read_gold(path: Path, labels: LabelSet) -> list[Record]:
    """Gold records; RecordError where there are none, where ids repeat, and for all bad rows together."""
    rows = _rows(path)
    if not rows:
        raise RecordError(f"{path}: no records; expected gold JSONL with id, text and incidents")
    return _parse(path, rows, labels)


def read_predictions(path: Path, gold: Sequence[Record], labels: LabelSet) -> list[Record]:
    """Predictions in the order of gold; a row may leave out `text`, and a row with `error` needs no incidents.

    RecordError says how many ids are unknown, repeated or missing, how many texts differ from gold's, how many rows are bad, and which.
    """
    rows, wanted = _rows(path), {record.id: record for record in gold}
    found = {_id(row) for row in rows}
    unknown = [f"{_id(row)!r} ({row[0]})" for row in rows if _id(row) not in wanted]
    _refuse(path, "ids are not in gold", unknown, "predict the gold file's records only")
    _refuse(path, f"of {len(gold)} ids are missing", [str(i) for i in wanted if i not in found], "predict every record, empty ones too")
    others = [str(_id(row)) for row in rows if row[1].get("text", wanted[_id(row)].text) != wanted[_id(row)].text]
    _refuse(path, "texts are not gold's", others, "predict on the very texts of the gold file")
    parsed = {record.id: record for record in _parse(path, [(where, _whole(row, wanted[row["id"]])) for where, row in rows], labels)}
    return [parsed[record.id] for record in gold]


def prediction(record: Record, reading: Reading) -> Record:
    """What was read in a record's text, as a prediction."""
    error = {} if reading.error is None else {"error": reading.error}
    return Record(record.id, record.text, reading.incidents, None, {"types": reading.types, **error})


def _rows(path: Path) -> list[Row]:
    return [(f"{path}:{number}", row) for number, row in read_rows(path)]


def _id(row: Row) -> Id:
    identifier = row[1].get("id") if isinstance(row[1], dict) else None
    return identifier if isinstance(identifier, (str, int, float)) else f"no id but {identifier!r}"


def _whole(row: Mapping[str, Any], gold: Record) -> dict[str, Any]:
    """A row with gold's text; one with `error` has nothing else."""
    if row.get("error") is not None:
        return {"id": gold.id, "text": gold.text, "incidents": [], "error": row["error"]}
    return {**row, "text": gold.text}


def _parse(path: Path, rows: Iterable[Row], labels: LabelSet) -> list[Record]:
    found = list(prove(rows, labels))
    faults = [str(error) for error in found if isinstance(error, RecordError)]
    if faults:
        more = ["…"] if len(faults) > SHOWN else []
        raise RecordError("\n".join([f"{path}: {len(faults)} rows do not hold up:", *faults[:SHOWN], *more]))
    return [record for record in found if isinstance(record, Record)]


def _refuse(path: Path, what: str, names: Sequence[str], then: str) -> None:
    if names:
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        raise RecordError(f"{path}: {len(names)} {what}: {shown}; {then}")
