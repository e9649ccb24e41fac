"""Make a screen: python -m train.screening CONFIG (see configs/waqia-mini/screen.yaml)

Reads documents with the full model, or takes the readings of an earlier run; fits a small model on a part of them and on labelled records;
proves thresholds on the other documents, and measures on other outlets what they lose. Writes the screen with all of that in its card.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from eval.score.command import run
from train.config import config_path, load_config
from train.screening.bound import bound, drawn, share_lost
from train.screening.config import ScreenConfig
from train.screening.students import Tokens, best_scores, fit, narrowed, tokens
from train.screening.teacher import Read, load, read_documents, sample, save
from waqia.bulk.screen import Weights, scores, write
from waqia.errors import ConfigError
from waqia.model import artefact
from waqia.model.artefact import Artefact
from waqia.model.pipeline import Model
from waqia.model.tensors import Floats
from waqia.model.windows import split
from waqia.records import read_records

log = logging.getLogger("train.screening")


def main(argv: Sequence[str] | None = None) -> None:
    """Read, fit, prove, write."""
    config = load_config(ScreenConfig, config_path(sys.argv[1:] if argv is None else argv))
    logging.basicConfig(format="%(name)s %(message)s", level=logging.INFO)
    full = artefact.load(config.artefact)
    reads = readings(config, full)
    near, far = ([one for one in reads if one.outlet in names] for names in (config.outlets, config.other_outlets))
    fitted, proved = ([one for one in near if (_chance(one.id) < config.fitted) == part] for part in (True, False))
    vectors, kept = narrowed(embeddings(full), config.student.depth)
    weights = fit(_joined([_tokens(fitted), labelled(config, full)]), vectors, config.student, config.seed)
    best = _best(proved, weights)
    found = [bound(drawn(best, config.seed), lost, config.confidence) for lost in config.lost]
    bounds = [one for one in found if one is not None]
    if not bounds:
        raise ConfigError(f"{len(proved)} documents prove none of {config.lost}; read more, or ask for less")
    groups = {"documents it was proved on": proved, "other outlets": far}
    measured = [{"lost": one.lost, **{name: loss(some, weights, one.threshold) for name, some in groups.items()}} for one in bounds]
    card = {
        "config": config.model_dump(mode="json"),
        "documents": {"fitted": len(fitted), "proved": len(proved), "other outlets": len(far)},
        "variance that the vectors keep": round(kept, 4),
        "measured": measured,
        "software": {name: version(name) for name in ("numpy", "onnxruntime", "tokenizers")},
    }
    write(config.output, name=config.name, vocabulary=full.vocabulary, model=full.digest, weights=weights, bounds=bounds, card=card)
    print("\n".join(f"{one.lost:.0%} lost at most: {said}" for one, said in zip(bounds, measured, strict=True)))


def readings(config: ScreenConfig, full: Artefact) -> list[Read]:
    """What the full model says of the documents; kept in a file, since it takes nearly all of the time."""
    if config.readings.exists():
        return load(config.readings)
    documents = sample(config.corpus, config.outlets, config.documents, config.seed)
    documents += sample(config.corpus, config.other_outlets, config.other_documents, config.seed)
    documents.sort(key=lambda one: _chance(f"order {one.id}"))  # so that all outlets have their share of whatever time there is
    opened = full.open(threads=1)
    model = Model(full.model, opened, full.tokenizer, full.labels, full.windows, full.calibration)
    reads = list(read_documents(documents, model, seconds=config.seconds))
    config.readings.parent.mkdir(parents=True, exist_ok=True)
    save(config.readings, reads)
    return reads


def embeddings(full: Artefact) -> Floats:
    """The word embeddings (V, width) in the encoder's graph."""
    size = full.tokenizer.get_vocab_size()
    graph = onnx.load_from_string(full.graphs["encode.onnx"]).graph
    found = [array for array in graph.initializer if len(array.dims) == 2 and array.dims[0] == size]
    if len(found) != 1:
        raise ConfigError(f"{full.folder}: {len(found)} arrays of encode.onnx have {size} rows, expected one, the word embeddings")
    return np.asarray(numpy_helper.to_array(found[0]), np.float32)


def labelled(config: ScreenConfig, full: Artefact) -> Tokens:
    """The windows of labelled records, with the first token of each mention."""
    windows, begins = [], []
    for path in config.labelled:
        for record in read_records(path, full.labels):
            spans = [span for incident in record.incidents for span in incident.all_mentions]
            for window in split(record.text, full.tokenizer, full.windows):
                row = np.zeros(len(window.words), np.float32)
                row[[words.start for span in spans if (words := window.find(span.start, span.end, record.text)) is not None]] = 1
                windows.append(window)
                begins.append(row)
    return tokens(windows, begins)


def loss(reads: Sequence[Read], weights: Weights, threshold: int) -> dict[str, Any]:
    """What a threshold loses and spares on documents."""
    lost, incidents = share_lost(_best(reads, weights), threshold)
    windows = [window for one in reads for window in one.windows]
    return {
        "incidents": incidents,
        "lost": lost,
        "windows": len(windows),
        "read": int((scores(windows, weights) >= threshold).sum()),
        "that report": sum(len({place for _, places in one.incidents for place in places}) for one in reads),
    }


def _best(reads: Sequence[Read], weights: Weights) -> list[Any]:
    said = scores([window for one in reads for window in one.windows], weights)
    return best_scores(said, [len(one.windows) for one in reads], [[places for _, places in one.incidents] for one in reads])


def _tokens(reads: Sequence[Read]) -> Tokens:
    return tokens([window for one in reads for window in one.windows], [row for one in reads for row in one.triggers])


def _joined(parts: Sequence[Tokens]) -> Tokens:
    return Tokens(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "lengths", "begins")))


def _chance(name: str) -> float:
    """A number from 0 to 1 that hangs on a name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


if __name__ == "__main__":
    run(main)
