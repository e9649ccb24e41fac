"""Gold and predictions from files: every row proved, every id answered once, before anything is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Record, parse_record, read_records, read_rows

SHOWN = 5  # ids named in a message


def read_gold(path: Path, labels: LabelSet) -> list[Record]:
    """Gold records; RecordError where a row is bad or the file has none."""
    records = list(read_records(path, labels))
    if not records:
        raise RecordError(f"{path}: no records; expected gold JSONL with id, text and incidents")
    return records


def read_predictions(path: Path, gold: Sequence[Record], labels: LabelSet) -> list[Record]:
    """Predictions in the order of gold; a row may leave out `text`, and a row with `error` counts as empty.

    RecordError names ids that are missing, unknown or repeated, texts that differ from gold's, and every bad row.
    """
    wanted = {record.id: record for record in gold}
    found: dict[str, Record] = {}
    unknown: list[str] = []
    for number, row in read_rows(path):
        where = f"{path}:{number}"
        identifier = row.get("id") if isinstance(row, dict) else None
        if not isinstance(identifier, str) or identifier not in wanted:
            unknown.append(f"line {number}: {identifier!r}")
            continue
        if identifier in found:
            raise RecordError(f"{where}: id {identifier!r} stands twice; predict every record once")
        found[identifier] = parse_record(_with_text(row, wanted[identifier], where), labels, where)
    if unknown:
        raise RecordError(f"{path}: {len(unknown)} ids are not in gold: {_some(unknown)}; predict the records of the gold file only")
    missing = [record.id for record in gold if record.id not in found]
    if missing:
        raise RecordError(f"{path}: {len(missing)} of {len(gold)} ids are missing: {_some(missing)}; predict every record, empty ones too")
    return [found[record.id] for record in gold]


def _with_text(row: Mapping[str, Any], gold: Record, where: str) -> dict[str, Any]:
    if row.get("text", gold.text) != gold.text:
        raise RecordError(f"{where}: {gold.id}: its text is not gold's; score predictions on the very texts of the gold file")
    if row.get("error") is not None:
        return {**row, "text": gold.text, "incidents": []}
    return {**row, "text": gold.text}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
