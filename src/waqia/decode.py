"""Decoding: the model's logits to incidents, the same code for torch and ONNX Runtime; nothing here knows which one ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Span
from waqia.windows import Batch, Ints, Window, WindowSettings, batch, split

Floats = NDArray[np.float32]

LONGEST_TRIGGER = 4  # words; the guidelines ask for one to three, a quotation mark inside counts as one more
LONGEST_PARTICIPANT = 24  # words; the longest of 16,622 labelled ones has 16
TOKENS_A_BATCH = 1024  # padded tokens in one pass of the encoder
CELLS_A_BATCH = 100_000  # triggers x words x words in one pass of the participants graph
TARGET = "target"  # the role that tells one act from another of its type


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

    role_logits: Floats  # (N, W, W, R), first word x last word
    status_logits: Floats  # (N, S)
    sector_logits: Floats  # (N, W, C), to be averaged over a span's words


class Triggers(NamedTuple):
    """N triggers as word ranges (both ends included) with the index of their type."""

    first: Ints
    last: Ints
    type: Ints


class Backend(Protocol):
    """Whatever runs the model: torch in `train/`, ONNX Runtime in `waqia`."""

    def encode(self, batch: Batch) -> Encoded:
        """One pass of the encoder and its heads over a batch of windows."""

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Roles, status and sectors for N triggers; word_states (N, W, D), word_mask (N, W)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures by head and least probabilities by label, fitted on dev and kept in the artefact."""

    type_temperature: float
    trigger_temperature: float
    role_temperature: float
    trigger_thresholds: Mapping[str, float]  # by incident type
    role_thresholds: Mapping[str, float]  # by role
    told_again: float = 0.0  # least probability of an incident that may be another one told again, see told_once
    reports: float = 0.0  # least probability that the text reports the likeliest type found, see borne_out

    @classmethod
    def plain(cls, labels: LabelSet, threshold: float = 0.5) -> Calibration:
        """No temperature and one threshold: what a model has before it is calibrated."""
        return cls(1.0, 1.0, 1.0, dict.fromkeys(labels.incident_types, threshold), dict.fromkeys(labels.roles, threshold))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read back what `to_dict` wrote; TypeError where a key is missing or unknown."""
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Model:
    """All that reading needs: the backend with its tokenizer, labels, windows and calibration."""

    name: str
    backend: Backend
    tokenizer: Tokenizer
    labels: LabelSet
    windows: WindowSettings
    calibration: Calibration


def read_texts(texts: Sequence[str], model: Model) -> list[Reading]:
    """Read texts, windows of all of them batched together by length; one Reading a text, in order."""
    return read_windows(texts, cut_texts(texts, model), model)


def cut_texts(texts: Sequence[str], model: Model) -> list[list[Window]]:
    """The windows of each text: the part of reading that needs no backend."""
    return [split(text, model.tokenizer, model.windows) for text in texts]


def read_windows(texts: Sequence[str], cut: Sequence[Sequence[Window]], model: Model) -> list[Reading]:
    """Read texts already cut by `cut_texts`; one Reading a text, in order."""
    found: list[list[Incident]] = [[] for _ in texts]
    types = np.zeros((len(texts), len(model.labels.incident_types)), np.float32)
    for chosen in token_batches([(place, window) for place, windows in enumerate(cut) for window in windows]):
        owners, windows = [place for place, _ in chosen], [window for _, window in chosen]
        encoded = model.backend.encode(batch(windows, pad_id(model.tokenizer)))
        np.maximum.at(types, owners, _sigmoid(encoded.type_logits / model.calibration.type_temperature))
        for row, incident in _incidents(encoded, windows, [texts[place] for place in owners], model):
            found[owners[row]].append(incident)
    return [_reading(*row, model) for row in zip(found, types, cut, strict=True)]


def pick_triggers(
    trigger_logits: Floats, inside_logits: Floats, owned: tuple[int, int], thresholds: Floats, temperature: float
) -> list[tuple[int, int, int, float]]:
    """Triggers of one window as (first word, last word, type, probability), most probable first, none overlapping.

    A trigger begins at a word whose most probable type reaches its threshold, and goes on over the words that are more likely
    inside than not: there is no way to decode an inside without a beginning.
    """
    probabilities = _softmax(trigger_logits / temperature)[:, 1:]  # (word, type)
    types = probabilities.argmax(1)
    scores = probabilities.max(1)
    begins = np.flatnonzero(scores >= thresholds[types])
    free = np.ones(len(scores), bool)
    picked = []
    for first in begins[np.argsort(-scores[begins], kind="stable")]:
        if not (free[first] and owned[0] <= first < owned[1]):
            continue
        last = first
        while last + 1 < min(len(free), first + LONGEST_TRIGGER) and free[last + 1] and inside_logits[last + 1] > 0:
            last += 1
        free[first : last + 1] = False
        picked.append((int(first), int(last), int(types[first]), float(scores[first])))
    return picked


def pick_participants(role_logits: Floats, thresholds: Floats, temperature: float) -> list[tuple[int, int, int, float]]:
    """Participants of one trigger as (role, first word, last word, probability): the most probable spans that do not overlap in a role.

    role_logits (W, W, R), first word x last word; spans that end before they begin, or that run on for more than LONGEST_PARTICIPANT
    words, are never picked.
    """
    first, last, role = np.nonzero(role_logits >= temperature * _logit(thresholds))  # few are: no sigmoid of the others
    scores = _sigmoid(role_logits[first, last, role] / temperature)
    free = np.ones((role_logits.shape[2], len(role_logits)), bool)
    picked = []
    for place in np.argsort(-scores, kind="stable"):
        i, j, r = int(first[place]), int(last[place]), int(role[place])
        if 0 <= j - i < LONGEST_PARTICIPANT and free[r, i : j + 1].all():
            free[r, i : j + 1] = False
            picked.append((r, i, j, float(scores[place])))
    return picked


def told_once(incidents: Sequence[Incident], least: float) -> list[Incident]:
    """Incidents, most probable first, without acts told again: an annotator marks each once, a model at every mention.

    Left out is what is less probable than `least` and shares a target with a more probable incident of its type.
    """
    kept = []
    taken: dict[str, set[int]] = defaultdict(set)  # places in the text that are targets, by incident type
    for incident in sorted(incidents, key=lambda incident: (-(incident.score or 0.0), incident.trigger.start)):
        places = {place for p in incident.participants if p.role == TARGET for place in range(p.start, p.end)}
        if (incident.score or 0.0) >= least or taken[incident.type].isdisjoint(places):
            kept.append(incident)
            taken[incident.type] |= places
    return kept


def borne_out(incidents: Sequence[Incident], types: Mapping[str, float], least: float) -> Sequence[Incident]:
    """The incidents, or none where the text as a whole is less likely than `least` to report any of their types.

    A lone word may look like a trigger in a text that reports nothing; `types` are the probabilities of the head that sees all of it.
    """
    return incidents if max((types[incident.type] for incident in incidents), default=0.0) >= least else ()


def token_batches(items: list[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    """(owner, window) pairs, windows of like length together, in batches of at most TOKENS_A_BATCH padded tokens."""
    chosen: list[tuple[int, Window]] = []
    for item in sorted(items, key=lambda item: len(item[1].ids)):
        if chosen and (len(chosen) + 1) * len(item[1].ids) > TOKENS_A_BATCH:
            yield chosen
            chosen = []
        chosen.append(item)
    if chosen:
        yield chosen


class _Job(NamedTuple):
    row: int  # of the batch
    first: int
    last: int
    type: int
    score: float


def _incidents(encoded: Encoded, windows: Sequence[Window], texts: Sequence[str], model: Model) -> Iterator[tuple[int, Incident]]:
    """(row of the batch, incident) for every trigger of a batch."""
    thresholds = np.array([model.calibration.trigger_thresholds[name] for name in model.labels.incident_types], np.float32)
    jobs = []
    for row, window in enumerate(windows):
        n = len(window.words)
        logits = encoded.trigger_logits[row, :n], encoded.inside_logits[row, :n]
        picked = pick_triggers(*logits, window.owned, thresholds, model.calibration.trigger_temperature)
        jobs += [_Job(row, *trigger) for trigger in picked]
    width = encoded.word_states.shape[1]
    step = max(1, CELLS_A_BATCH // max(1, width * width))
    for start in range(0, len(jobs), step):
        yield from _with_participants(jobs[start : start + step], encoded, windows, texts, model)


def _with_participants(
    jobs: Sequence[_Job], encoded: Encoded, windows: Sequence[Window], texts: Sequence[str], model: Model
) -> Iterator[tuple[int, Incident]]:
    rows = np.array([job.row for job in jobs])
    lengths = np.array([len(windows[row].words) for row in rows])
    width = int(lengths.max())
    mask = (np.arange(width) < lengths[:, None]).astype(np.int64)
    triggers = Triggers(*(np.array([getattr(job, name) for job in jobs], np.int64) for name in Triggers._fields))
    said = model.backend.participants(encoded.word_states[rows, :width], mask, triggers)
    for place, job in enumerate(jobs):
        n = int(lengths[place])
        one = Participants(said.role_logits[place, :n, :n], said.status_logits[place], said.sector_logits[place, :n])
        yield job.row, _incident(job, one, windows[job.row], texts[job.row], model)


def _incident(job: _Job, said: Participants, window: Window, text: str, model: Model) -> Incident:
    labels, calibration = model.labels, model.calibration
    roles, sectors = list(labels.roles), list(labels.sectors)
    thresholds = np.array([calibration.role_thresholds[name] for name in roles], np.float32)
    participants = []
    for role, first, last, score in pick_participants(said.role_logits, thresholds, calibration.role_temperature):
        span = _span(window, first, last, text)
        sector = sectors[int(said.sector_logits[first : last + 1].mean(0).argmax())] if labels.roles[roles[role]].sector else None
        participants.append(Participant(span.start, span.end, span.text, roles[role], sector, score))
    order = {name: place for place, name in enumerate(roles)}
    participants.sort(key=lambda p: (order[p.role], p.start))
    status = list(labels.statuses)[int(said.status_logits.argmax())]
    type_name = list(labels.incident_types)[job.type]
    return Incident(type_name, status, _span(window, job.first, job.last, text), tuple(participants), job.score)


def _span(window: Window, first: int, last: int, text: str) -> Span:
    start, end = int(window.words[first, 0]), int(window.words[last, 1])
    return Span(start, end, text[start:end])


def _reading(incidents: list[Incident], types: Floats, windows: Sequence[Window], model: Model) -> Reading:
    scores = {name: round(float(p), 6) for name, p in zip(model.labels.incident_types, types, strict=True)}
    kept = borne_out(told_once(incidents, model.calibration.told_again), scores, model.calibration.reports)
    ordered = tuple(sorted(kept, key=lambda incident: (incident.trigger.start, incident.trigger.end)))
    label_set = f"{model.labels.name}/{model.labels.version}"
    return Reading(ordered, scores, len(windows), False, label_set, model.name)


def pad_id(tokenizer: Tokenizer) -> int:
    """The id that fills a batch up."""
    return int(tokenizer.token_to_id("[PAD]") or 0)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), np.float32)


def _logit(p: Floats) -> Floats:
    p = np.clip(np.asarray(p, np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(p / (1 - p)), np.float32)


def _softmax(x: Floats) -> Floats:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float32)
