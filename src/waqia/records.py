"""Records on disk: JSONL rows proved against the label set, every span against the raw text, and written back equal."""

from __future__ import annotations

import datetime
import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Id, Incident, Participant, Record, Span

_DATE = re.compile(r"\d{4}(-\d\d){0,2}")
_PASSAGE = ("types", "passage_types", "answers")  # what a row may say of its text as a whole
_SPAN, _PARTICIPANT, _INCIDENT = (tuple(field.name for field in fields(kind)) for kind in (Span, Participant, Incident))
_OURS = ("incidents", "annotated", *_PASSAGE)  # a field that is nearly one of these is a slip


def parse_record(row: Any, labels: LabelSet, where: str) -> Record:
    """Prove one row against a label set; RecordError lists every fault, one a line, each beginning with `where`."""
    faults: list[str] = []
    record = _record(row, labels, where, faults)
    if faults or record is None:
        raise RecordError("\n".join(faults))
    return record


def read_records(path: str | Path, labels: LabelSet) -> Iterator[Record]:
    """Yield the records of a JSONL file; RecordError (`file:line: what, found, expected`) at the first bad row or repeated id."""
    for found in prove(each_row(path), labels):
        if isinstance(found, RecordError):
            raise found
        yield found


def prove(rows: Iterable[tuple[str, Any]], labels: LabelSet) -> Iterator[Record | RecordError]:
    """The record of each row of a file (`file:line`, its JSON or why there is none), or what is wrong with it; an id may stand once."""
    first: dict[str, str] = {}
    for where, row in rows:
        try:
            if isinstance(row, RecordError):
                raise row
            record = parse_record(row, labels, where)
            said = id_key(record.id)
            if said in first:
                line = first[said].rpartition(":")[2]
                raise RecordError(f"{where}: id {record.id!r} stands already in line {line}; ids must be unique in a file")
        except RecordError as error:
            yield error
        else:
            first[said] = where
            yield record


def id_key(name: Id) -> str:
    """An id as JSON: what tells 7 from "7", 1 from 1.0 and from true, which are equal or not in Python as it likes."""
    return json.dumps(name, ensure_ascii=False)


def each_row(path: str | Path) -> Iterator[tuple[str, Any]]:
    """`file:line` and decoded JSON of every line that is not blank, the RecordError itself where a line has none."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{path}:{number}"
                try:
                    yield where, parse_line(line, where)
                except RecordError as error:
                    yield where, error


def read_rows(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number, decoded JSON) for every line of a JSONL file that is not blank; RecordError names file and line."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, parse_line(line, f"{path}:{number}")


def parse_line(line: bytes, where: str) -> Any:
    """Decode one JSONL line; RecordError tells wrong encoding, broken JSON, and what JSON allows or Python adds but records cannot keep.

    That is a key twice in one object, NaN and Infinity, numbers of thousands of digits, nesting thousands deep.
    """
    try:
        return json.loads(line.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: byte {error.start} is no UTF-8; save the file as UTF-8") from error
    except _RefusedError as error:
        raise RecordError(f"{where}: {error}") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"{where}: no JSON ({error}); every line must be one whole JSON object") from error
    except RecursionError as error:
        raise RecordError(f"{where}: nested too deeply to be read; a record has lists and objects a few levels deep") from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise RecordError(f"{where}: a whole number with thousands of digits; put it in quotes if it is meant") from error


class _RefusedError(Exception):
    """Valid for Python's JSON reader, not for a record."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError(f"key {twice!r} stands twice in one object; only one of its values would be kept: remove the other")
    return made


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise _RefusedError(f"found {number}, which is no finite number; write null where there is none")
    return value


