"""Records: a text with its incidents, every span proved against the raw text; JSONL in, equal JSONL out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waqia.errors import RecordError
from waqia.labels import LabelSet


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open slice [start, end) of a record's raw text, in code points."""

    start: int
    end: int
    text: str

    def check(self, raw: str, where: str) -> None:
        """Raise RecordError unless the span is not empty and raw[start:end] is its text."""
        if not 0 <= self.start < self.end <= len(raw):
            size = f"the text of {len(raw)} characters"
            raise RecordError(f"{where}: span {self.start}:{self.end} lies outside {size} or is empty; offsets are half-open code points")
        found = raw[self.start : self.end]
        if found != self.text:
            hint = _utf16_hint(self, raw)
            raise RecordError(f"{where}: {self.start}:{self.end} reads {found!r}, labelled {self.text!r}{hint}; offsets index the raw text")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order in which records are written."""
        return {"start": self.start, "end": self.end, "text": self.text}


@dataclass(frozen=True, slots=True)
class Participant(Span):
    """A span with its role in an incident; actors carry a sector, and predictions a score in [0, 1]."""

    role: str
    sector: str | None
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order in which records are written."""
        return {"role": self.role, "sector": self.sector, **_score(self.score), **Span.to_dict(self)}


@dataclass(frozen=True, slots=True)
class Incident:
    """One happening: its type and status, the trigger that names it, and who and what takes part in it."""

    type: str
    status: str
    trigger: Span
    participants: tuple[Participant, ...] = ()
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order in which records are written."""
        return {
            "type": self.type,
            "status": self.status,
            **_score(self.score),
            "trigger": self.trigger.to_dict(),
            "participants": [participant.to_dict() for participant in self.participants],
        }


@dataclass(frozen=True, slots=True)
class Record:
    """One JSONL row: a text and its incidents.

    `annotated` lists the incident types that the annotators were asked about (None: all of the label set); outside it, silence
    says nothing. `extra` keeps every other field of the row, so that nothing is lost between reading and writing.
    """

    id: str
    text: str
    incidents: tuple[Incident, ...] = ()
    annotated: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `parse_record` reads back to an equal record."""
        asked = {} if self.annotated is None else {"annotated": list(self.annotated)}
        return {"id": self.id, **self.extra, "text": self.text, **asked, "incidents": [incident.to_dict() for incident in self.incidents]}


@dataclass(frozen=True, slots=True)
class Reading:
    """What Waqia read in one text.

    `types` gives for every incident type the calibrated probability that the text reports one; `windows` counts the slices that
    were read, `truncated` says whether any of the text was left unread, `error` why there is no reading (None: all went well).
    """

    incidents: tuple[Incident, ...] = ()
    types: Mapping[str, float] = field(default_factory=dict)
    windows: int = 0
    truncated: bool = False
    label_set: str = ""
    model: str = ""
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `incidents` has the form of a record's."""
        return {
            "incidents": [incident.to_dict() for incident in self.incidents],
            "types": dict(self.types),
            "windows": self.windows,
            "truncated": self.truncated,
            "label_set": self.label_set,
            "model": self.model,
            "error": self.error,
        }


def parse_record(row: Any, labels: LabelSet, where: str) -> Record:
    """Prove one row against a label set; RecordError lists every fault, one a line, each beginning with `where`."""
    faults: list[str] = []
    record = _record(row, labels, where, faults)
    if faults or record is None:
        raise RecordError("\n".join(faults))
    return record


def read_records(path: str | Path, labels: LabelSet) -> Iterator[Record]:
    """Yield the records of a JSONL file; RecordError (`file:line: what, found, expected`) at the first bad row or repeated id."""
    first_line: dict[str, int] = {}
    for number, row in read_rows(path):
        record = parse_record(row, labels, f"{path}:{number}")
        if record.id in first_line:
            earlier = f"stands already in line {first_line[record.id]}"
            raise RecordError(f"{path}:{number}: id {record.id!r} {earlier}; ids must be unique in a file")
        first_line[record.id] = number
        yield record


def read_rows(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number, decoded JSON) for every line of a JSONL file that is not blank; RecordError names file and line."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, parse_line(line, f"{path}:{number}")


def parse_line(line: bytes, where: str) -> Any:
    """Decode one JSONL line; RecordError tells wrong encoding and broken JSON apart."""
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: byte {error.start} is no UTF-8; save the file as UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise RecordError(f"{where}: no JSON ({error}); every line must be one whole JSON object") from error


