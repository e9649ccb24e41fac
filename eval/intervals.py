"""How sure a figure is: bootstrap intervals that resample documents, since passages of one document err together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.counts import Counts, Tally

Interval = tuple[float, float]
Figures = Mapping[str, float | None]


def bootstrap(
    tallies: Sequence[Tally],
    documents: Sequence[Hashable],
    figures: Callable[[Tally], Figures],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval | None]:
    """Percentile intervals (Efron and Tibshirani 1993) of every figure; None where most resamples have nothing to score.

    tallies and documents run in parallel; all tallies of one document are drawn together.
    """
    names, counts = by_document(tallies, documents)
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in figures(_tally(names, counts.sum(0)))}
    for _ in range(resamples):
        weights = random.multinomial(len(counts), np.full(len(counts), 1 / len(counts)))
        for name, value in figures(_tally(names, np.tensordot(weights, counts, 1))).items():
            if value is not None:
                drawn[name].append(value)
    tail = 50 * (1 - level)
    return {name: _interval(values, tail) if 2 * len(values) > resamples else None for name, values in drawn.items()}


def by_document(tallies: Sequence[Tally], documents: Sequence[Hashable]) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the counts, and an array (document, name, 3) of hits, gold and predicted."""
    names = sorted({name for tally in tallies for name in tally})
    place = {name: n for n, name in enumerate(names)}
    row = {document: n for n, document in enumerate(dict.fromkeys(documents))}
    counts = np.zeros((len(row), len(names), 3), np.int64)
    for tally, document in zip(tallies, documents, strict=True):
        for name, c in tally.items():
            counts[row[document], place[name]] += (c.hits, c.gold, c.predicted)
    return names, counts


def _tally(names: Sequence[str], counts: NDArray[np.int64]) -> dict[str, Counts]:
    return {name: Counts(*row) for name, row in zip(names, counts.tolist(), strict=True)}


def _interval(values: Sequence[float], tail: float) -> Interval:
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
