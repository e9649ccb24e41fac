"""From texts to readings: windows, the network in batches, decoding; the same for torch and for the runtimes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.decode import borne_out, pick_participants, pick_triggers, sigmoid, told_once
from waqia.model.tensors import Backend, Encoded, Floats, Participants, Triggers, batch
from waqia.model.windows import Window, WindowSettings, split
from waqia.schema import Incident, Participant, Reading, Span

TOKENS_A_BATCH = 1024  # padded tokens in one pass of the encoder
CELLS_A_BATCH = 100_000  # triggers x words x words in one pass of the participants graph


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
        np.maximum.at(types, owners, sigmoid(encoded.type_logits / model.calibration.type_temperature))
        for row, incident in _incidents(encoded, windows, [texts[place] for place in owners], model):
            found[owners[row]].append(incident)
    return [_reading(*row, model) for row in zip(found, types, cut, strict=True)]


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
    return Reading(ordered, scores, len(windows), any(window.cut for window in windows), label_set, model.name)


def pad_id(tokenizer: Tokenizer) -> int:
    """The id that fills a batch up."""
    return int(tokenizer.token_to_id("[PAD]") or 0)
