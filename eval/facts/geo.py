"""Places and belligerents of readings against facts that people coded: texts of an incident with coordinates and the side that struck.

Rows are those of an Airwars file: `facts` holds `incident`, `latitude`, `longitude` and `belligerent`. Which incident types and sectors
of a label set are meant stands in airwars.yaml. A text without a place or a doer is a miss. Intervals resample coded incidents, since the
texts of one incident err together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eval.score.counts import Counts, Tally, add
from eval.score.intervals import bootstrap
from waqia.document.actors import Actor, ActorTable, link_actors
from waqia.document.gazetteer import Entry, Gazetteer
from waqia.document.places import Place, distance_km, resolve_places, text_place
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import Incident, Reading

RADII_KM = (25, 161)  # 161 km, a hundred miles, is the usual radius of toponym resolution (Gritta et al. 2018)

_KURDISH = frozenset({"ypg", "sdf", "asayish-sy", "aanes"})
_REGIME = frozenset(
    {"syrian-regime", "syrian-regime-forces", "syrian-mod-regime", "ndf", "baath-brigades", "liwa-al-quds", "baqir-brigade"}
)
# What Airwars codes -> actors of the table that are this side's own forces, and its state.
SIDES: Mapping[str, frozenset[str]] = {
    "Turkish Military": frozenset({"turkish-forces", "turkey", "gendarmerie-tr", "mit", "erdogan"}),
    "Russian Military": frozenset({"russian-forces", "russia", "wagner"}),
    "U.S.-led Coalition": frozenset({"coalition", "us-forces", "usa", "uk-forces", "uk", "french-forces", "france"}),
    "YPG": _KURDISH,
    "Syrian Democratic Forces": _KURDISH,
    "Kurdish Forces": _KURDISH,
    "Israeli Military": frozenset({"idf", "israel"}),
    "Iranian Military": frozenset(
        {"irgc", "iranian-army", "iran", "iranian-militias", "quds-force", "fatemiyoun", "zainabiyoun", "hezbollah"}
    ),
    "Syrian Regime": _REGIME | {"syrian-army", "syrian-government"},
    "Jordanian Military": frozenset({"jordanian-army", "jordan-government"}),
    "UK Military": frozenset({"uk-forces", "uk", "coalition"}),
    "Tribal Forces": frozenset({"tribal-forces-sy"}),
}
# The files name the side that Airwars monitors; its Russian incidents are "Russia or the Syrian Government", its Turkish ones Turkey and
# the Syrian National Army, its Coalition ones also raids with the SDF. The family of a side holds these partners.
PARTNERS: Mapping[str, frozenset[str]] = {
    "Russian Military": _REGIME,
    "Turkish Military": frozenset({"sna", "sultan-murad", "hamza-division", "suleiman-shah", "ahrar-al-sharqiya", "levant-front"}),
    "U.S.-led Coalition": _KURDISH,
}


@dataclass(frozen=True, slots=True)
class Meant:
    """What Airwars codes, in the terms of a label set."""

    strikes: frozenset[str]  # incident types of an attack that may hurt civilians
    violent: frozenset[str]  # and those that the coders also count
    armed: frozenset[str]  # sectors of who may strike
    doer: str  # the role of who does it
    unrealised: str | None  # the status of what did not happen
    roles: Mapping[str, str]  # that tell facts

    @classmethod
    def of(cls, labels: LabelSet) -> Meant:
        """The labels of airwars.yaml that a label set has; ConfigError where it has no strikes, armed sectors or actors."""
        named = yaml.safe_load(Path(__file__).with_name("airwars.yaml").read_text("utf-8"))
        strikes, violent = (frozenset(named[key]) & labels.incident_types.keys() for key in ("strikes", "violent"))
        armed = frozenset(named["armed"]) & labels.sectors.keys()
        if not (strikes and armed and labels.actors):
            raise ConfigError(f"label set {labels.name} has none of the strikes or armed sectors of eval/facts/airwars.yaml, or no actors")
        return cls(strikes, violent, armed, labels.actors[0], labels.unrealised_status, labels.fact_roles)

    def happened(self, incident: Incident, types: frozenset[str]) -> bool:
        """Whether an incident is of one of the types and not said not to have happened."""
        return incident.type in types and incident.status != self.unrealised


@dataclass(frozen=True, slots=True)
class Judged:
    """One text: what was predicted, whether it is right, and the distance in km where there is one."""

    id: str
    document: str
    predicted: str
    right: bool
    distance: float | None = None
    coded: str = ""


def place_within(
    readings: Sequence[Reading], rows: Sequence[Mapping[str, Any]], gazetteer: Gazetteer, meant: Meant, *, resamples: int = 1000
) -> dict[str, Any]:
    """Share of the texts with coded coordinates whose main place lies within 25 and 161 km of them, with intervals, and every text.

    readings and rows run in parallel. A text whose reading has no known place takes the first that it tells by a head word, as a guess
    (`text_place`); `from_reading` counts those as misses. `acc@1` is the share of texts whose name was told apart rightly, of those
    where any entry of that name lies within 25 km. `read` is the share of texts with any place at all.
    """
    tallies, documents, items = [], [], []
    for reading, row in zip(readings, rows, strict=True):
        facts = row["facts"]
        if facts.get("latitude") is None:
            continue
        place = main_place(row["text"], reading, gazetteer, meant)
        guessed = place is None
        place = text_place(row["text"], gazetteer) if guessed else place
        tally, distance = _place_tally(place, (facts["latitude"], facts["longitude"]))
        tallies.append({**tally, "from_reading": Counts(not guessed and tally["within_25_km"].hits > 0, 1, not guessed)})
        documents.append(facts["incident"])
        name = place.entry.name_ar or place.entry.name if place else ""
        items.append(
            Judged(row["id"], facts["incident"], name, tally["within_25_km"].hits > 0, distance, facts.get("place_ar") or facts["place"])
        )
    return _report(tallies, documents, items, resamples)


def belligerent_family(
    readings: Sequence[Reading], rows: Sequence[Mapping[str, Any]], table: ActorTable, meant: Meant, *, resamples: int = 1000
) -> dict[str, Any]:
    """Share of the texts with a coded belligerent whose main incident's doer is of its family, with intervals, and every text.

    `family` counts a side with its PARTNERS, `side` without; `family_or_named` takes, where the reading has no doer that the table
    knows, the first armed actor that the text names, as a guess. A row that codes several sides takes any of them; rows with none, or only
    "Unknown", are left out. `linked` is the share of texts whose main incident has a doer that the table knows.
    """
    tallies, documents, items = [], [], []
    for reading, row in zip(readings, rows, strict=True):
        coded = [side.strip() for side in (row["facts"].get("belligerent") or "").split(",")]
        own = frozenset[str]().union(*(SIDES.get(side, frozenset()) for side in coded))
        family = own.union(*(PARTNERS.get(side, frozenset()) for side in coded))
        if not own:
            continue
        found = main_initiators(row["text"], reading, table, row.get("date") or row["facts"].get("date"), meant)
        named = found or _first_armed(row["text"], table, meant)
        right, exact = (any(actor.id in wanted for actor in found) for wanted in (family, own))
        guessed = any(actor.id in family for actor in named)
        hits = {"family": right, "family_or_named": guessed, "side": exact, "linked": bool(found)}
        tallies.append({name: Counts(hit, 1, bool(found)) for name, hit in hits.items()})
        documents.append(row["facts"]["incident"])
        names = ", ".join(dict.fromkeys(actor.id for actor in found))
        items.append(Judged(row["id"], row["facts"]["incident"], names, right, None, ", ".join(coded)))
    return _report(tallies, documents, items, resamples)


def main_place(text: str, reading: Reading, gazetteer: Gazetteer, meant: Meant) -> Place | None:
    """The place of the main incident: of the strikes that happened the most exactly placed, first told; else of any incident."""
    places = resolve_places(text, reading, gazetteer, role=meant.roles.get("place"))
    if not places:
        return None

    def order(item: tuple[tuple[int, int], Place]) -> tuple[bool, bool, bool, int, int]:
        (number, position), place = item
        incident = reading.incidents[number]
        vague = place.entry.kind in {"country", "region", "governorate", "rural"}
        return not meant.happened(incident, meant.strikes), vague, place.inferred, incident.trigger.start, position

    return min(places.items(), key=order)[1]


def main_initiators(text: str, reading: Reading, table: ActorTable, date: str | None, meant: Meant) -> list[Actor]:
    """Known initiators of the first strike of the text that has one; else of its first incident that has one."""
    linked = link_actors(text, reading, table, date=date)
    by_incident: dict[int, list[Actor]] = {}
    for (number, position), actor in linked.actors.items():
        if reading.incidents[number].participants[position].role == meant.doer:
            by_incident.setdefault(number, []).append(actor)
    order = {n: (not meant.happened(incident, meant.strikes), incident.trigger.start) for n, incident in enumerate(reading.incidents)}
    return by_incident[min(by_incident, key=lambda n: order[n])] if by_incident else []


def _first_armed(text: str, table: ActorTable, meant: Meant) -> list[Actor]:
    return [actor for actor in table.mentioned(text) if actor.sector in meant.armed][:1]


def _place_tally(place: Place | None, at: tuple[float, float]) -> tuple[Tally, float | None]:
    distance = None if place is None else distance_km((place.latitude, place.longitude), at)
    tally = {f"within_{radius}_km": Counts(distance is not None and distance <= radius, 1, place is not None) for radius in RADII_KM}
    tally["read"] = Counts(place is not None, 1, place is not None)
    entries: tuple[Entry, ...] = (place.entry, *place.alternatives) if place else ()
    reachable = any(distance_km(entry.at, at) <= RADII_KM[0] for entry in entries)
    tally["acc@1"] = Counts(reachable and tally["within_25_km"].hits > 0, reachable, reachable)
    return tally, distance


def _figures(tally: Tally) -> dict[str, float | None]:
    return {name: counts.recall for name, counts in tally.items()}


def _report(tallies: Sequence[Tally], documents: Sequence[str], items: Sequence[Judged], resamples: int) -> dict[str, Any]:
    figures = _figures(add(tallies))
    intervals = bootstrap(tallies, documents, _figures, resamples=resamples) if tallies else {}
    shown = {name: {"value": value, "interval": intervals.get(name)} for name, value in figures.items()}
    return {"texts": len(items), "incidents": len(set(documents)), "figures": shown, "items": items}
