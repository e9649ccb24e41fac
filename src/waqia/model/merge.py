"""Merging: which trigger mentions of a text tell the same happening (event coreference within a document), and what it then is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from waqia.arabic import DIACRITICS, SPELLINGS, TATWEEL
from waqia.model.tensors import Floats
from waqia.model.windows import WordRange

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


def clusters(count: int, same: dict[tuple[int, int], float], threshold: float) -> list[list[int]]:
    """Mentions 0 … count - 1 in text order to clusters: each joins the one that it is most like on average, or opens its own.

    `same` gives the probability of pairs (earlier, later); a pair that is not there counts for nothing.
    """
    found: list[list[int]] = []
    for mention in range(count):
        means = []
        for place, members in enumerate(found):
            known = [same[member, mention] for member in members if (member, mention) in same]
            means.append((sum(known) / len(known) if known else 0.0, -place))
        likeness, place = max(means, default=(0.0, 0))
        if likeness >= threshold:
            found[-place].append(mention)
        else:
            found.append([mention])
    return found


def join_types(
    groups: Sequence[Sequence[int]], types: Sequence[int], same: dict[tuple[int, int], float], threshold: float
) -> list[list[int]]:
    """Clusters of one type that are alike on average, the likest two first, become one; clusters in the order of their first mention."""
    joined = [(list(group), type_) for group, type_ in zip(groups, types, strict=True)]
    while True:
        pairs = [(a, b) for b in range(len(joined)) for a in range(b) if joined[a][1] == joined[b][1]]
        likeness, a, b = max(((_mean_likeness(joined[a][0], joined[b][0], same), -a, -b) for a, b in pairs), default=(0.0, 0, 0))
        if not pairs or likeness < threshold:
            return [group for group, _ in joined]
        joined[-a][0].extend(joined[-b][0])
        del joined[-b]


def _mean_likeness(a: Sequence[int], b: Sequence[int], same: dict[tuple[int, int], float]) -> float:
    known = [same[pair] for x in a for y in b if (pair := (min(x, y), max(x, y))) in same]
    return sum(known) / len(known) if known else 0.0


def decide(mentions: Sequence[Mention]) -> tuple[int, float]:
    """Type and probability of one happening from all its mentions: each weighs as much as it is probable."""
    weights = np.array([mention.score for mention in mentions])
    types = np.stack([mention.types for mention in mentions])
    mean = (weights[:, None] * types).sum(0) / weights.sum()
    best = int(mean.argmax())
    return best, float(max(mention.score * mention.types[best] for mention in mentions))
