"""Merging: which trigger mentions of a text tell the same happening (event coreference within a document), and what it then is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np

from waqia.arabic import DIACRITICS, SPELLINGS, TATWEEL
from waqia.model.tensors import Floats
from waqia.model.windows import WordRange

Pairs = Mapping[tuple[int, int], float]  # (earlier, later mention) -> the probability that they tell the same

BACK = 64  # mentions before one that it is compared with: what bounds the cost of a long text
PAIR_FEATURES = 3  # see `pair_features`
_MARKS = re.compile(f"[{DIACRITICS}{TATWEEL}]")
_SPELLINGS = str.maketrans({variant: letter for variant, letter in SPELLINGS.items() if variant not in "ةٱ"})  # as trained
_BEFORE = re.compile("^(?:[وف]?(?:[بك]?ال|لل)|[وفبلك])")
_AFTER = re.compile("(ات|ة|ت|وا|ون|ين|ان|ه|ها|هم|تها|ته)$")


@dataclass(frozen=True, slots=True, eq=False)
class Mention:
    """A trigger mention in a text: where it stands, how probable it is, and what it says of its type; D features, K types."""

    window: int  # of the text
    words: WordRange  # of the window
    start: int  # code points of the raw text
    end: int
    text: str
    score: float  # probability that an incident's mention begins here
    types: Floats  # (K,) probability of each type, given that one does
    state: Floats  # (D,) mean state of its words


@lru_cache(4096)
def stem(text: str) -> str:
    """A rough stem, to see that «الهجوم» and «هجوم» are one word: clitics, article and endings cut while three letters remain."""
    bare = _MARKS.sub("", text.split()[0] if text.split() else text).translate(_SPELLINGS)
    for pattern in (_BEFORE, _AFTER):
        shorter = pattern.sub("", bare)
        bare = shorter if len(shorter) >= 3 else bare
    return bare


def pair_features(a: tuple[str, int], b: tuple[str, int]) -> tuple[float, float, float]:
    """What is told of two mentions beside their states, each a (stem, start in code points): same stem, near, log distance."""
    distance = abs(a[1] - b[1])
    return float(a[0] == b[0]), float(distance < 60), float(np.log1p(distance) / 8)


def clusters(count: int, same: Pairs, threshold: float) -> list[list[int]]:
    """Mentions 0 … count - 1 in text order to clusters: each joins the one that it is most like on average, or opens its own.

    `same` gives the probability of pairs (earlier, later); a pair that is not there counts for nothing.
    """
    before: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for (earlier, later), probability in sorted(same.items()):
        before[later].append((earlier, probability))
    found: list[list[int]] = []
    of: list[int] = []  # the cluster of each mention
    for mention, known in enumerate(before):
        sums: dict[int, Sum] = {}
        for earlier, probability in known:
            sums[of[earlier]] = sums.get(of[earlier], NOTHING).plus(probability, 1)
        likeness, place = max(((total.mean, -cluster) for cluster, total in sums.items()), default=(-1.0, 0))
        if likeness >= threshold:
            of.append(-place)
            found[-place].append(mention)
        else:
            of.append(len(found))
            found.append([mention])
    return found


def join_types(groups: Sequence[Sequence[int]], types: Sequence[int], same: Pairs, threshold: float) -> list[list[int]]:
    """Clusters of one type that are alike on average, the likest two first, become one; clusters in the order of their first mention.

    Only pairs that are known are ever looked at, each as often as it changes: a long text has thousands of clusters.
    """
    joined = {place: list(group) for place, group in enumerate(groups)}
    near = _between(groups, types, same)
    likest = [(-total.mean, a, b) for a, others in near.items() for b, total in others.items() if a < b and total.mean >= threshold]
    heapify(likest)
    while likest:
        likeness, a, b = heappop(likest)
        if a not in joined or b not in joined or near[a][b].mean != -likeness:
            continue  # one of them has changed since
        joined[a] += joined.pop(b)
        for other, total in near.pop(b).items():
            del near[other][b]
            if other != a:
                near[a][other] = near[other][a] = now = near[a].get(other, NOTHING).plus(*total)
                if now.mean >= threshold:
                    heappush(likest, (-now.mean, min(a, other), max(a, other)))
    return list(joined.values())


class Sum(NamedTuple):
    """Probabilities added up, and how many they are."""

    total: float
    pairs: int

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.total / self.pairs

    def plus(self, total: float, pairs: int) -> Sum:
        """With more of them."""
        return Sum(self.total + total, self.pairs + pairs)


NOTHING = Sum(0.0, 0)


def _between(groups: Sequence[Sequence[int]], types: Sequence[int], same: Pairs) -> dict[int, dict[int, Sum]]:
    """For each cluster the others of its type of which a pair is known, and how alike these pairs are."""
    of = {mention: place for place, group in enumerate(groups) for mention in group}
    near: dict[int, dict[int, Sum]] = {place: {} for place in range(len(groups))}
    for (earlier, later), probability in same.items():
        a, b = of[earlier], of[later]
        if a != b and types[a] == types[b]:
            near[a][b] = near[b][a] = near[a].get(b, NOTHING).plus(probability, 1)
    return near


def decide(mentions: Sequence[Mention]) -> tuple[int, float]:
    """Type and probability of one happening from all its mentions: each weighs as much as it is probable."""
    weights = np.array([mention.score for mention in mentions])
    types = np.stack([mention.types for mention in mentions])
    mean = (weights[:, None] * types).sum(0) / weights.sum()
    best = int(mean.argmax())
    return best, float(max(mention.score * mention.types[best] for mention in mentions))
