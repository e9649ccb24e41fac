"""The threshold that a share of lost incidents allows: learn then test (Angelopoulos et al. 2021), thresholds from the safest on.

An incident is lost where no window that mentions it is read. Incidents of one document are not independent, so each document with incidents
gives one, drawn at random: their losses are independent, and the exact binomial test holds. The promise is about an incident so drawn from
a document of the same kind. Thresholds are tested in a fixed order, each only when all safer ones passed, so that no correction is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from waqia.bulk.screen import Bound

Ints = NDArray[np.int64]


def drawn(best: Sequence[Ints], seed: int) -> Ints:
    """The best score of one incident of each document that has any."""
    chance = np.random.default_rng(seed)
    return np.array([chance.choice(scores) for scores in best if len(scores)], np.int64)


def bound(scores: Ints, lost: float, confidence: float) -> Bound | None:
    """The highest threshold that passes the test, or None where not even a loss of nothing proves so small a share.

    scores (D,): the best score of the incident drawn from each of D documents.
    """
    passed = None
    for threshold in np.unique(scores):
        misses = int((scores < threshold).sum())
        if binom.cdf(misses, len(scores), lost) > 1 - confidence:
            break
        passed = Bound(lost, confidence, int(threshold), len(scores), misses)
    return passed


def share_lost(best: Sequence[Ints], threshold: int) -> tuple[int, int]:
    """Incidents lost at a threshold, of all of the documents."""
    scores = np.concatenate(best) if len(best) else np.zeros(0, np.int64)
    return int((scores < threshold).sum()), len(scores)
