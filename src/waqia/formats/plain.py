"""A reading as lines for a terminal: each incident with its words, and beneath it a table of its participants and facts.

A line has a name, a value in Latin letters and digits, and the Arabic last, in one run: a terminal that orders right-to-left text shows the
run in its order and leaves the columns where they are, and one that does not still keeps them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from waqia.labels import LabelSet
from waqia.schema import Incident, Reading
from waqia.terminal import flat

BOLD, DIM, PLAIN = "\033[1m", "\033[2m", "\033[0m"
CONTEXT = 30  # characters shown on either side of a trigger
NAME = 18  # columns of a name
COUNTS = {"killed": "القتلى", "injured": "الجرحى", "missing": "المفقودون", "detained": "الموقوفون", "displaced": "النازحون"}
JOINT = "القتلى والجرحى"

Row = tuple[str, str, str, str]  # name, value, what it is called in Arabic, the words that tell it


def lines(title: str, text: str, reading: Reading, labels: LabelSet, *, colour: bool = False) -> str:
    """The reading of a text, line by line; `colour` for a terminal."""
    shown = "\n".join(_lines(title, text, reading, labels)) + "\n"
    return shown if colour else shown.replace(BOLD, "").replace(DIM, "").replace(PLAIN, "")


def _lines(title: str, text: str, reading: Reading, labels: LabelSet) -> Iterator[str]:
    windows = f"{reading.windows} window{'s' if reading.windows != 1 else ''}"
    error = f"; error: {flat(reading.error)}" if reading.error else ""
    yield f"{BOLD}{flat(title)}{PLAIN}: {len(reading.incidents)} incidents in {windows}{error}"
    for number, incident in enumerate(reading.incidents, 1):
        yield from ("", *_incident(number, incident, text, labels))


def _incident(number: int, incident: Incident, text: str, labels: LabelSet) -> Iterator[str]:
    status = "" if incident.status == labels.default_status else f" [{incident.status} {labels.statuses[incident.status].ar}]"
    score = "" if incident.score is None else f" {incident.score:.2f}"
    yield f"{number}. {BOLD}{incident.type}{PLAIN} {labels.incident_types[incident.type].ar}{status}{score}"
    trigger = incident.trigger
    before, after = text[max(0, trigger.start - CONTEXT) : trigger.start], text[trigger.end : trigger.end + CONTEXT]
    yield f"   {DIM}…{flat(before)}{PLAIN}{BOLD}[{flat(trigger.text)}]{PLAIN}{DIM}{flat(after)}…{PLAIN}"
    rows = [*_participants(incident, labels), *_facts(incident, labels)]
    wide = max((len(value) for _, value, _, _ in rows), default=0)
    for name, value, kind, words in rows:
        said = f"{DIM}{kind}:{PLAIN} {flat(words)}" if words else f"{DIM}{kind}{PLAIN}"
        yield f"   {name:<{NAME}} {flat(value):<{wide}}  {said}"


def _participants(incident: Incident, labels: LabelSet) -> Iterator[Row]:
    for p in incident.participants:
        yield p.role + (f" {p.sector}" if p.sector else ""), f"{p.start}:{p.end}", labels.roles[p.role].ar, p.text


def _facts(incident: Incident, labels: LabelSet) -> Iterator[Row]:
    """What the participants tell in values, each with its words; a total without facts stands by itself."""
    facts = incident.facts or {}
    if incident.date is not None:
        yield "date", _when(incident, facts.get("date", {})), "التاريخ", _words(facts.get("date", {}))
    counts = facts.get("counts", {})
    for kind in dict.fromkeys(("killed", "injured", *counts)):
        total = getattr(incident, kind, None)
        if kind in counts or total is not None:
            others = [_bound(bound) for bound in facts.get("other_counts", {}).get(kind, ())]
            value = "; also ".join([_bound(counts[kind]) if kind in counts else str(total), *others])
            yield kind.replace("_", " "), value, COUNTS.get(kind, JOINT), _words(counts.get(kind, {}))
    for place in facts.get("places", ()):
        role = labels.fact_roles["place"]
        yield f"{role} is", _place(place), labels.roles[role].ar, place["name_ar"]
    for actor in facts.get("actors", ()):
        value = ", ".join(part for part in (actor["id"], actor["country"]) if part)
        yield f"{actor['role']} is", value, labels.roles[actor["role"]].ar, actor["name_ar"]


def _when(incident: Incident, date: Mapping[str, Any]) -> str:
    said = str(incident.date)
    if incident.date_guessed:
        return f"{said} (the text's day, a guess)"
    return f"{said} ({date['grain']})" if date else said


def _bound(bound: Mapping[str, Any]) -> str:
    low, high, about = bound["min"], bound["max"], "about " if bound.get("about") else ""
    if high is None:
        return f"{about}at least {low}" + (f" ({bound['word']})" if bound.get("word") else "")
    return f"{about}{low}" if low == high else f"{about}{low} to {high}"


def _place(place: Mapping[str, Any]) -> str:
    """Coordinates, name and kind; "near" where the gazetteer knows only what holds or stands by the place."""
    doubt = "perhaps " if place["inferred"] else "" if place["exact"] else "near "
    named = ", ".join(part for part in (place["name"], place["kind"], place["admin"], place["country"]) if part)
    return f"{place['latitude']:.3f} {place['longitude']:.3f} {doubt}{named}"


def _words(fact: Mapping[str, Any]) -> str:
    said: str = fact.get("span", {}).get("text", "")
    return said
