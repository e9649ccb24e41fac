"""Events as a table: ACLED's columns, plain CSV, PLOVER JSON or GeoJSON, a row an event, with its sources and offsets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from waqia.labels import LabelSet

ACLED_TYPES = (  # of its codebook; both they and their sub-types may hold a slash
    "Battles",
    "Explosions/Remote violence",
    "Violence against civilians",
    "Protests",
    "Riots",
    "Strategic developments",
)
FORMATS = ("acled", "plover", "geojson", "csv")
_PLAIN = ("event_id", "type", "event_date", "end_date", "location", "latitude", "longitude", "killed_min", "killed_max", "injured_min")
COLUMNS = (*_PLAIN, "injured_max", "roles", "sources", "offsets")
ACLED = ("event_date", "event_type", "sub_event_type", "location", "latitude", "longitude", "fatalities", "source")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(events: Iterable[Mapping[str, Any]], form: str, labels: LabelSet) -> str:
    """Events (lines of `waqia link`) in one of FORMATS. No ACLED ids are invented; fatalities is the least number, empty if unknown."""
    rows = [_row(event) for event in events]
    if form == "geojson":
        return json.dumps({"type": "FeatureCollection", "features": [_feature(row) for row in rows]}, ensure_ascii=False) + "\n"
    if form == "plover":
        return json.dumps([{**row, **_plover(row, labels)} for row in rows], ensure_ascii=False) + "\n"
    if form == "acled":
        return _csv([{**row, **_acled(row, labels)} for row in rows], (*ACLED, "event_id", "killed_max", "roles", "sources", "offsets"))
    return _csv(rows, COLUMNS)


def defused(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula, with an apostrophe before it; numbers stay."""
    return "'" + cell if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _row(event: Mapping[str, Any]) -> dict[str, Any]:
    at, killed, injured = event["at"] or {}, event["killed"] or {}, event["injured"] or {}
    roles, offsets = [], []
    for source in event["sources"]:
        trigger, where = source["incident"]["trigger"], {"id": source["id"], "number": source["number"]}
        offsets.append({**where, "start": trigger["start"], "end": trigger["end"]})
        roles += [{**where, **{k: p[k] for k in ("role", "sector", "start", "end", "text")}} for p in source["incident"]["participants"]]
    return {
        "event_id": event["id"],
        "type": event["type"],
        "event_date": event["start"],
        "end_date": event["end"],
        "location": event["place"],
        "latitude": at.get("latitude"),
        "longitude": at.get("longitude"),
        "killed_min": killed.get("min"),
        "killed_max": killed.get("max"),
        "injured_min": injured.get("min"),
        "injured_max": injured.get("max"),
        "roles": roles,
        "sources": [{"id": source["id"], "source": source["source"]} for source in event["sources"]],
        "offsets": offsets,
    }


def _acled(row: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    name = (labels.incident_types[row["type"]].acled or ("",))[0]
    kind = next((known for known in ACLED_TYPES if name.startswith(f"{known}/")), name)
    sub = name[len(kind) + 1 :]
    outlets = "; ".join(dict.fromkeys(str(each["source"]) for each in row["sources"] if each["source"]))
    return {"event_type": kind, "sub_event_type": sub, "fatalities": row["killed_min"], "source": outlets}


def _plover(row: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    kind, _, mode = (labels.incident_types[row["type"]].plover or "").partition("/")
    return {"event_type": kind or None, "event_mode": mode or None}


def _feature(row: Mapping[str, Any]) -> dict[str, Any]:
    point = None if row["latitude"] is None else {"type": "Point", "coordinates": [row["longitude"], row["latitude"]]}
    return {"type": "Feature", "id": row["event_id"], "geometry": point, "properties": dict(row)}


def _csv(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> str:
    out, names = io.StringIO(), list(columns)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        cells = [json.dumps(row[n], ensure_ascii=False) if isinstance(row[n], list) else row[n] for n in names]
        writer.writerow([defused(cell) for cell in cells])
    return out.getvalue()
