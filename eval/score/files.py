"""Gold and predictions from files: every row proved, every id answered once, before anything is scored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.records import parse_record, read_rows
from waqia.schema import Reading, Record

SHOWN = 5  # ids or rows named in a message

Row = tuple[str, Any]  # where it stands (`file:line`), and its JSON


def read_gold(path: Path, labels: LabelSet) -> list[Record]:
    """Gold records; RecordError where there are none, where ids repeat, and for all bad rows together."""
    rows = _rows(path)
    if not rows:
        raise RecordError(f"{path}: no records; expected gold JSONL with id, text and incidents")
    _refuse(path, "ids stand twice", _repeated(rows), "ids must be unique in a file")
    return _parse(path, rows, labels)


def read_predictions(path: Path, gold: Sequence[Record], labels: LabelSet) -> list[Record]:
    """Predictions in the order of gold; a row may leave out `text`, and a row with `error` needs no incidents.

    RecordError says how many ids are unknown, repeated or missing, how many texts differ from gold's, how many rows are bad, and which.
    """
    rows, wanted = _rows(path), {record.id: record for record in gold}
    found = {_id(row) for row in rows}
    unknown = [f"{_id(row)!r} ({row[0]})" for row in rows if _id(row) not in wanted]
    _refuse(path, "ids are not in gold", unknown, "predict the gold file's records only")
    _refuse(path, "ids stand twice", _repeated(rows), "predict every record once")
    _refuse(path, f"of {len(gold)} ids are missing", [i for i in wanted if i not in found], "predict every record, empty ones too")
    others = [_id(row) for row in rows if row[1].get("text", wanted[_id(row)].text) != wanted[_id(row)].text]
    _refuse(path, "texts are not gold's", others, "predict on the very texts of the gold file")
    parsed = {record.id: record for record in _parse(path, [(where, _whole(row, wanted[row["id"]])) for where, row in rows], labels)}
    return [parsed[record.id] for record in gold]


def prediction(record: Record, reading: Reading) -> Record:
    """What was read in a record's text, as a prediction."""
    error = {} if reading.error is None else {"error": reading.error}
    return Record(record.id, record.text, reading.incidents, None, {"types": reading.types, **error})


def _rows(path: Path) -> list[Row]:
    return [(f"{path}:{number}", row) for number, row in read_rows(path)]


def _id(row: Row) -> str:
    identifier = row[1].get("id") if isinstance(row[1], dict) else None
    return identifier if isinstance(identifier, str) else f"no id but {identifier!r}"


def _whole(row: Mapping[str, Any], gold: Record) -> dict[str, Any]:
    """A row with gold's text; one with `error` has nothing else."""
    if row.get("error") is not None:
        return {"id": gold.id, "text": gold.text, "incidents": [], "error": row["error"]}
    return {**row, "text": gold.text}


def _parse(path: Path, rows: Iterable[Row], labels: LabelSet) -> list[Record]:
    records, faults = [], []
    for where, row in rows:
        try:
            record = parse_record(row, labels, where)
            check_types(record, labels, where)
            records.append(record)
        except RecordError as error:
            faults.append(str(error))
    if faults:
        more = ["…"] if len(faults) > SHOWN else []
        raise RecordError("\n".join([f"{path}: {len(faults)} rows do not hold up:", *faults[:SHOWN], *more]))
    return records


def check_types(record: Record, labels: LabelSet, where: str) -> None:
    """Prove what a record says of the passage as a whole: `types` (probabilities), `passage_types` and `answers` (yes or no)."""
    types, chosen, answers = (record.extra.get(key) for key in ("types", "passage_types", "answers"))
    if types is not None and not (isinstance(types, dict) and all(_is_probability(p) for p in types.values())):
        raise RecordError(f"{where}: {record.id}: types is {types!r}, expected a probability from 0 to 1 for each incident type")
    if chosen is not None and not (isinstance(chosen, list) and all(isinstance(name, str) for name in chosen)):
        raise RecordError(f"{where}: {record.id}: passage_types is {chosen!r}, expected a list of incident types")
    if answers is not None and not (isinstance(answers, dict) and all(answer in ("yes", "no") for answer in answers.values())):
        raise RecordError(f"{where}: {record.id}: answers is {answers!r}, expected yes or no for each incident type")
    unknown = sorted({*(types or ()), *(chosen or ()), *(answers or ())} - set(labels.incident_types))
    if unknown:
        known = ", ".join(labels.incident_types)
        raise RecordError(f"{where}: {record.id}: incident types {unknown} are not in {labels.name}; expected {known}")


def _is_probability(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1


def _repeated(rows: Sequence[Row]) -> list[str]:
    return [repr(name) for name, times in Counter(map(_id, rows)).items() if times > 1]


def _refuse(path: Path, what: str, names: Sequence[str], then: str) -> None:
    if names:
        shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        raise RecordError(f"{path}: {len(names)} {what}: {shown}; {then}")
