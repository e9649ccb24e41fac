"""Fitting the screen: a token with its neighbours and the mean of its window, one hidden layer, in numpy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.screening.config import Student
from waqia.bulk.screen import HIGHEST, Bytes, Weights, mean, neighbours
from waqia.model.tensors import Floats
from waqia.model.windows import Ints, Window

log = logging.getLogger("train.screening")
FOUND = 0.05  # least probability of a token that counts among the few that begin a mention
WARM = 100  # steps until the learning rate is full
CODES = 127  # the largest whole number of 8 bits


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Windows one after another: T tokens, N windows."""

    ids: Ints  # (T,)
    lengths: Ints  # (N,)
    begins: Floats  # (T,) probability that a mention begins at the token


def tokens(windows: Sequence[Window], triggers: Sequence[Floats]) -> Tokens:
    """Windows with the probability of each of their words, which counts for the word's first token."""
    begins = []
    for window, words in zip(windows, triggers, strict=True):
        row = np.zeros(len(window.ids), np.float32)
        row[window.word_starts] = words
        begins.append(row)
    lengths = np.array([len(window.ids) for window in windows])
    return Tokens(np.concatenate([window.ids for window in windows]), lengths, np.concatenate(begins))


def narrowed(embeddings: Floats, depth: int) -> tuple[Bytes, float]:
    """Token vectors (V, depth) on their main axes, in 8 bits each axis by its own scale, and the share of variance that they keep."""
    centred = embeddings - embeddings.mean(0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    projected = centred @ axes[:, ::-1][:, :depth]
    largest = np.quantile(np.abs(projected), 0.999, axis=0)
    vectors = np.clip(np.round(projected / largest * CODES), -CODES, CODES).astype(np.int8)
    vectors[0] = 0  # [PAD]
    return vectors, float(values[::-1][:depth].sum() / values.sum())


def fit(data: Tokens, vectors: Bytes, settings: Student, seed: int) -> Weights:
    """A student by Adam on the log loss: all tokens that begin a mention, and others drawn anew in each epoch."""
    chance = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(data.lengths)), data.lengths)
    beside = neighbours(data.ids, of, 2 * settings.neighbours + 1)
    means = mean(data.ids, data.lengths, vectors)
    few, many = np.flatnonzero(data.begins >= FOUND), np.flatnonzero(data.begins < FOUND)
    width = (2 * settings.neighbours + 2) * vectors.shape[1]
    spread = float(vectors.std())
    first = chance.normal(0, (2 / width) ** 0.5, (width, settings.hidden)).astype(np.float32)
    second = chance.normal(0, (1 / settings.hidden) ** 0.5, settings.hidden).astype(np.float32)
    learnt = [first, np.zeros(settings.hidden, np.float32), second, np.full(1, -2, np.float32)]
    steps = settings.epochs * (min(len(many), settings.negatives * len(few)) + len(few)) // settings.batch_tokens
    adam = _Adam(learnt, settings, steps)
    for epoch in range(settings.epochs):
        drawn = chance.choice(many, min(len(many), settings.negatives * len(few)), replace=False)
        order, losses = chance.permutation(np.concatenate([few, drawn])), []
        for start in range(0, len(order) - settings.batch_tokens + 1, settings.batch_tokens):
            some = order[start : start + settings.batch_tokens]
            seen = np.concatenate([vectors[beside[some]].reshape(len(some), -1), means[of[some]]], 1).astype(np.float32) / spread
            kept = (chance.random((len(some), settings.hidden)) >= settings.dropout).astype(np.float32) / (1 - settings.dropout)
            loss, gradients = _step(learnt, seen, data.begins[some], kept)
            adam.update(gradients)
            losses.append(loss)
        log.info("epoch %d: loss %.4f", epoch + 1, np.mean(losses))
    return whole(vectors, learnt[0] / spread, learnt[1], learnt[2])


def _step(learnt: Sequence[Floats], seen: Floats, wanted: Floats, kept: Floats) -> tuple[float, list[Floats]]:
    """Log loss of one batch and its gradients."""
    first, bias, second, last = learnt
    sums = seen @ first + bias
    hidden = np.maximum(sums, 0) * kept
    said = 1 / (1 + np.exp(-np.clip(hidden @ second + last, -30, 30)))
    loss = float(-(wanted * np.log(said + 1e-7) + (1 - wanted) * np.log(1 - said + 1e-7)).mean())
    back = ((said - wanted) / len(wanted)).astype(np.float32)
    inner = back[:, None] * second * (sums > 0) * kept
    return loss, [seen.T @ inner, inner.sum(0), hidden.T @ back, back.sum(keepdims=True)]


class _Adam:
    """AdamW (Loshchilov and Hutter 2019); only the first layer decays. The learning rate rises over WARM steps and falls to 5 %."""

    def __init__(self, learnt: list[Floats], settings: Student, steps: int) -> None:
        self._learnt, self._settings, self._steps, self._step = learnt, settings, steps, 0
        self._means = [np.zeros_like(array) for array in learnt]
        self._squares = [np.zeros_like(array) for array in learnt]

    def update(self, gradients: Sequence[Floats]) -> None:
        """One step, in place."""
        self._step += 1
        rate = self._settings.learning_rate * min(1.0, self._step / WARM) * (1 - 0.95 * self._step / self._steps)
        for place, (array, gradient) in enumerate(zip(self._learnt, gradients, strict=True)):
            self._means[place] += 0.1 * (gradient - self._means[place])
            self._squares[place] += 0.02 * (gradient**2 - self._squares[place])
            moved = self._means[place] / (1 - 0.9**self._step) / (np.sqrt(self._squares[place] / (1 - 0.98**self._step)) + 1e-6)
            array -= np.float32(rate) * (moved + (self._settings.weight_decay * array if place == 0 else 0))


def whole(vectors: Bytes, first: Floats, bias: Floats, second: Floats) -> Weights:
    """The fitted weights in whole numbers of 8 bits: `first` by hidden number, `second` all by one scale."""
    scale = np.abs(first).max(0) / CODES  # (H,) a unit of what the product of whole numbers gives
    codes = np.round(first / scale).astype(np.int8)
    # A hidden number fills 0 to HIGHEST up to eight times the spread of what it can be, which `second` then weighs.
    reach = 8 * np.sqrt((first**2).sum(0)) * float(vectors.std()) + np.abs(bias)
    weighed = second * reach
    heaviest = np.abs(weighed).max()
    return Weights(
        vectors,
        codes,
        np.round(bias / scale).astype(np.int64),
        (scale / reach * HIGHEST).astype(np.float32),
        np.round(weighed / heaviest * CODES).astype(np.int8),
    )


def best_scores(scores: Ints, windows: Sequence[int], told: Sequence[Sequence[Sequence[int]]]) -> list[NDArray[np.int64]]:
    """For each document (its number of windows, the windows that mention each incident) the best score of each incident."""
    found, start = [], 0
    for count, incidents in zip(windows, told, strict=True):
        mine = scores[start : start + count]
        found.append(np.array([mine[list(places)].max() for places in incidents], np.int64))
        start += count
    return found