def write_records(path: str | Path, records: Iterable[Record]) -> None:
    """Write records as JSONL, one a line, Arabic unescaped."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for record in records:
            out.write(dump_row(record.to_dict()) + "\n")


def dump_row(row: Mapping[str, Any]) -> str:
    """One JSON line; lone surrogates are escaped, since UTF-8 cannot hold them."""
    line = json.dumps(row, ensure_ascii=False)
    return line if line.isascii() or not any("\ud800" <= c <= "\udfff" for c in line) else json.dumps(row)


def _record(row: Any, labels: LabelSet, where: str, faults: list[str]) -> Record | None:
    if not isinstance(row, dict):
        faults.append(f"{where}: found {type(row).__name__}, expected an object with id, text and incidents")
        return None
    if not isinstance(row.get("id"), str) or not row["id"]:
        faults.append(f"{where}: id is {row.get('id')!r}, expected text that is not empty")
    where = f"{where}: {row.get('id')}"
    if not isinstance(row.get("text"), str):
        faults.append(f"{where}: text is {row.get('text')!r}, expected text")
    if not isinstance(row.get("incidents"), list):
        faults.append(f"{where}: incidents is {row.get('incidents')!r}, expected a list (empty where nothing happened)")
    annotated = row.get("annotated")
    if annotated is not None and not (isinstance(annotated, list) and all(name in labels.incident_types for name in annotated)):
        faults.append(f"{where}: annotated is {annotated!r}, expected a list of incident types of {labels.name}")
    if faults:
        return None
    incidents = tuple(_incident(item, row["text"], labels, f"{where} incident {n}", faults) for n, item in enumerate(row["incidents"]))
    if faults:
        return None
    known = [incident for incident in incidents if incident is not None]
    _no_twins(known, where, faults)
    extra = {key: value for key, value in row.items() if key not in {"id", "text", "incidents", "annotated"}}
    return Record(row["id"], row["text"], tuple(known), None if annotated is None else tuple(annotated), extra)


def _no_twins(incidents: list[Incident], where: str, faults: list[str]) -> None:
    for number, incident in enumerate(incidents):
        if incident in incidents[:number]:
            again = f"the {incident.type} at trigger {incident.trigger.text!r} stands twice, the same in every part"
            faults.append(f"{where} incident {number}: {again}; one happening is one incident")


def _incident(item: Any, raw: str, labels: LabelSet, where: str, faults: list[str]) -> Incident | None:
    if not isinstance(item, dict):
        faults.append(f"{where}: found {type(item).__name__}, expected an object")
        return None
    _known(item, "type", labels.incident_types, where, faults)
    _known(item, "status", labels.statuses, where, faults)
    trigger = _span(item.get("trigger"), raw, f"{where} trigger", faults)
    if not isinstance(item.get("participants"), list):
        faults.append(f"{where}: participants is {item.get('participants')!r}, expected a list")
        return None
    participants = [_participant(p, raw, labels, f"{where} participant {n}", faults) for n, p in enumerate(item["participants"])]
    score = _parse_score(item, where, faults)
    seen: set[tuple[str, int, int]] = set()
    for number, p in enumerate(participants):
        if p is not None and (p.role, p.start, p.end) in seen:
            faults.append(f"{where} participant {number}: {p.role} {p.text!r} twice; name each actor once an incident")
        elif p is not None:
            seen.add((p.role, p.start, p.end))
    if faults or trigger is None:
        return None
    return Incident(item["type"], item["status"], trigger, tuple(p for p in participants if p is not None), score)


def _participant(item: Any, raw: str, labels: LabelSet, where: str, faults: list[str]) -> Participant | None:
    span = _span(item, raw, where, faults)
    if span is None:
        return None
    _known(item, "role", labels.roles, where, faults)
    role, sector = labels.roles.get(item.get("role")), item.get("sector")
    if role is not None and role.sector and not (isinstance(sector, str) and sector in labels.sectors):
        faults.append(f"{where}: {item['role']} has sector {sector!r}, expected one of {', '.join(labels.sectors)}")
    if role is not None and not role.sector and sector is not None:
        faults.append(f"{where}: {item['role']} has sector {sector!r}, expected null: only actors have one")
    score = _parse_score(item, where, faults)
    return None if faults else Participant(span.start, span.end, span.text, item["role"], sector, score)


def _span(item: Any, raw: str, where: str, faults: list[str]) -> Span | None:
    if not isinstance(item, dict):
        faults.append(f"{where}: found {item!r}, expected an object with start, end and text")
        return None
    start, end, text = item.get("start"), item.get("end"), item.get("text")
    if type(start) is not int or type(end) is not int or not isinstance(text, str):
        faults.append(f"{where}: start {start!r}, end {end!r}, text {text!r}; expected two whole numbers and text")
        return None
    span = Span(start, end, text)
    try:
        span.check(raw, where)
    except RecordError as error:
        faults.append(str(error))
        return None
    return span


def _known(item: Mapping[str, Any], key: str, allowed: Mapping[str, Any], where: str, faults: list[str]) -> None:
    value = item.get(key)
    if not isinstance(value, str) or value not in allowed:
        faults.append(f"{where}: {key} is {value!r}, expected one of {', '.join(allowed)}")


def _parse_score(item: Mapping[str, Any], where: str, faults: list[str]) -> float | None:
    score = item.get("score")
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score) or not 0 <= score <= 1:
        faults.append(f"{where}: score is {score!r}, expected a number from 0 to 1")
        return None
    return float(score)


def _score(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": score}


def _utf16_hint(span: Span, raw: str) -> str:
    units = raw.encode("utf-16-le", "surrogatepass")
    read = units[2 * span.start : 2 * span.end].decode("utf-16-le", "replace")
    return "; counted in UTF-16 units it would read right: convert the offsets to code points" if read == span.text else ""
