"""The documents that a screen is made of: read by the full model once, and shared out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from train.screening.config import ScreenConfig
from train.screening.students import best_scores
from train.screening.teacher import Read, load, read_documents, sample, save
from waqia.errors import ConfigError
from waqia.model.artefact import Artefact
from waqia.model.pipeline import Model
from waqia.model.tensors import Floats
from waqia.model.windows import Ints, Window, split
from waqia.records import read_records


def readings(config: ScreenConfig, full: Artefact) -> list[Read]:
    """What the full model says of the documents; kept in a file, since it takes nearly all of the time, and gone on with from there."""
    documents = sample(config.corpus, config.outlets, config.documents, config.seed)
    documents += sample(config.corpus, config.other_outlets, config.other_documents, config.seed)
    documents.sort(key=lambda one: _chance(f"order {one.id}"))  # so that all outlets have their share of whatever time there is
    wanted = {(one.outlet, one.id) for one in documents}
    kept = [one for one in load(config.readings, full.digest) if (one.outlet, one.id) in wanted]
    known = {(one.outlet, one.id) for one in kept}
    opened = full.open(threads=1)
    model = Model(full.model, opened, full.tokenizer, full.labels, full.windows, full.calibration)
    left = [one for one in documents if (one.outlet, one.id) not in known]
    found = list(read_documents(left, model, seconds=config.seconds))
    if found:
        config.readings.parent.mkdir(parents=True, exist_ok=True)
        save(config.readings, [*kept, *found], full.digest)
    return [*kept, *found]


def embeddings(full: Artefact) -> Floats:
    """The word embeddings (V, width) in the encoder's graph."""
    size = full.tokenizer.get_vocab_size()
    graph = onnx.load_from_string(full.graphs["encode.onnx"]).graph
    found = [array for array in graph.initializer if len(array.dims) == 2 and array.dims[0] == size]
    if len(found) != 1:
        raise ConfigError(f"{full.folder}: {len(found)} arrays of encode.onnx have {size} rows, expected one, the word embeddings")
    return np.asarray(numpy_helper.to_array(found[0]), np.float32)


def labelled(config: ScreenConfig, full: Artefact) -> tuple[list[Window], list[Floats]]:
    """The windows of labelled records, and for each word of a window (W,) whether a mention begins there."""
    windows, begins = [], []
    for path in config.labelled:
        for record in read_records(path, full.labels):
            spans = [span for incident in record.incidents for span in incident.all_mentions]
            for window in split(record.text, full.tokenizer, full.windows):
                row = np.zeros(len(window.words), np.float32)
                row[[words.start for span in spans if (words := window.find(span.start, span.end, record.text)) is not None]] = 1
                windows.append(window)
                begins.append(row)
    return windows, begins


def best(reads: Sequence[Read], said: Ints) -> list[Ints]:
    """For each document the best score of each incident; `said` are the scores of all windows."""
    return best_scores(said, [len(one.windows) for one in reads], [[places for _, places in one.incidents] for one in reads])


def parts(config: ScreenConfig, reads: Sequence[Read]) -> tuple[list[Read], list[Read], list[Read]]:
    """The documents that are fitted, those that thresholds are proved on, and those of other outlets."""
    near, far = ([one for one in reads if one.outlet in names] for names in (config.outlets, config.other_outlets))
    fitted, proved = ([one for one in near if (_chance(one.id) < config.fitted) == part] for part in (True, False))
    return fitted, proved, far


def to_learn(config: ScreenConfig, full: Artefact, fitted: Sequence[Read]) -> tuple[list[Window], list[Floats]]:
    """What a screen is fitted on, documents read and labelled records: windows, and a probability for each of their words (W,)."""
    windows, begins = labelled(config, full)
    return [*windows_of(fitted), *windows], [*(np.asarray(row, np.float32) for one in fitted for row in one.triggers), *begins]


def windows_of(reads: Sequence[Read]) -> list[Window]:
    """All windows, document after document."""
    return [window for one in reads for window in one.windows]


def _chance(name: str) -> float:
    """A number from 0 to 1 that hangs on a name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
