"""Temperatures and thresholds: what turns logits into decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from waqia.errors import ConfigError
from waqia.labels import LabelSet

AtLeast = float | Mapping[str, float] | None  # the least probability of every incident, or of those of a type and participants of a role


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures by head and least probabilities by label, fitted on dev with the very pipeline that ships, kept in the artefact."""

    type_temperature: float
    trigger_temperature: float
    role_temperature: float
    merge_temperature: float
    mention_threshold: float  # least probability of a trigger mention
    merge_threshold: float  # least mean probability at which a mention joins a happening
    reports: float  # least probability that the text reports the likeliest type found, see decode.borne_out
    trigger_thresholds: Mapping[str, float]  # of an incident, by its type
    role_thresholds: Mapping[str, float]  # of a participant, by its role
    same_type_threshold: float = 1.0  # the same as merge_threshold for happenings that have come out as one type; 1 joins none
    apart_threshold: float = 0.5  # probability from which an actor named elsewhere is a participant of its own, see gather.told_once
    side_by_side: int = 20  # code points at most between two participants of a role that are named together: «و», a comma, a title
    around: int = 48  # words on either side of a mention that are read for its participants: a whole window costs twice that in articles

    @classmethod
    def plain(cls, labels: LabelSet, threshold: float = 0.5) -> Calibration:
        """No temperature and one threshold: what a model has before it is calibrated."""
        types, roles = dict.fromkeys(labels.incident_types, threshold), dict.fromkeys(labels.roles, threshold)
        return cls(1.0, 1.0, 1.0, 1.0, threshold, 0.5, 0.0, types, roles)

    def at_least(self, asked: AtLeast) -> Calibration:
        """The same with other thresholds: a number for incidents of every type, or numbers by type and by role; the others stay.

        Where less is asked for incidents than the thresholds of mentions and of whole texts, those come down to it, since they would
        keep back what is asked for. ConfigError where a name is neither a type nor a role, or a number lies outside 0 to 1.
        """
        if asked is None:
            return self
        named = dict.fromkeys(self.trigger_thresholds, asked) if not isinstance(asked, Mapping) else dict(asked)
        for name, least in named.items():
            if name not in self.trigger_thresholds and name not in self.role_thresholds:
                known = ", ".join((*self.trigger_thresholds, *self.role_thresholds))
                raise ConfigError(f"at_least names {name!r}, expected an incident type or a role: {known}")
            if isinstance(least, bool) or not isinstance(least, (int, float)) or not 0 <= least <= 1:
                raise ConfigError(f"at_least is {least!r}, expected a number from 0 to 1, or one by incident type and role")
        types = {name: float(named.get(name, least)) for name, least in self.trigger_thresholds.items()}
        roles = {name: float(named.get(name, least)) for name, least in self.role_thresholds.items()}
        lowest = min((float(least) for name, least in named.items() if name in types), default=1.0)
        return replace(
            self,
            mention_threshold=min(self.mention_threshold, lowest),
            reports=min(self.reports, lowest),
            trigger_thresholds=types,
            role_thresholds=roles,
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read back what `to_dict` wrote; TypeError where a key is missing or unknown."""
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
