"""Readings as a data frame, a row an incident, for pandas or polars (neither is needed by anything else)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import TEXT_DAY, Incident, Reading, Record

LIBRARIES = ("pandas", "polars")
_COLUMNS = ("id", "incident", "type", "status", "score", "trigger", "start", "end", "date", "date_from", "killed", "injured")


def codes(incident: Incident, labels: LabelSet) -> dict[str, Any]:
    """ACLED event and sub-event types that the type of an incident may be (`acled`, a list), and its PLOVER code (`plover`, or None)."""
    kind = labels.incident_types[incident.type]
    return {"acled": list(kind.acled), "plover": kind.plover}


def to_frame(
    readings: Iterable[Reading | Record], labels: LabelSet | None = None, *, ids: Sequence[Any] | None = None, library: str = "pandas"
) -> Any:
    """A pandas or polars frame with a row an incident, in their order.

    `id` is a record's, that of `ids`, or the place in `readings`; `incident` counts within a text. Every role has a column of its spans
    and, for actors, one of their sectors (`initiator`, `initiator_sector`), parted by "; "; with several participants the n-th sector is
    the n-th span's. `date_from` is "text" where the text tells the date, "text day" where it is a guess (`Facts.text_day`). `latitude` and
    `longitude` are those of its most exact place, none where that is only inferred. `acled` holds all candidates parted by "; ". Texts
    without incidents have no row. `labels` default to the label set in the package. ConfigError where the library is missing, or where
    there is not one of `ids` for each reading.
    """
    if library not in LIBRARIES:
        raise ConfigError(f"library is {library!r}, expected one of {', '.join(LIBRARIES)}")
    columns = table(readings, packaged_labels() if labels is None else labels, ids=ids)
    try:
        if library == "polars":
            import polars

            return polars.DataFrame(columns, strict=False)
        import pandas
    except ImportError as error:
        install = "'waqia[frame]'" if library == "pandas" else library
        raise ConfigError(f"{library} cannot be used ({error}); pip install {install}") from error
    frame = pandas.DataFrame(columns)
    return frame.astype(dict.fromkeys(("killed", "injured"), "Int64"))


def table(readings: Iterable[Reading | Record], labels: LabelSet, *, ids: Sequence[Any] | None = None) -> dict[str, list[Any]]:
    """The columns of `to_frame` by name, as lists."""
    if isinstance(readings, Reading | Record):
        raise TypeError(f"a frame is made of many readings, found one {type(readings).__name__}; use to_frame([reading])")
    columns: dict[str, list[Any]] = {name: [] for name in _names(labels)}
    all_ = list(readings)
    if ids is not None and len(ids) != len(all_):
        raise ConfigError(f"found {len(ids)} ids for {len(all_)} readings, expected one for each")
    for place, reading in enumerate(all_):
        name = reading.id if isinstance(reading, Record) else place if ids is None else ids[place]
        for number, incident in enumerate(reading.incidents):
            for key, value in _cells(name, number, incident, labels):
                columns[key].append(value)
    return columns


def _names(labels: LabelSet) -> Iterator[str]:
    yield from _COLUMNS
    for name, role in labels.roles.items():
        yield from (name, f"{name}_sector") if role.sector else (name,)
    yield from ("latitude", "longitude", "acled", "plover")


def _cells(name: Any, number: int, incident: Incident, labels: LabelSet) -> Iterator[tuple[str, Any]]:
    yield from (("id", name), ("incident", number), ("type", incident.type), ("status", incident.status), ("score", incident.score))
    yield from (("trigger", incident.trigger.text), ("start", incident.trigger.start), ("end", incident.trigger.end))
    yield from (("date", incident.date), ("date_from", None if incident.date is None else TEXT_DAY if incident.date_guessed else "text"))
    yield from (("killed", incident.killed), ("injured", incident.injured))
    for role, kind in labels.roles.items():
        found = [p for p in incident.participants if p.role == role]
        yield role, "; ".join(p.text for p in found) or None
        if kind.sector:
            yield f"{role}_sector", "; ".join(p.sector or "" for p in found) or None
    at: Mapping[str, Any] = next((place for place in (incident.facts or {}).get("places", ()) if not place["inferred"]), {})
    yield from (("latitude", at.get("latitude")), ("longitude", at.get("longitude")))
    both = codes(incident, labels)
    yield from (("acled", "; ".join(both["acled"]) or None), ("plover", both["plover"]))


def packaged_labels() -> LabelSet:
    """The label set of the model in the package."""
    from waqia.model.artefact import DEFAULT

    return LabelSet.load(DEFAULT / "labels.json")