def write_records(path: str | Path, records: Iterable[Record]) -> None:
    """Write records as JSONL, one a line, Arabic unescaped."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for record in records:
            out.write(dump_row(record.to_dict()) + "\n")


def dump_row(row: Mapping[str, Any]) -> str:
    """One JSON line; lone surrogates are escaped, since UTF-8 cannot hold them."""
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(row)
    return line


def _record(row: Any, labels: LabelSet, where: str, faults: list[str]) -> Record | None:
    if not isinstance(row, dict):
        faults.append(f"{where}: found {type(row).__name__}, expected an object with id, text and incidents")
        return None
    name = row.get("id")
    if not isinstance(name, (str, int, float)) or (isinstance(name, str) and name.splitlines() != [name]):
        faults.append(f"{where}: id is {name!r}, expected text on one line that is not empty, or a number")
    where = f"{where}: {str(name)[:80]!r}" if faults else f"{where}: {name}"
    _slips(row, _OURS, where, faults)
    if not isinstance(row.get("text"), str):
        faults.append(f"{where}: text is {row.get('text')!r}, expected text")
    if not isinstance(row.get("incidents"), list):
        faults.append(f"{where}: incidents is {row.get('incidents')!r}, expected a list (empty where nothing happened)")
    annotated = row.get("annotated")
    if annotated is not None and not (isinstance(annotated, list) and all(_is_type(name, labels) for name in annotated)):
        faults.append(f"{where}: annotated is {annotated!r}, expected a list of incident types of {labels.name}")
    _passage(row, labels, where, faults)
    if faults:
        return None
    incidents = tuple(_incident(item, row["text"], labels, f"{where} incident {n}", faults) for n, item in enumerate(row["incidents"]))
    if faults:
        return None
    known = [incident for incident in incidents if incident is not None]
    _no_twins(known, where, faults)
    _only_asked(known, annotated, where, faults)
    extra = {key: value for key, value in row.items() if key not in {"id", "text", "incidents", "annotated"}}
    return Record(row["id"], row["text"], tuple(known), None if annotated is None else tuple(annotated), extra)


def _no_twins(incidents: list[Incident], where: str, faults: list[str]) -> None:
    for number, incident in enumerate(incidents):
        if incident in incidents[:number]:
            again = f"the {incident.type} at trigger {incident.trigger.text!r} stands twice, the same in every part"
            faults.append(f"{where} incident {number}: {again}; one happening is one incident")


def _only_asked(incidents: list[Incident], annotated: list[str] | None, where: str, faults: list[str]) -> None:
    for number, incident in enumerate(incidents):
        if annotated is not None and incident.type not in annotated:
            advice = "list its type there, or leave the incident out"
            faults.append(f"{where} incident {number}: {incident.type} stands not among annotated ({', '.join(annotated)}); {advice}")


def _passage(row: Mapping[str, Any], labels: LabelSet, where: str, faults: list[str]) -> None:
    """Prove what a row says of its text as a whole: `types` (probabilities), `passage_types` and `answers` (yes or no)."""
    types, chosen, answers = (row.get(key) for key in _PASSAGE)
    if types is not None and not (isinstance(types, dict) and all(_is_probability(p) for p in types.values())):
        faults.append(f"{where}: types is {types!r}, expected a probability from 0 to 1 for each incident type")
    if chosen is not None and not (isinstance(chosen, list) and all(isinstance(name, str) for name in chosen)):
        faults.append(f"{where}: passage_types is {chosen!r}, expected a list of incident types")
    if answers is not None and not (isinstance(answers, dict) and all(answer in ("yes", "no") for answer in answers.values())):
        faults.append(f"{where}: answers is {answers!r}, expected yes or no for each incident type")
    if faults:
        return
    unknown = sorted({*(types or ()), *(chosen or ()), *(answers or ())} - set(labels.incident_types))
    if unknown:
        faults.append(f"{where}: incident types {unknown} are not in {labels.name}; expected {', '.join(labels.incident_types)}")


def _is_probability(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _is_type(name: Any, labels: LabelSet) -> bool:
    return isinstance(name, str) and name in labels.incident_types


def _slips(item: Mapping[str, Any], known: Iterable[str], where: str, faults: list[str], *, others: bool = True) -> None:
    """Fields that are nearly a known one that is missing; without `others`, every unknown field."""
    free = [name for name in known if name not in item]
    for key in item.keys() - set(known):
        near = difflib.get_close_matches(key.strip().lower(), free, 1, 0.8)
        if near:
            faults.append(f"{where}: unknown field {key!r}; did you mean {near[0]!r}?")
        elif not others:
            faults.append(f"{where}: unknown field {key!r}; expected {', '.join(known)}; only the record itself may have fields of its own")


def _incident(item: Any, raw: str, labels: LabelSet, where: str, faults: list[str]) -> Incident | None:
    if not isinstance(item, dict):
        faults.append(f"{where}: found {type(item).__name__}, expected an object")
        return None
    _slips(item, _INCIDENT, where, faults, others=False)
    _known(item, "type", labels.incident_types, where, faults)
    _known(item, "status", labels.statuses, where, faults)
    trigger = _span(item.get("trigger"), raw, f"{where} trigger", faults, _SPAN)
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
    return Incident(item["type"], item["status"], trigger, known, score, others, date, killed, injured, _facts(item, where, faults))


def _facts(item: Mapping[str, Any], where: str, faults: list[str]) -> Mapping[str, Any] | None:
    facts = item.get("facts")
    if facts is not None and not isinstance(facts, dict):
        faults.append(f"{where}: facts is {facts!r}, expected an object")
        return None
    return facts


def _participant(item: Any, raw: str, labels: LabelSet, where: str, faults: list[str]) -> Participant | None:
    span = _span(item, raw, where, faults, _PARTICIPANT)
    if span is None:
        return None
    _known(item, "role", labels.roles, where, faults)
    role, sector = labels.roles.get(str(item.get("role"))), item.get("sector")
    if role is not None and role.sector and not (isinstance(sector, str) and sector in labels.sectors):
        faults.append(f"{where}: {item['role']} has sector {sector!r}, expected one of {', '.join(labels.sectors)}")
    if role is not None and not role.sector and sector is not None:
        faults.append(f"{where}: {item['role']} has sector {sector!r}, expected null: only actors have one")
    score = _parse_score(item, where, faults)
    others = () if item.get("mentions") is None else _mentions(item["mentions"], span, raw, where, faults)
    return None if faults else Participant(span.start, span.end, span.text, item["role"], sector, score, others)


def _mentions(items: Any, first: Span | None, raw: str, where: str, faults: list[str]) -> tuple[Span, ...]:
    """Further mentions beside the first: a list of spans, none of them twice."""
    if not isinstance(items, list):
        faults.append(f"{where}: mentions is {items!r}, expected a list of spans")
        return ()
    spans: list[Span] = []
    for number, item in enumerate(items):
        span = _span(item, raw, f"{where} mention {number}", faults, _SPAN)
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


def _span(item: Any, raw: str, where: str, faults: list[str], known: tuple[str, ...]) -> Span | None:
    if not isinstance(item, dict):
        faults.append(f"{where}: found {item!r}, expected an object with start, end and text")
        return None
    _slips(item, known, where, faults, others=False)
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
