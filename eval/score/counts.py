"""Counts first, ratios last: what is matched is added over documents and divided only when read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

Number = int | float | Fraction  # numerators of some measures are fractions, kept exact so that the order of adding does not matter


@dataclass(frozen=True, slots=True)
class Counts:
    """Matched, gold and predicted items; add them over documents, then read the ratio. Nothing to score is None."""

    hits: Number = 0
    gold: int | float = 0
    predicted: int | float = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits + other.hits, self.gold + other.gold, self.predicted + other.predicted)

    @property
    def precision(self) -> float | None:
        """Share of the predicted items that match."""
        return float(self.hits / self.predicted) if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the gold items that are matched; of a figure without predictions of its own, its accuracy."""
        return float(self.hits / self.gold) if self.gold else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of the two."""
        return float(2 * self.hits / (self.gold + self.predicted)) if self.gold + self.predicted else None


Tally = Mapping[str, Counts]


def add(tallies: Iterable[Tally]) -> dict[str, Counts]:
    """The sum of tallies, figure by figure."""
    total: dict[str, Counts] = {}
    for tally in tallies:
        for name, counts in tally.items():
            total[name] = total.get(name, Counts()) + counts
    return total


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is not None, or None where nothing is left."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
