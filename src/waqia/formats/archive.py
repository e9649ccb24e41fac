"""The events of an archive as one page that asks nothing of the net: map, timeline, counts, a filter, and each event's texts, marked.

Country outlines are Natural Earth's (public domain), simplified. Data travel as JSON in a block that no browser runs; the page's one script
puts texts into text nodes alone, and its policy allows that script, that style and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from string import Template
from typing import Any

from waqia.arabic import encodable
from waqia.document.gazetteer import Gazetteer
from waqia.errors import RecordError
from waqia.formats.html import role_class
from waqia.labels import LabelSet

ATTRIBUTION = "حدود الدول: Natural Earth (ملكية عامة) · Place data: Waqia and, where used, GeoNames (CC BY 4.0)"
CLUES = {  # the clues of a merge, as `bulk/likeness` names them
    "base": "الأساس",
    "no word in common": "لا كلمة مشتركة",
    "published 1": "نُشرا في يوم أو يومين متتاليين",
    "published 3": "نُشرا خلال ثلاثة أيام",
    "published 7": "نُشرا خلال أسبوع",
    "published far": "تباعد النشر",
    "same day": "اليوم نفسه",
    "other day": "يوم آخر",
    "same date named": "التاريخ المذكور نفسه",
    "other date named": "تاريخ مذكور آخر",
    "same weekday": "يوم الأسبوع نفسه",
    "other weekday": "يوم أسبوع آخر",
    "same place": "المكان نفسه",
    "near place": "مكان قريب",
    "far place": "مكان بعيد",
    "same type": "النوع نفسه",
    "same actor": "فاعل مشترك",
    "other actors": "فاعلون آخرون",
    "same killed": "عدد القتلى نفسه",
    "other killed": "عدد قتلى آخر",
    "same injured": "عدد الجرحى نفسه",
    "other injured": "عدد جرحى آخر",
    "crowd": "كثرة أحداث اليوم",
}


def page(events: Iterable[Mapping[str, Any]], labels: LabelSet, *, title: str = "") -> str:
    """The page of events (lines of `waqia link`), newest first; RecordError where a type or role is not in the label set."""
    folder = files("waqia.formats")
    ordered = sorted(events, key=lambda event: (event["start"] or "", event["id"]), reverse=True)
    data = {
        "events": [_event(number, event, labels) for number, event in enumerate(ordered, 1)],
        "legend": [["trigger", "الواقعة"], *([role_class(role, labels), entry.ar] for role, entry in labels.roles.items())],
        "countries": _countries(),
    }
    style = folder.joinpath("palette.css").read_text("utf-8") + folder.joinpath("archive.css").read_text("utf-8")
    script = folder.joinpath("archive.js").read_text("utf-8")
    return Template(folder.joinpath("archive.html").read_text("utf-8")).substitute(
        title=html.escape(encodable(title or "واقعة: أحداث الأرشيف")),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        outlines=folder.joinpath("outlines.txt").read_text("utf-8").strip(),
        attribution=html.escape(ATTRIBUTION),
        data=embedded(data),
    )


def embedded(data: Any) -> str:
    """JSON that cannot end the block that holds it: «<», «>», «&» and line separators are written as escapes."""
    said = encodable(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    return said.translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def _event(number: int, event: Mapping[str, Any], labels: LabelSet) -> dict[str, Any]:
    if event["type"] not in labels.incident_types:
        raise RecordError(f"event {event['id']!r}: type {event['type']!r} is not in the label set {labels.name}; give its label set")
    where, at = event["where"] or {}, event["at"]
    why = {(merge["id"], merge["number"]): merge for merge in event["merges"]}
    actors = {_key(a): {"key": _key(a), "name": a["name_ar"] or a["name"]} for a in event["actors"] if a["role"] in labels.actors}
    sides = [_named(event, role) for role in labels.actors]
    return {
        "number": number,
        "type": event["type"],
        "name": labels.incident_types[event["type"]].ar,
        "start": event["start"],
        "end": event["end"],
        "told": bool(event["told_by"].get("date")),
        "place": event["place"],
        "placeAr": where.get("name_ar"),
        "at": None if at is None else [round(at["latitude"], 4), round(at["longitude"], 4)],
        "killed": event["killed"],
        "injured": event["injured"],
        "actors": list(actors.values()),
        "sides": " ← ".join(filter(None, sides)),
        "sources": [_source(source, why.get((source["id"], source["number"])), labels) for source in event["sources"]],
    }


def _key(actor: Mapping[str, Any]) -> str:
    return str(actor["id"] or actor["name"])


def _named(event: Mapping[str, Any], role: str) -> str:
    names = dict.fromkeys(actor["name_ar"] or actor["name"] for actor in event["actors"] if actor["role"] == role)
    return "، ".join(list(names)[:2])


def _source(source: Mapping[str, Any], merge: Mapping[str, Any] | None, labels: LabelSet) -> dict[str, Any]:
    incident = source["incident"]
    name = None if incident is None else labels.incident_types[incident["type"]].ar
    plain = {name: source[name] for name in ("id", "source", "date")}
    passages = [[passage["start"], passage["text"]] for passage in source["passages"]]
    why = {} if merge is None else {"score": merge["score"], "why": _why(merge["clues"])}
    return {**plain, "name": name, "passages": passages, "marks": [] if incident is None else _marks(incident, labels), **why}


def _marks(incident: Mapping[str, Any], labels: LabelSet) -> list[list[Any]]:
    """Start, end, class and name of every span of an incident."""
    told = labels.incident_types[incident["type"]].ar
    marks = [[m["start"], m["end"], "trigger", told] for m in (incident["trigger"], *(incident.get("mentions") or ()))]
    for p in incident["participants"]:
        if p["role"] not in labels.roles:
            raise RecordError(f"role {p['role']!r} is not in the label set {labels.name}; give its label set")
        sector = f" ({labels.sectors[p['sector']].ar})" if p["sector"] in labels.sectors else ""
        shown = role_class(p["role"], labels), labels.roles[p["role"]].ar + sector
        marks += [[m["start"], m["end"], *shown] for m in (p, *(p.get("mentions") or ()))]
    return marks


def _why(clues: Mapping[str, float]) -> str:
    return "، ".join(f"{CLUES.get(name, name.replace('words ', 'كلمات '))} {value:+.1f}" for name, value in clues.items())


def _countries() -> list[list[Any]]:
    entries = {e for found in Gazetteer.packaged().index.values() for e in found if e.kind == "country"}
    return sorted([e.name_ar, e.latitude, e.longitude] for e in entries)


def _hash(code: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
