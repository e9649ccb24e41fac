"""Temperatures and thresholds: what turns logits into decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from waqia.labels import LabelSet


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures by head and least probabilities by label, fitted on dev and kept in the artefact."""

    type_temperature: float
    trigger_temperature: float
    role_temperature: float
    trigger_thresholds: Mapping[str, float]  # by incident type
    role_thresholds: Mapping[str, float]  # by role
    told_again: float = 0.0  # least probability of an incident that may be another one told again, see told_once
    reports: float = 0.0  # least probability that the text reports the likeliest type found, see borne_out

    @classmethod
    def plain(cls, labels: LabelSet, threshold: float = 0.5) -> Calibration:
        """No temperature and one threshold: what a model has before it is calibrated."""
        return cls(1.0, 1.0, 1.0, dict.fromkeys(labels.incident_types, threshold), dict.fromkeys(labels.roles, threshold))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read back what `to_dict` wrote; TypeError where a key is missing or unknown."""
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
