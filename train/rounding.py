"""How numbers become int8: the range of what a product is given, features brought to one size, weights rounded one feature after the other.

Given are unsigned 8-bit numbers with one range for all features; weights have 7 bits and a scale for each column: processors without VNNI
add two products in 16 bits, which 8-bit weights overflow, and all processors shall read the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LEVELS = 255  # steps of what a product is given
MOST = 64  # largest rounded weight: 2 x 255 x 64 stays below 2^15
STEP = 16  # one row in so many is kept to try ranges on
JUDGED = 256  # rows that ranges are tried on
SHRUNK = np.geomspace(1.0, 0.4, 12)  # parts of the range seen that are tried
LARGEST = 24  # one feature in so many is larger than the rest and may be made smaller
POWERS = (0.0, 0.5, 0.75, 1.0)  # of how much larger it is; what it is divided by
WORTH = 0.7  # part of the square error that may be left where it is worth a multiplication
# A column's largest weight over one of these is its scale; those below MOST find the scale of what was rounded before.
DIVISORS = (*range(MOST, 2 * MOST), *range(MOST - 1, MOST // 2, -1))
DAMPING = 0.01  # part of the mean square of a feature that is added to each, for a stable inverse
BLOCK = 64  # features that are rounded before the rest is corrected
Floats = NDArray[np.float32]
Rounded = NDArray[np.int8]


def _nothing() -> Floats:
    return np.zeros(1, np.float32)


@dataclass(eq=False)
class Given:
    """What a product is given over many passages; rows of K features."""

    low: Floats = field(default_factory=_nothing)  # (K,) least of each feature, at most 0
    high: Floats = field(default_factory=_nothing)  # (K,) largest, at least 0
    squares: Floats = field(default_factory=_nothing)  # (K, K) sums over rows of a feature times another
    kept: list[Floats] = field(default_factory=list)  # (n, K) one row in STEP

    def add(self, values: Floats) -> None:
        """Count in values (..., K)."""
        rows = values.reshape(-1, values.shape[-1])
        if len(rows):
            self.low, self.high = np.minimum(self.low, rows.min(0)), np.maximum(self.high, rows.max(0))
            self.squares = self.squares + rows.T @ rows
            self.kept.append(rows[::STEP].copy())

    def divided(self, by: Floats) -> Given:
        """With each feature divided by a positive number of its own, `by` (K,)."""
        return Given(self.low / by, self.high / by, self.squares / np.outer(by, by), [rows / by for rows in self.kept])

    @cached_property
    def judged(self) -> Floats:
        """Rows evenly from those that were kept, JUDGED of them or a few more."""
        rows = np.concatenate(self.kept)
        return rows[:: max(1, len(rows) // JUDGED)]

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The features, those of the largest squares first: what is rounded last is made up for by nothing."""
        return np.argsort(-np.diag(self.squares), kind="stable")

    @cached_property
    def factor(self) -> Floats:
        """(K, K) upper Cholesky factor of the inverse of the squares, features in `order`."""
        squares = self.squares[np.ix_(self.order, self.order)].astype(np.float64)
        damped = squares + max(DAMPING * float(np.diag(squares).mean()), 1e-9) * np.eye(len(squares))
        return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T, np.float32)


def step(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of a range that holds 0."""
    scale = np.float32(max(high - low, 1e-6) / LEVELS)
    return scale, np.uint8(np.clip(np.round(-low / scale), 0, LEVELS))


def best_range(given: Given, weights: Floats) -> tuple[float, float, float]:
    """The range that changes what a product with `weights` (K, N) gives least, and the square error that it leaves.

    All that was seen is tried, and less of it, so that rare large values are cut off.
    """
    rows = given.judged
    low, high = float(given.low.min()), float(given.high.max())
    tried = [(max(low, -part * max(-low, high)), min(high, part * max(-low, high))) for part in SHRUNK]
    errors = []
    for one in tried:
        scale, zero = step(*one)
        rounded = (np.clip(np.round(rows / scale) + zero, 0, LEVELS) - zero) * scale
        errors.append(float(np.square((rounded - rows) @ weights).sum()))
    return *tried[int(np.argmin(errors))], min(errors)


def evened(given: Given, weights: Floats) -> Floats | None:
    """(K,) what to divide the features by, so that a few large ones do not make all steps coarse (after SmoothQuant, Xiao et al. 2022).

    What one feature in LARGEST has above the next is taken from it in part or whole, and its weights grow as much: whichever loses least.
    None where more than WORTH of the square error would be left.
    """
    top = np.maximum(given.high, -given.low)
    excess = np.maximum(1, top / max(float(np.sort(top)[-1 - len(top) // LARGEST]), 1e-6))
    tried = [np.asarray(excess**power, np.float32) for power in POWERS]
    errors = [_error(given.divided(by), weights * by[:, None]) for by in tried]
    best = int(np.argmin(errors))
    return tried[best] if errors[best] < WORTH * errors[0] else None


def _error(given: Given, weights: Floats) -> float:
    """About the square error of a product in int8, each weight rounded alone."""
    scale = np.maximum(np.abs(weights).max(0), 1e-9) / MOST
    return best_range(given, weights)[2] + float(np.square(given.judged @ (np.round(weights / scale) * scale - weights)).sum())


def scales(weights: Floats) -> Floats:
    """(N,) for each column of `weights` (K, N) the scale that rounds it with the least square error, outermost weights cut off."""
    top = np.maximum(np.abs(weights).max(0), 1e-9)
    best, least = top / MOST, np.full(len(top), np.inf)
    for divisor in DIVISORS:
        scale = top / divisor
        error = np.square(np.clip(np.round(weights / scale), -MOST, MOST) * scale - weights).sum(0)
        better = error < least
        best[better], least[better] = scale[better], error[better]
    return np.asarray(best, np.float32)


def round_weights(weights: Floats, given: Given) -> tuple[Rounded, Floats]:
    """`weights` (K, N) in 7 bits, and their scales (N,).

    Feature by feature; what rounding one changes of the products, the features still to come make up for as well as they can (Frantar et
    al. 2022, GPTQ).
    """
    scale, order, factor = scales(weights), given.order, given.factor
    left, rounded = weights[order].astype(np.float32), np.zeros(weights.shape, np.int8)
    for first in range(0, len(left), BLOCK):
        last = min(first + BLOCK, len(left))
        errors = np.zeros_like(left[first:last])
        for place in range(first, last):
            whole = np.clip(np.round(left[place] / scale), -MOST, MOST)
            rounded[order[place]] = whole
            errors[place - first] = (left[place] - whole * scale) / factor[place, place]
            left[place:last] -= np.outer(factor[place, place:last], errors[place - first])
        left[last:] -= factor[first:last, last:].T @ errors
    return rounded, scale
