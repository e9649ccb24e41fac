"""Events as a table, a row an event: ACLED's columns, plain columns, PLOVER JSON, GeoJSON; as CSV, Parquet or a workbook.

Every row keeps its sources and the offsets that tell its figures. What is not known is empty; no id of ACLED is invented, and what ACLED
knows and Waqia does not (associated actors, admin2, admin3 of the packaged gazetteer) stays empty too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from waqia.arabic import encodable, sentence_starts
from waqia.document.gazetteer import Gazetteer
from waqia.errors import ConfigError, RecordError
from waqia.labels import LabelSet

ACLED_TYPES = (  # of its codebook; both they and their sub-types may hold a slash
    "Battles",
    "Explosions/Remote violence",
    "Violence against civilians",
    "Protests",
    "Riots",
    "Strategic developments",
)
INTER = {  # ACLED's names of actor types for our sectors; what is none of these has none
    **dict.fromkeys(("GOV", "MIL", "COP", "SPY", "JUD", "LEG"), "State forces"),
    "REB": "Rebel group",
    "PRM": "Political militia",
    "CRM": "Political militia",
    "UAF": "Political militia",
    "IGO": "External/Other forces",
    **dict.fromkeys(("CVL", "REF", "BUS", "LAB", "EDU", "JRN", "MED", "REL", "SOC", "NGO", "OPP", "PTY"), "Civilians"),
}
PROTEST = {"protests": "Protesters", "riots": "Rioters"}  # who civilians are in events of these groups
SIDES = ("initiators", "targets")  # the columns of the label set's actor roles
FORMATS = ("csv", "acled", "plover", "geojson", "parquet", "xlsx")
_PLAIN = ("event_id", "type", "event_date", "end_date", "date_from", "time_precision", "location", "latitude", "longitude", "geo_precision")
_COUNTS = ("country", "admin1", "killed_min", "killed_max", "injured_min", "injured_max")
COLUMNS = (*_PLAIN, *_COUNTS, "initiators", "targets", "roles", "sources", "offsets", "notes")
_ACLED_WHEN = ("event_date", "year", "time_precision", "event_type", "sub_event_type", "actor1", "assoc_actor_1", "inter1")
_ACLED_WHERE = ("actor2", "assoc_actor_2", "inter2", "civilian_targeting", "country", "admin1", "admin2", "admin3", "location")
ACLED = (*_ACLED_WHEN, *_ACLED_WHERE, "latitude", "longitude", "geo_precision", "source", "notes", "fatalities")
OWN = ("event_id", "date_from", "killed_max", "injured_min", "injured_max", "initiators", "targets", "roles", "sources", "offsets")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
SOURCE_COLUMNS = ("event_id", "id", "number", "source", "date", "type", "status", "trigger", "start", "end", "sentence")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")  # what XML cannot hold
_CELL = 32_767  # characters that a cell of a workbook holds


def write(path: Path, events: Iterable[Mapping[str, Any]], form: str, labels: LabelSet) -> None:
    """Write events (lines of `waqia link`) in one of FORMATS; ConfigError where the library of a format is not installed."""
    if form == "parquet":
        _parquet(path, [_row(event, labels) for event in events])
    elif form == "xlsx":
        _workbook(path, list(events), labels)
    else:
        path.write_text(table(events, form, labels), "utf-8")


def table(events: Iterable[Mapping[str, Any]], form: str, labels: LabelSet) -> str:
    """Events in one of the FORMATS that are text; RecordError where a type is not in the label set."""
    rows = [_row(event, labels) for event in events]
    if form == "geojson":
        return json.dumps({"type": "FeatureCollection", "features": [_feature(row) for row in rows]}, ensure_ascii=False) + "\n"
    if form == "plover":
        return json.dumps([_plover(row, labels) for row in rows], ensure_ascii=False) + "\n"
    if form == "acled":
        return _csv([{**row, **_acled(row, labels)} for row in rows], (*ACLED, *OWN))
    return _csv(rows, COLUMNS)


def named_format(path: Path) -> str:
    """The format that a file's ending names: csv, parquet, xlsx or geojson; else csv."""
    ending = path.suffix.lower().removeprefix(".")
    return ending if ending in ("parquet", "xlsx", "geojson") else "csv"


