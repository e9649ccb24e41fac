"""Files of annotation tools to records and back; which tool wrote a file shows in the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waqia.errors import ConfigError, RecordError
from waqia.formats import brat, conll, doccano, label_studio, prodigy, spacy_docbin
from waqia.formats.graph import Remark
from waqia.formats.table import defused
from waqia.frame import table
from waqia.labels import LabelSet
from waqia.records import dump_row, each_row, prove, read_rows, write_records
from waqia.schema import Record

FORMATS = ("records", "label-studio", "doccano", "brat", "prodigy", "conll", "spacy")
WRITTEN = (*FORMATS, "csv")  # a table of incidents is written, not read
_CONLL = (".conll", ".iob", ".iob2", ".bio")
_ENDINGS = {".csv": "csv", ".spacy": "spacy", **dict.fromkeys(_CONLL, "conll")}


def named_format(path: Path) -> str:
    """Which of WRITTEN the ending of an output asks for; records where it asks for none."""
    return _ENDINGS.get(path.suffix.lower(), "records")


def find_format(path: Path) -> str:
    """Which of FORMATS a file or folder is in; RecordError says what was found and what is read."""
    if path.is_dir():
        if any(path.glob("*.ann")):
            return "brat"
        raise RecordError(f"{path}: found a folder without .ann files; read are {_READ}")
    if path.suffix == ".spacy":
        return "spacy"
    if path.suffix in _CONLL:
        return "conll"
    with path.open("rb") as lines:
        first = lines.read(1 << 16).lstrip(b"\xef\xbb\xbf \t\r\n")
    if first[:1] == b"[":
        return "label-studio"
    try:
        row = next((row for _, row in read_rows(path)), None)
    except RecordError:
        row = None
    keys = set(row) if isinstance(row, dict) else set()
    for field, form in (("incidents", "records"), ("entities", "doccano"), ("label", "doccano"), ("spans", "prodigy")):
        if field in keys:
            return form
    found = f"JSON objects with {', '.join(sorted(keys)[:6])}" if keys else f"{first[:40].decode('utf-8', 'replace')!r}"
    raise RecordError(f"{path}: found {found}; read are {_READ}; say which with --from")


_READ = "records (JSONL), Label Studio (JSON), doccano and Prodigy (JSONL), a brat folder, CoNLL (.conll) and spaCy (.spacy)"


def read_file(path: Path, form: str, labels: LabelSet, *, unit: str | None = None) -> tuple[list[Record], list[Remark]]:
    """Records of a file in one of FORMATS; RecordError lists every fault, one a line."""
    if form == "records":
        return _records(path, labels), []
    if form == "label-studio":
        return label_studio.read(_json(path), labels, str(path), unit=unit)
    if form == "doccano":
        return doccano.read(read_rows(path), labels, str(path), unit=unit)
    if form == "prodigy":
        return prodigy.read(read_rows(path), labels, str(path), unit=unit)
    if form == "brat":
        names = sorted(path.glob("*.ann"))
        return brat.read([(p.stem, _text(p.with_suffix(".txt")), _text(p)) for p in names], labels, unit=unit)
    if form == "conll":
        return conll.read(_text(path), labels, str(path))
    if form == "spacy":
        return spacy_docbin.read(path.read_bytes(), labels, str(path))
    raise ConfigError(f"format {form!r} is unknown, expected one of {', '.join(FORMATS)}")


def write_file(path: Path, form: str, records: Sequence[Record], labels: LabelSet, *, prelabel: bool = False) -> list[Remark]:
    """Write records in one of WRITTEN (brat: a folder); the remarks list what could not be expressed."""
    if form == "records":
        write_records(path, records)
        return []
    if form == "label-studio":
        tasks, remarks = label_studio.write(records, labels, prelabel=prelabel)
        _write(path, "[\n" + ",\n".join(map(dump_row, tasks)) + "\n]\n")
        return remarks
    if form in ("doccano", "prodigy"):
        rows, remarks = doccano.write(records, labels) if form == "doccano" else prodigy.write(records, labels)
        _write(path, "".join(f"{dump_row(row)}\n" for row in rows))
        return remarks
    if form == "brat":
        return _write_brat(path, records, labels)
    if form == "conll":
        text, remarks = conll.write(records, labels)
        _write(path, text)
        return remarks
    if form == "spacy":
        data, remarks = spacy_docbin.write(records, labels)
        path.write_bytes(data)
        return remarks
    if form == "csv":
        return _write_csv(path, records, labels)
    raise ConfigError(f"format {form!r} is unknown, expected one of {', '.join(WRITTEN)}")


def _write_csv(path: Path, records: Sequence[Record], labels: LabelSet) -> list[Remark]:
    """A row an incident, as `waqia.to_frame` has them, with the mark by which Excel knows UTF-8."""
    columns = table(records, labels)
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        cells = list(zip(*columns.values(), strict=True))
        writer.writerows([defused(cell) for cell in row] for row in cells)
    formula = "cell that a spreadsheet takes for a formula, with an apostrophe before it"
    safe = [Remark(formula, str(row[0])) for row in cells for cell in row if defused(cell) != cell]
    return safe + [Remark("text without incidents has no row", str(record.id)) for record in records if not record.incidents]


def _records(path: Path, labels: LabelSet) -> list[Record]:
    """As `read_records`, but every fault of the file is told."""
    proved = list(prove(each_row(path), labels))
    faults = [str(found) for found in proved if isinstance(found, RecordError)]
    if faults:
        raise RecordError("\n".join(faults))
    return [found for found in proved if isinstance(found, Record)]


def _write_brat(folder: Path, records: Sequence[Record], labels: LabelSet) -> list[Remark]:
    documents, remarks = brat.write(records, labels)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (text, notes) in documents.items():
        _write(folder / f"{name}.txt", text)
        _write(folder / f"{name}.ann", notes)
    for name, content in brat.configuration(labels).items():
        _write(folder / name, content)
    return remarks


def _text(path: Path) -> str:
    """The file as it is, line ends too."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}: no JSON ({error}); export as JSON from Label Studio") from error


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
