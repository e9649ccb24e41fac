"""The label set: which incident types, statuses, roles and sectors exist; read from one versioned file, never written in code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from waqia.errors import LabelSetError

FACTS = ("place", "time", "casualties")  # what is read off a role's spans beside the words themselves
OF_THAT_NAME: Mapping[str, str] = {fact: fact for fact in FACTS}  # the roles of facts where a label set does not say
_OPTIONAL = frozenset({"actors", "default_status", "unrealised_status", "unknown_sector", "fact_roles"})


@dataclass(frozen=True, slots=True)
class Label:
    """A status or a sector: its Arabic name and what it covers."""

    ar: str
    means: str


@dataclass(frozen=True, slots=True)
class Role:
    """What a participant does in an incident; `sector` says whether its spans carry a sector (actors do, places do not)."""

    ar: str
    means: str
    sector: bool


@dataclass(frozen=True, slots=True)
class IncidentType:
    """An incident type with its crosswalk: ACLED "event type/sub-event type" names and one PLOVER "EVENT[/mode]"."""

    ar: str
    means: str
    group: str
    acled: tuple[str, ...]
    plover: str | None


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Every label a record may carry; the order of each mapping is the order of the model's outputs.

    `actors` are the roles of those who do it and of those it is done to, the doer first; they may be none. `default_status` is the status
    of an incident that the text reports as a fact, `unrealised_status` that of one that did not happen. `unknown_sector` is what an actor
    gets of whom nobody says more. `fact_roles` says which role tells each of FACTS; a fact without a role is never read.

    A file may leave them out. Then the actors are its first two roles with a sector, the default status its first and the unrealised one
    its last where it has several, the unknown sector PLOVER's UNK where it has that, and the fact roles those of the facts' own names.
    """

    name: str
    version: int
    incident_types: Mapping[str, IncidentType]
    statuses: Mapping[str, Label]
    roles: Mapping[str, Role]
    sectors: Mapping[str, Label]
    actors: tuple[str, ...]
    default_status: str
    unrealised_status: str | None
    unknown_sector: str | None
    fact_roles: Mapping[str, str]

    @classmethod
    def load(cls, path: str | Path) -> LabelSet:
        """Read a label set from `.json` or `.yaml` (the latter needs PyYAML); LabelSetError names file and fault."""
        path = Path(path)
        try:
            raw = path.read_text("utf-8")
        except OSError as error:
            raise LabelSetError(f"{path}: {error.strerror}; give a label set such as configs/labels/incidents.yaml") from error
        try:
            if path.suffix == ".json":
                data = json.loads(raw)
            else:
                import yaml  # type: ignore[import-untyped, unused-ignore]  # only label sets of a clone are YAML; an artefact holds JSON

                data = yaml.load(raw, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # libyaml is eight times as fast, where it is
        except Exception as error:
            raise LabelSetError(f"{path}: not readable as {path.suffix or 'YAML'}: {error}") from error
        return cls.from_dict(data, str(path))

    @classmethod
    def from_dict(cls, data: Any, where: str) -> LabelSet:
        """Build a label set from plain data; LabelSetError names `where` and the first key that is missing, unknown or mistyped."""
        required = {"name", "version", "incident_types", "statuses", "roles", "sectors"}
        fields = _mapping(data, where, required, optional=_OPTIONAL)
        if not isinstance(fields["name"], str) or not isinstance(fields["version"], int):
            raise LabelSetError(f"{where}: name {fields['name']!r} must be text, version {fields['version']!r} a whole number")
        types = _section(IncidentType, fields["incident_types"], f"{where}: incident_types")
        statuses = _section(Label, fields["statuses"], f"{where}: statuses")
        roles = _section(Role, fields["roles"], f"{where}: roles")
        sectors = _section(Label, fields["sectors"], f"{where}: sectors")
        actors = _actors(fields.get("actors"), roles, where)
        default = _one_of(fields.get("default_status", next(iter(statuses))), "default_status", statuses, where)
        others = [name for name in statuses if name != default]
        unrealised = _none_or_one_of(fields.get("unrealised_status", others[-1] if others else None), "unrealised_status", others, where)
        unknown = _none_or_one_of(fields.get("unknown_sector", "UNK" if "UNK" in sectors else None), "unknown_sector", sectors, where)
        facts = _fact_roles(fields.get("fact_roles"), roles, where)
        return cls(fields["name"], fields["version"], types, statuses, roles, sectors, actors, default, unrealised, unknown, facts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back to an equal label set."""
        return asdict(self)


_Entry = TypeVar("_Entry", Label, Role, IncidentType)


def _mapping(data: Any, where: str, keys: set[str], *, optional: Set[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise LabelSetError(f"{where}: expected a mapping with {sorted(keys)}, found {type(data).__name__}")
    wrong = ({str(key) for key in data} - optional) ^ keys
    if wrong:
        beside = f", and beside them {sorted(optional)}" if optional else ""
        raise LabelSetError(f"{where}: missing or unknown {sorted(wrong)}; expected exactly {sorted(keys)}{beside}")
    return dict(data)


def _actors(data: Any, roles: Mapping[str, Role], where: str) -> tuple[str, ...]:
    """The actor roles as given, or the first two roles with a sector; LabelSetError for one that is no role or carries no sector."""
    able = [name for name, role in roles.items() if role.sector]
    if data is None:
        return tuple(able[:2])
    if not isinstance(data, (list, tuple)) or len(set(map(str, data))) < len(data) or not all(name in able for name in data):
        raise LabelSetError(f"{where}: actors is {data!r}, expected a list of roles that carry a sector, the doer first: {', '.join(able)}")
    return tuple(data)


def _fact_roles(data: Any, roles: Mapping[str, Role], where: str) -> dict[str, str]:
    """The role of each fact as given, or the role without a sector that has the fact's name; LabelSetError for an unknown fact or role."""
    if data is None:
        return {fact: fact for fact in FACTS if fact in roles and not roles[fact].sector}
    if not isinstance(data, Mapping) or not set(data) <= set(FACTS):
        raise LabelSetError(f"{where}: fact_roles is {data!r}, expected a mapping from some of {', '.join(FACTS)} to roles")
    return {fact: _one_of(role, f"fact_roles: {fact}", roles, where) for fact, role in data.items()}


def _one_of(found: Any, what: str, expected: Iterable[str], where: str) -> str:
    names = list(expected)
    if not isinstance(found, str) or found not in names:
        raise LabelSetError(f"{where}: {what} is {found!r}, expected one of {', '.join(names)}")
    return found


def _none_or_one_of(found: Any, what: str, expected: Iterable[str], where: str) -> str | None:
    return None if found is None else _one_of(found, what, expected, where)


def _section(kind: type[_Entry], data: Any, where: str) -> dict[str, _Entry]:
    if not isinstance(data, Mapping) or not data:
        raise LabelSetError(f"{where}: expected a mapping of labels, at least one, found {data!r}")
    entries: dict[str, _Entry] = {}
    for name, entry in data.items():
        if not isinstance(name, str):
            raise LabelSetError(f"{where}: label {name!r} is no text; put it in quotes (YAML reads no, on and 1 as other things)")
        entries[name] = _entry(kind, entry, f"{where}: {name}")
    return entries


def _entry(kind: type[_Entry], data: Any, where: str) -> _Entry:
    fields = _mapping(data, where, set(kind.__dataclass_fields__))
    for key, value in fields.items():
        if key == "sector":
            good = isinstance(value, bool)
        elif key == "acled":
            good = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        else:
            good = isinstance(value, str) or (key == "plover" and value is None)
        if not good:
            raise LabelSetError(f"{where}: {key} has an unusable value {value!r}")
    if "acled" in fields:
        fields["acled"] = tuple(fields["acled"])
    return kind(**fields)
