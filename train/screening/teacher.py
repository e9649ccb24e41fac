"""What the full model says of unlabelled documents: a window's tokens, a trigger probability a word, and the incidents told there.

Participants are not asked: an incident is found by its mentions, and what a screen may lose is whole windows.
"""

from __future__ import annotations

import hashlib
import json
import logging
import lzma
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waqia.model.decode import sigmoid, softmax
from waqia.model.pipeline import WINDOWS_TOGETHER, Happening, Model, Part, cut_texts, encode, merge
from waqia.model.tensors import Backend, Batch, Encoded, Floats, Pairs, Participants, Triggers
from waqia.model.windows import Ints, Window, WordRange

log = logging.getLogger("train.screening")
TOGETHER = 32  # documents read at once


@dataclass(frozen=True, slots=True)
class Document:
    """A text without labels; `outlet` is the file of the corpus it stands in."""

    id: str
    outlet: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One document as the full model reads it; T tokens and W words a window."""

    id: str
    outlet: str
    windows: tuple[Window, ...]
    triggers: tuple[NDArray[np.floating[Any]], ...]  # (W,) each: probability that a mention begins at the word
    types: NDArray[np.floating[Any]]  # (windows, K) probability that the window reports a type
    incidents: tuple[tuple[int, tuple[int, ...]], ...]  # (type, windows that mention it), of the full reading


def sample(folder: Path, files: Sequence[str], count: int, seed: int) -> list[Document]:
    """`count` documents of the files together, each equally likely (the same ones for a seed), in an order of chance."""
    ranked: list[tuple[bytes, Document]] = []
    for name in files:
        with lzma.open(folder / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                rank = hashlib.blake2b(f"{seed} {row['id']}".encode(), digest_size=8).digest()
                ranked.append((rank, Document(row["id"], name, row["text"])))
    return [document for _, document in sorted(ranked, key=lambda one: one[0])[:count]]


class Listener:
    """A backend that keeps what the encoder says of the words of each window, by its token ids."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.heard: dict[bytes, tuple[Floats, Floats]] = {}  # ids -> trigger logits (W, 1 + K), type logits (K,)

    def encode(self, batch: Batch) -> Encoded:
        """Pass on, and keep."""
        said = self._backend.encode(batch)
        for row, (tokens, words) in enumerate(zip(batch.attention_mask.sum(1), (batch.word_ends > 0).sum(1), strict=True)):
            self.heard[batch.input_ids[row, :tokens].tobytes()] = said.trigger_logits[row, :words], said.type_logits[row]
        return said

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Pass on."""
        return self._backend.participants(word_states, word_mask, triggers)

    def merge(self, pairs: Pairs) -> Floats:
        """Pass on."""
        return self._backend.merge(pairs)


def read_documents(documents: Sequence[Document], model: Model, *, seconds: float = float("inf")) -> Iterator[Read]:
    """Read in order, and stop when the time is up; documents of more than WINDOWS_TOGETHER windows are left out, and said."""
    until = time.monotonic() + seconds
    for start in range(0, len(documents), TOGETHER):
        if time.monotonic() > until:
            log.info("the time is up after %d of %d documents", start, len(documents))
            return
        some = documents[start : start + TOGETHER]
        cut = cut_texts([one.text for one in some], model)
        kept = [place for place, windows in enumerate(cut) if 0 < len(windows) <= WINDOWS_TOGETHER]
        if len(kept) < len(some):
            log.info("%d documents without a word, or too long, are left out", len(some) - len(kept))
        yield from _read([some[place] for place in kept], [cut[place] for place in kept], model)


def _read(documents: Sequence[Document], cut: Sequence[Sequence[Window]], model: Model) -> Iterator[Read]:
    listener = Listener(model.backend)
    none = np.zeros(len(model.labels.incident_types), np.float32)
    parts = [Part(place, windows, none) for place, windows in enumerate(cut)]
    encode(parts, [one.text for one in documents], replace(model, backend=listener))
    found = merge([part.mentions for part in parts], model)
    calibration = model.calibration
    for document, part, happenings in zip(documents, parts, found, strict=True):
        heard = [listener.heard[window.ids.tobytes()] for window in part.windows]
        triggers = tuple((1 - softmax(logits / calibration.trigger_temperature)[:, 0]).astype(np.float16) for logits, _ in heard)
        types = np.stack([sigmoid(logits / calibration.type_temperature) for _, logits in heard]).astype(np.float16)
        incidents = reported(happenings, part.types, model)
        yield Read(document.id, document.outlet, tuple(part.windows), triggers, types, incidents)


def reported(happenings: Sequence[Happening], types: Floats, model: Model) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(type, windows) of the happenings that a reading would report: probable enough, in a text that bears them out."""
    names = list(model.labels.incident_types)
    likely = [one for one in happenings if one.score >= model.calibration.trigger_thresholds[names[one.type]]]
    if max((types[one.type] for one in likely), default=0.0) < model.calibration.reports:
        return ()
    return tuple((one.type, tuple(sorted({mention.window for mention in one.mentions}))) for one in likely)


def save(path: Path, reads: Sequence[Read], model: str) -> None:
    """All that was read as one compressed file of arrays (no pickle); `model` is the digest of the artefact that read."""
    windows = [window for one in reads for window in one.windows]
    np.savez_compressed(
        path,
        model=np.array(model),
        names=np.array([json.dumps([one.id, one.outlet, one.incidents]) for one in reads]),
        windows=np.array([len(one.windows) for one in reads]),
        tokens=np.array([len(window.ids) for window in windows]),
        words=np.array([len(window.words) for window in windows]),
        ids=np.concatenate([window.ids for window in windows]).astype(np.uint16),
        starts=np.concatenate([window.word_starts for window in windows]).astype(np.uint16),
        ends=np.concatenate([window.word_ends for window in windows]).astype(np.uint16),
        offsets=np.concatenate([window.words for window in windows]).astype(np.uint32),
        owned=np.array([window.owned for window in windows]),
        triggers=np.concatenate([row for one in reads for row in one.triggers]),
        types=np.concatenate([one.types for one in reads]),
    )


def load(path: Path, model: str) -> list[Read]:
    """What `save` wrote; nothing where there is no such file, or another artefact read."""
    if not path.exists():
        return []
    with np.load(path) as held:
        data: Mapping[str, np.ndarray] = {name: held[name] for name in held.files}
    if "model" not in data or str(data["model"]) != model:
        log.info("%s: is of another artefact than %s, and is read again", path, model[:16])
        return []
    tokens, words = (np.concatenate([[0], np.cumsum(data[name])]) for name in ("tokens", "words"))
    windows, triggers = [], []
    for n, owned in enumerate(data["owned"]):
        a, b, c, d = tokens[n], tokens[n + 1], words[n], words[n + 1]
        starts, ends = data["starts"][c:d].astype(np.int64), data["ends"][c:d].astype(np.int64)
        bounds = WordRange(int(owned[0]), int(owned[1]))
        windows.append(Window(data["ids"][a:b].astype(np.int64), starts, ends, data["offsets"][c:d].astype(np.int64), bounds))
        triggers.append(data["triggers"][c:d].astype(np.float32))
    reads, at = [], 0
    for name, count in zip(data["names"], data["windows"], strict=True):
        identifier, outlet, incidents = json.loads(str(name))
        told = tuple((kind, tuple(places)) for kind, places in incidents)
        types = data["types"][at : at + count].astype(np.float32)
        reads.append(Read(identifier, outlet, tuple(windows[at : at + count]), tuple(triggers[at : at + count]), types, told))
        at += count
    return reads
