"""Records on disk: JSONL rows proved against the label set, every span against the raw text, and written back equal."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Record, Span

_DATE = re.compile(r"\d{4}(-\d\d){0,2}")


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
    others = None if item.get("mentions") is None else _mentions(item["mentions"], trigger, raw, where, faults)
    date, killed, injured = _date(item, where, faults), _total(item, "killed", where, faults), _total(item, "injured", where, faults)
    seen: set[tuple[str, int, int]] = set()
    for number, p in enumerate(participants):
        if p is not None and (p.role, p.start, p.end) in seen:
            faults.append(f"{where} participant {number}: {p.role} {p.text!r} twice; name each actor once an incident")
        elif p is not None:
            seen.add((p.role, p.start, p.end))
    if faults or trigger is None:
        return None
    known = tuple(p for p in participants if p is not None)
    return Incident(item["type"], item["status"], trigger, known, score, others, date, killed, injured)


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
    others = _mentions(item.get("mentions", []), span, raw, where, faults)
    return None if faults else Participant(span.start, span.end, span.text, item["role"], sector, score, others)


def _mentions(items: Any, first: Span | None, raw: str, where: str, faults: list[str]) -> tuple[Span, ...]:
    """Further mentions beside the first: a list of spans, none of them twice."""
    if not isinstance(items, list):
        faults.append(f"{where}: mentions is {items!r}, expected a list of spans")
        return ()
    spans: list[Span] = []
    for number, item in enumerate(items):
        span = _span(item, raw, f"{where} mention {number}", faults)
        if span is not None and ((first is not None and (span.start, span.end) == (first.start, first.end)) or span in spans):
            faults.append(f"{where} mention {number}: {span.text!r} at {span.start}:{span.end} twice; list each mention once")
        elif span is not None:
            spans.append(span)
    return tuple(spans)


def _date(item: Mapping[str, Any], where: str, faults: list[str]) -> str | None:
    """A day, month or year, or two days with a slash; each must exist in the calendar, the end not before the start."""
    said = item.get("date")
    if said is None:
        return None
    try:
        ends = [datetime.date.fromisoformat(end + "-01-01"[len(end) - 4 :][: 10 - len(end)]) for end in said.split("/")]
        good = len(ends) <= 2 and ends == sorted(ends) and all(_DATE.fullmatch(end) for end in said.split("/"))
    except (ValueError, AttributeError):
        good = False
    if not good:
        faults.append(f'{where}: date is {said!r}, expected "YYYY-MM-DD", "YYYY-MM", "YYYY" or two of them as "start/end"')
        return None
    return str(said)


def _total(item: Mapping[str, Any], key: str, where: str, faults: list[str]) -> int | None:
    count = item.get(key)
    if count is None or (type(count) is int and count >= 0):
        return count
    faults.append(f"{where}: {key} is {count!r}, expected a whole number from 0")
    return None


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
