"""Make a screen: python -m train.screening CONFIG (see configs/waqia-mini/screen.yaml)

Reads documents with the full model, but for those that an earlier run read with the same one; fits a small model on a part of them and on
labelled records; proves thresholds on the other documents, and measures on other outlets what they lose. Writes the screen with all of that
in its card.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from eval.score.command import run
from train.config import config_path, load_config
from train.screening.bound import bound, drawn, share_lost
from train.screening.config import ScreenConfig
from train.screening.documents import best, embeddings, parts, readings, to_learn, windows_of
from train.screening.students import fit, narrowed, tokens
from train.screening.teacher import Read
from waqia.bulk.screen import Weights, scores, write
from waqia.errors import ConfigError
from waqia.model import artefact


def main(argv: Sequence[str] | None = None) -> None:
    """Read, fit, prove, write."""
    config = load_config(ScreenConfig, config_path(sys.argv[1:] if argv is None else argv))
    logging.basicConfig(format="%(name)s %(message)s", level=logging.INFO)
    full = artefact.load(config.artefact)
    reads = readings(config, full)
    fitted, proved, far = parts(config, reads)
    vectors, kept = narrowed(embeddings(full), config.student.depth)
    weights = fit(tokens(*to_learn(config, full, fitted)), vectors, config.student, config.seed)
    safest = drawn(best(proved, scores(windows_of(proved), weights)), config.seed)
    found = [bound(safest, lost, config.confidence) for lost in config.lost]
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


def loss(reads: Sequence[Read], weights: Weights, threshold: int) -> dict[str, Any]:
    """What a threshold loses and spares on documents."""
    said = scores(windows_of(reads), weights)
    lost, incidents = share_lost(best(reads, said), threshold)
    return {
        "incidents": incidents,
        "lost": lost,
        "windows": len(said),
        "read": int((said >= threshold).sum()),
        "that report": sum(len({place for _, places in one.incidents for place in places}) for one in reads),
    }


if __name__ == "__main__":
    run(main)
