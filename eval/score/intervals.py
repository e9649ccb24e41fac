"""How sure a figure is: bootstrap intervals that resample documents, since passages of one document err together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.score.counts import Counts, Tally, add

Interval = tuple[float, float]
Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference of a figure, its paired bootstrap interval, and its p by approximate randomisation over documents."""

    effect: float
    interval: Interval
    p: float

    @property
    def decided(self) -> bool:
        """Whether the data can tell which is better."""
        return self.p <= 0.05 and not self.interval[0] <= 0 <= self.interval[1]


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

    tallies and documents run in parallel, in any order; all tallies of one document are drawn together.
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


def paired(
    a: Sequence[Tally],
    b: Sequence[Tally],
    documents: Sequence[Hashable],
    figures: Callable[[Tally], Figures],
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Effect]:
    """What b has over a in every figure that both have.

    a, b and documents run in parallel. p is (1 + rounds with at least the effect) / (1 + rounds), so never 0.
    """
    names, both = by_document([*a, *b], [*((0, d) for d in documents), *((1, d) for d in documents)])
    counts = both.reshape(2, -1, *both.shape[1:])  # (system, document, name, 3)
    random, size = np.random.default_rng(seed), counts.shape[1]

    def effects(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float]:
        x, y = (figures(_tally(names, side)) for side in (first, second))
        return {name: v - u for name, u in x.items() if u is not None and (v := y[name]) is not None}

    seen = effects(counts[0].sum(0), counts[1].sum(0))
    drawn: dict[str, list[float]] = {name: [] for name in seen}
    as_large = dict.fromkeys(seen, 1)
    for _ in range(rounds):
        weights = random.multinomial(size, np.full(size, 1 / size))
        for name, effect in effects(np.tensordot(weights, counts[0], 1), np.tensordot(weights, counts[1], 1)).items():
            if name in seen:
                drawn[name].append(effect)
        swap = random.random((size, 1, 1)) < 0.5
        chance = effects(np.where(swap, counts[1], counts[0]).sum(0), np.where(swap, counts[0], counts[1]).sum(0))
        for name, effect in seen.items():
            # A figure that chance leaves undefined speaks for no difference; 1e-12 forgives the order of additions.
            as_large[name] += abs(chance.get(name, 0.0)) >= abs(effect) - 1e-12
    tail = 50 * (1 - level)
    return {name: Effect(seen[name], _interval(values, tail), as_large[name] / (1 + rounds)) for name, values in drawn.items() if values}


def by_document(tallies: Sequence[Tally], documents: Sequence[Hashable]) -> tuple[list[str], NDArray[np.float64]]:
    """Names of the counts, and an array (document, name, 3) of hits, gold and predicted; the file's order does not matter."""
    names = sorted({name for tally in tallies for name in tally})
    place = {name: n for n, name in enumerate(names)}
    row = {document: n for n, document in enumerate(sorted(set(documents), key=repr))}
    counts = np.zeros((len(row), len(names), 3))
    of: dict[Hashable, list[Tally]] = {}
    for tally, document in zip(tallies, documents, strict=True):
        of.setdefault(document, []).append(tally)
    for document, own in of.items():
        for name, c in add(own).items():
            counts[row[document], place[name]] = (float(c.hits), c.gold, c.predicted)
    return names, counts


def _tally(names: Sequence[str], counts: NDArray[np.float64]) -> dict[str, Counts]:
    return {name: Counts(*row) for name, row in zip(names, counts.tolist(), strict=True)}


def _interval(values: Sequence[float], tail: float) -> Interval:
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
