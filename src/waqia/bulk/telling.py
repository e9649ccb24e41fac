"""What an event is said to be, of all its sources: type, days, place, counts and actors, each with the sentence's span that tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Source = Mapping[str, Any]  # as `waqia link` writes them
_WHERE = ("name", "name_ar", "kind", "country", "admin", "exact", "inferred")


def told(sources: Sequence[Source], roles: Mapping[str, str]) -> dict[str, Any]:
    """The facts of an event for its line of events.jsonl; `told_by` names source and span of each figure.

    The type is the commonest; the day the shortest interval that a source tells, else the earliest source's own day, guessed for it or not,
    which `told_by` then leaves out; the place the most exact; `killed` and `injured` reach from the least to the most told. `roles` are
    those of the label set that tell places and casualties (`LabelSet.fact_roles`).
    """
    telling = [source for source in sources if source["incident"] is not None]
    types = Counter(source["incident"]["type"] for source in telling)
    days, day_by = _days(telling, sources)
    place, place_by = _place(telling, roles.get("place"))
    killed, injured = (_counts(telling, kind, roles.get("casualties")) for kind in ("killed", "injured"))
    by = {"date": day_by, "place": place_by, "killed": killed[1], "injured": injured[1]}
    at = None if place is None or place.get("latitude") is None else {"latitude": place["latitude"], "longitude": place["longitude"]}
    return {
        "type": types.most_common(1)[0][0],
        **days,
        "place": None if place is None else place["name"],
        "at": at,
        "where": None if at is None or place is None else {name: place[name] for name in _WHERE},
        "killed": killed[0],
        "injured": injured[0],
        "actors": _actors(telling),
        "told_by": {name: spans for name, spans in by.items() if spans},
    }


def _days(telling: Sequence[Source], sources: Sequence[Source]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    dates = [(source, date) for source in telling if (date := _facts(source).get("date")) and "span" in date]
    if dates:
        source, date = min(dates, key=lambda pair: (pair[1]["time_precision"], pair[1]["start"]))
        return {name: date[name] for name in ("start", "end", "time_precision")}, [_by(source, date["span"])]
    published = min((str(source["date"])[:10] for source in sources if source["date"]), default=None)
    return {"start": published, "end": published, "time_precision": None}, []


def _place(telling: Sequence[Source], role: str | None) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The most exact place that the gazetteer knows, else the first that is named."""
    known = [(source, place) for source in telling for place in _facts(source).get("places", ())]
    if known:
        source, place = min(known, key=lambda pair: _vagueness(pair[1]))
        return place, [_by(source, place["span"])]
    for source in telling:
        for participant in source["incident"]["participants"]:
            if participant["role"] == role:
                return {"name": participant["text"]}, [_by(source, participant)]
    return None, []


def _vagueness(place: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    return place["inferred"], place["kind"] in ("country", "region", "governorate", "rural"), not place["exact"]


def _counts(telling: Sequence[Source], kind: str, role: str | None) -> tuple[dict[str, int] | None, list[dict[str, Any]]]:
    """The least and the most of the sources' totals, and what tells each in the first source that has it."""
    known = [(source["incident"][kind], n, source) for n, source in enumerate(telling) if source["incident"].get(kind) is not None]
    if not known:
        return None, []
    least, most = (choose(known, key=lambda each: (each[0], -each[1] if choose is max else each[1])) for choose in (min, max))
    chosen = [least] if least[0] == most[0] else [least, most]
    spans = [{**_by(source, span), "value": value} for value, _, source in chosen for span in _tellers(source, kind, role)]
    return {"min": least[0], "max": most[0]}, spans


def _tellers(source: Source, kind: str, role: str | None) -> list[Mapping[str, Any]]:
    """The span of a source that gives its count, where facts name one; else all its casualties."""
    told = _facts(source).get("counts", {}).get(kind)
    return [told["span"]] if told else [p for p in source["incident"]["participants"] if p["role"] == role]


def _actors(telling: Sequence[Source]) -> list[dict[str, Any]]:
    """Actors once each by role and id, else by role and words: who is told by most sources first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for source in telling:
        ids = {(a["span"]["start"], a["span"]["end"]): a for a in _facts(source).get("actors", ())}
        for p in source["incident"]["participants"]:
            if p["sector"] is None:
                continue
            known = ids.get((p["start"], p["end"]), {})
            key = p["role"], known.get("id") or p["text"]
            times[key] += 1
            plain = {"role": p["role"], "id": known.get("id"), "name": known.get("name_en") or p["text"], "name_ar": known.get("name_ar")}
            found.setdefault(key, {**plain, "sector": p["sector"], "country": known.get("country")})
    return [found[key] for key, _ in times.most_common()]


def _facts(source: Source) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = source["incident"].get("facts") or {}
    return facts


def _by(source: Source, span: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": source["id"], "number": source["number"], **{name: span[name] for name in ("start", "end", "text")}}