def defused(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula, with an apostrophe before it; numbers stay."""
    return "'" + cell if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def sentence(passages: Sequence[Mapping[str, Any]], start: int) -> str:
    """The sentence of a source in which an offset of its text lies, on one line; empty where no passage has it."""
    for passage in passages:
        text, at = passage["text"], start - passage["start"]
        if 0 <= at < len(text):
            starts = sentence_starts(text)
            first = max(each for each in starts if each <= at)
            last = min((each for each in starts if each > at), default=len(text))
            return " ".join(text[first:last].split())
    return ""


def _row(event: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    if event["type"] not in labels.incident_types:
        raise RecordError(f"event {event['id']!r}: type {event['type']!r} is not in the label set {labels.name}; give its label set")
    at, where, killed, injured = (event.get(name) or {} for name in ("at", "where", "killed", "injured"))
    telling = [source for source in event["sources"] if source["incident"] is not None]
    return {
        "event_id": event["id"],
        "type": event["type"],
        "event_date": event["start"],
        "end_date": event["end"],
        "date_from": None if event["start"] is None else "text" if event["told_by"].get("date") else "publication",
        "time_precision": event["time_precision"],
        "location": event["place"],
        "latitude": at.get("latitude"),
        "longitude": at.get("longitude"),
        "geo_precision": _geo_precision(where),
        "country": _countries().get(where.get("country", ""), where.get("country")) or None,
        "admin1": where.get("admin") or None,
        **{f"{name}_{end}": each.get(end) for name, each in (("killed", killed), ("injured", injured)) for end in ("min", "max")},
        **{name: [a for a in event["actors"] if a["role"] == role] for name, role in zip(SIDES, labels.actors, strict=False)},
        "roles": [_role(source, p) for source in telling for p in source["incident"]["participants"]],
        "sources": [{"id": source["id"], "source": source["source"], "date": source["date"]} for source in event["sources"]],
        "offsets": [_offsets(source) for source in telling],
        "notes": sentence(telling[0]["passages"], telling[0]["incident"]["trigger"]["start"]) if telling else "",
    }


def _role(source: Mapping[str, Any], participant: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: participant[name] for name in ("role", "sector", "start", "end", "text")}
    return {"id": source["id"], "number": source["number"], **said}


def _offsets(source: Mapping[str, Any]) -> dict[str, Any]:
    trigger = source["incident"]["trigger"]
    return {"id": source["id"], "number": source["number"], "start": trigger["start"], "end": trigger["end"]}


def _geo_precision(where: Mapping[str, Any]) -> int | None:
    """ACLED's code: 1 a town or finer, 2 near one (or taken from the text's other places), 3 a governorate, region or country."""
    if not where:
        return None
    if where["kind"] in ("governorate", "rural", "region", "country"):
        return 3
    return 1 if where["exact"] and not where["inferred"] else 2


@cache
def _countries() -> dict[str, str]:
    """English names by ISO code, of the packaged gazetteer."""
    entries = (entry for found in Gazetteer.packaged().index.values() for entry in found if entry.kind == "country")
    return {entry.country: entry.name for entry in entries if entry.country}


def _acled(row: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    entry = labels.incident_types[row["type"]]
    name = (entry.acled or ("",))[0]
    kind = next((known for known in ACLED_TYPES if name.startswith(f"{known}/")), name)
    outlets = "; ".join(dict.fromkeys(str(each["source"]) for each in row["sources"] if each["source"]))
    first, second = (next(iter(row.get(side) or [{}])) for side in SIDES)
    if not second and len(row.get("initiators") or []) > 1:
        second = row["initiators"][1]  # both sides of a clash or an agreement are initiators
    inter = [_inter(actor, entry.group if n == 0 else "") for n, actor in enumerate((first, second))]
    return {
        "event_type": kind,
        "sub_event_type": name[len(kind) + 1 :],
        "year": row["event_date"][:4] if row["event_date"] else None,
        **{"actor1": first.get("name"), "assoc_actor_1": None, "inter1": inter[0]},
        **{"actor2": second.get("name"), "assoc_actor_2": None, "inter2": inter[1]},
        "civilian_targeting": "Civilian targeting" if inter[1] == "Civilians" and kind not in ("Protests", "Riots") else None,
        **{"admin2": None, "admin3": None, "source": outlets, "fatalities": row["killed_min"]},
    }


def _inter(actor: Mapping[str, Any], group: str) -> str | None:
    known = INTER.get(actor.get("sector") or "")
    return PROTEST.get(group, known) if known == "Civilians" else known


def _plover(row: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    """An event in PLOVER's terms: actors and recipients with sector and country, the mode, counts and places beside."""
    kind, _, mode = (labels.incident_types[row["type"]].plover or "").partition("/")
    sides = {"actor": row.get("initiators") or [], "recipient": row.get("targets") or []}
    names = ("name", "id", "sector", "country")
    plain = {side: [{name: actor[name] for name in names} for actor in actors] for side, actors in sides.items()}
    return {"event_type": kind or None, "event_mode": mode or None, "contexts": [], **plain, **row}


