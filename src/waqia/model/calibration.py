"""Temperatures and thresholds: what turns logits into decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from waqia.labels import LabelSet


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

    @classmethod
    def plain(cls, labels: LabelSet, threshold: float = 0.5) -> Calibration:
        """No temperature and one threshold: what a model has before it is calibrated."""
        types, roles = dict.fromkeys(labels.incident_types, threshold), dict.fromkeys(labels.roles, threshold)
        return cls(1.0, 1.0, 1.0, 1.0, threshold, 0.5, 0.0, types, roles)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read back what `to_dict` wrote; TypeError where a key is missing or unknown."""
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
