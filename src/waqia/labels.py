"""The label set: which incident types, statuses, roles and sectors exist; read from one versioned file, never written in code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from waqia.errors import LabelSetError


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
    of an incident that the text reports as a fact. A file may leave both out: then they are its first two roles with a sector, and its
    first status.
    """

    name: str
    version: int
    incident_types: Mapping[str, IncidentType]
    statuses: Mapping[str, Label]
    roles: Mapping[str, Role]
    sectors: Mapping[str, Label]
    actors: tuple[str, ...]
    default_status: str

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

                data = yaml.safe_load(raw)
        except Exception as error:
            raise LabelSetError(f"{path}: not readable as {path.suffix or 'YAML'}: {error}") from error
        return cls.from_dict(data, str(path))

    @classmethod
    def from_dict(cls, data: Any, where: str) -> LabelSet:
        """Build a label set from plain data; LabelSetError names `where` and the first key that is missing, unknown or mistyped."""
        required = {"name", "version", "incident_types", "statuses", "roles", "sectors"}
        fields = _mapping(data, where, required, optional={"actors", "default_status"})
        if not isinstance(fields["name"], str) or not isinstance(fields["version"], int):
            raise LabelSetError(f"{where}: name {fields['name']!r} must be text, version {fields['version']!r} a whole number")
        types = _section(IncidentType, fields["incident_types"], f"{where}: incident_types")
        statuses = _section(Label, fields["statuses"], f"{where}: statuses")
        roles = _section(Role, fields["roles"], f"{where}: roles")
        sectors = _section(Label, fields["sectors"], f"{where}: sectors")
        actors = _actors(fields.get("actors"), roles, where)
        default = fields.get("default_status", next(iter(statuses)))
        if not isinstance(default, str) or default not in statuses:
            raise LabelSetError(f"{where}: default_status is {default!r}, expected one of {', '.join(statuses)}")
        return cls(fields["name"], fields["version"], types, statuses, roles, sectors, actors, default)

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
