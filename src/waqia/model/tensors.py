"""What goes into the network and what comes out of it, with the shape of every array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from waqia.model.windows import Ints, Window

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows padded to one shape: B windows, T tokens, W words; a padding word has start == end == 0."""

    input_ids: Ints  # (B, T)
    attention_mask: Ints  # (B, T)
    word_starts: Ints  # (B, W)
    word_ends: Ints  # (B, W)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What one encoder pass says of B windows of W words, K incident types, D features."""

    type_logits: Floats  # (B, K)
    trigger_logits: Floats  # (B, W, 1 + K), the first for "no trigger begins here"
    inside_logits: Floats  # (B, W), the word goes on a trigger
    word_states: Floats  # (B, W, D)


@dataclass(frozen=True, slots=True, eq=False)
class Participants:
    """What the participants graph says of N triggers in windows of W words, R roles, S statuses, C sectors."""

    role_logits: Floats  # (N, W, W, R), first word x last word: see `ends`
    status_logits: Floats  # (N, S)
    sector_logits: Floats  # (N, W, C), to be averaged over a span's words


class Triggers(NamedTuple):
    """N triggers as half-open ranges of words, with the index of their type."""

    start: Ints
    stop: Ints
    type: Ints


class Pairs(NamedTuple):
    """P pairs of mentions: mean states of their words (P, D), probabilities of their types (P, K), features of the pair (P, F)."""

    first_states: Floats
    second_states: Floats
    first_types: Floats
    second_types: Floats
    features: Floats


class Backend(Protocol):
    """Whatever runs the model: torch in `train/`, ONNX Runtime in `waqia`."""

    def encode(self, batch: Batch) -> Encoded:
        """One pass of the encoder and its heads over a batch of windows."""

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Roles, status and sectors for N triggers; word_states (N, W, D), word_mask (N, W)."""

    def merge(self, pairs: Pairs) -> Floats:
        """Logits (P,) that two mentions tell the same happening."""


def ends(start: Any, stop: Any) -> tuple[Any, Any]:
    """First and last word of half-open ranges; numbers, arrays or tensors.

    The graphs know words by these two: `trigger_first` and `trigger_last` go in, and the cells of `role_logits` are first word x last word.
    Everything else counts half-open, and only here and in `half_open` one turns into the other.
    """
    return start, stop - 1


def half_open(first: Any, last: Any) -> tuple[Any, Any]:
    """Start and stop of ranges of words from their first and last word; see `ends`."""
    return first, last + 1


def batch(windows: Sequence[Window], pad_id: int) -> Batch:
    """Pad windows to the longest of them."""
    tokens, words = max(len(w.ids) for w in windows), max(len(w.words) for w in windows)
    by_token, by_word = (len(windows), tokens), (len(windows), words)
    padded = Batch(
        np.full(by_token, pad_id, np.int64), np.zeros(by_token, np.int64), np.zeros(by_word, np.int64), np.zeros(by_word, np.int64)
    )
    for row, window in enumerate(windows):
        padded.input_ids[row, : len(window.ids)] = window.ids
        padded.attention_mask[row, : len(window.ids)] = 1
        padded.word_starts[row, : len(window.words)] = window.word_starts
        padded.word_ends[row, : len(window.words)] = window.word_ends
    return padded
