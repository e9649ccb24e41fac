"""Decoding: logits to triggers and participants over words; pure functions that know nothing of what computed the logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from waqia.model.tensors import Floats, half_open
from waqia.model.windows import WordRange
from waqia.schema import Incident

LONGEST_TRIGGER = 4  # words; the guidelines ask for one to three, a quotation mark inside counts as one more
LONGEST_PARTICIPANT = 24  # words; the longest of 16,622 labelled ones has 16


def pick_mentions(
    trigger_logits: Floats, inside_logits: Floats, owned: WordRange, threshold: float, temperature: float
) -> list[tuple[WordRange, float]]:
    """Trigger mentions of one window as (words, probability), most probable first, none overlapping.

    A mention begins at a word that is so at least with the probability `threshold`, of whatever type, and goes on over the words that are
    more likely inside than not: there is no way to decode an inside without a beginning.
    """
    scores = 1 - softmax(trigger_logits / temperature)[:, 0]  # (word,)
    begins = np.flatnonzero(scores >= threshold)
    free = np.ones(len(scores), bool)
    picked = []
    for start in begins[np.argsort(-scores[begins], kind="stable")].tolist():
        if not (free[start] and owned.start <= start < owned.stop):
            continue
        stop = start + 1
        while stop < min(len(free), start + LONGEST_TRIGGER) and free[stop] and inside_logits[stop] > 0:
            stop += 1
        free[start:stop] = False
        picked.append((WordRange(start, stop), float(scores[start])))
    return picked


def pick_participants(role_logits: Floats, thresholds: Floats, temperature: float) -> list[tuple[int, WordRange, float]]:
    """Participants of one trigger as (role, words, probability): the most probable spans that do not overlap in a role.

    role_logits (W, W, R), first word x last word; spans that end before they begin, or that run on for more than LONGEST_PARTICIPANT
    words, are never picked.
    """
    likely = np.flatnonzero(role_logits >= temperature * logit(thresholds))  # few are: no sigmoid of the others
    first, last, role = np.unravel_index(likely, role_logits.shape)  # twice as fast as nonzero of three axes
    scores = sigmoid(role_logits[first, last, role] / temperature)
    start, stop = half_open(first, last)
    free = np.ones((role_logits.shape[2], len(role_logits)), bool)
    picked = []
    for place in np.argsort(-scores, kind="stable"):
        words, r = WordRange(int(start[place]), int(stop[place])), int(role[place])
        if 0 < words.length <= LONGEST_PARTICIPANT and free[r, slice(*words)].all():
            free[r, slice(*words)] = False
            picked.append((r, words, float(scores[place])))
    return picked


def borne_out(incidents: Sequence[Incident], types: Mapping[str, float], least: float) -> Sequence[Incident]:
    """The incidents, or none where the text as a whole is less likely than `least` to report any of their types.

    A lone word may look like a trigger in a text that reports nothing; `types` are the probabilities of the head that sees all of it.
    """
    return incidents if max((types[incident.type] for incident in incidents), default=0.0) >= least else ()


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), np.float32)


def logit(p: Floats) -> Floats:
    p = np.clip(np.asarray(p, np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(p / (1 - p)), np.float32)


def softmax(x: Floats) -> Floats:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float32)