def _feature(row: Mapping[str, Any]) -> dict[str, Any]:
    point = None if row["latitude"] is None else {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}
    return {"type": "Feature", "id": row["event_id"], "geometry": point, "properties": dict(row)}


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _csv(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> str:
    out, names = io.StringIO(), list(columns)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([defused(_cell(row.get(name))) for name in names])
    return out.getvalue()


def _parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """COLUMNS with numbers as numbers and days as dates; lists as JSON text."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigError("a Parquet table needs pyarrow: pip install 'waqia[files]'") from error
    floats, whole = ("latitude", "longitude"), ("time_precision", "geo_precision", "killed_min", "killed_max", "injured_min", "injured_max")
    kinds = {**dict.fromkeys(floats, pa.float64()), **dict.fromkeys(whole, pa.int64())}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    parquet.write_table(pa.Table.from_pylist([{name: _cell(row.get(name)) for name in COLUMNS} for row in rows], schema=schema), path)


def _workbook(path: Path, events: Sequence[Mapping[str, Any]], labels: LabelSet) -> None:
    """A sheet of events and a sheet of their sources; texts stay texts and never become formulas.

    RecordError where one is longer than a cell holds.
    """
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise ConfigError("a workbook needs openpyxl: pip install 'waqia[xlsx]'") from error
    book = Workbook(write_only=True)
    plain = [name for name in COLUMNS if name not in ("roles", "sources", "offsets")]
    _sheet(book.create_sheet("events"), plain, (_row(event, labels) for event in events))
    sources = ({"event_id": event["id"], **_source_row(source)} for event in events for source in event["sources"])
    _sheet(book.create_sheet("sources"), SOURCE_COLUMNS, sources)
    book.save(path)


def _source_row(source: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: source[name] for name in ("id", "number", "source", "date")}
    incident = source["incident"]
    if incident is None:
        return plain
    trigger = incident["trigger"]
    told = {"type": incident["type"], "status": incident["status"], "trigger": trigger["text"], "start": trigger["start"]}
    return {**plain, **told, "end": trigger["end"], "sentence": sentence(source["passages"], trigger["start"])}


def _sheet(sheet: Any, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    from openpyxl.cell import WriteOnlyCell

    sheet.append(list(columns))
    for row in rows:
        cells = []
        for name in columns:
            value = _cell(row.get(name))
            text = isinstance(value, str)
            if text and len(value) > _CELL:
                raise RecordError(f"event {row['event_id']!r}: {name} has {len(value)} characters, a cell holds {_CELL}; write csv")
            cell = WriteOnlyCell(sheet, _ILLEGAL.sub("\ufffd", encodable(value)) if text else value)
            cell.data_type = "s" if text else cell.data_type
            cells.append(cell)
        sheet.append(cells)
