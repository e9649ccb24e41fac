"""The ways to screen side by side: python -m train.screening.roads CONFIG (that of a screen, see configs/waqia-mini/screen.yaml)

On the readings that `train.screening` keeps, and with its parts of the documents: a linear model on hashed runs of tokens, static
embeddings in a neighbourhood (of several widths), and an exit after the first encoder layers, a probe on their states. Printed for each are
the windows left to be read at the threshold proved for a share of incidents lost (with a star at the one that loses this share of those
very documents, where too few prove it), what is lost there and on other outlets, and what it costs itself, as a share of the encoder.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.utils import Extractor
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from eval.score.command import run
from train.config import config_path, load_config
from train.screening.bound import bound, drawn, share_lost
from train.screening.config import ScreenConfig
from train.screening.documents import best, embeddings, parts, readings, to_learn, windows_of
from train.screening.students import FOUND, fit, narrowed, tokens
from train.screening.teacher import Read
from waqia.bulk.screen import scores
from waqia.model import artefact
from waqia.model.artefact import Artefact
from waqia.model.pipeline import pad_id, token_batches
from waqia.model.tensors import Floats, batch
from waqia.model.windows import Ints, Window

log = logging.getLogger("train.screening")
FINE = 1000  # a score in whole numbers, as a screen's is: thousandths of a logit
LAYERS = (1, 2)
GIVEN = ("input_ids", "attention_mask")
WIDTHS = {
    "as it ships": {},
    "wider": {"depth": 96, "neighbours": 4, "hidden": 192},
    "narrower, half the epochs": {"hidden": 64, "epochs": 5},
}
Score = Callable[[Sequence[Window]], Ints]


def main(argv: Sequence[str] | None = None) -> None:
    """Read or load, fit each, print."""
    config = load_config(ScreenConfig, config_path(sys.argv[1:] if argv is None else argv))
    logging.basicConfig(format="%(name)s %(message)s", level=logging.INFO)
    full = artefact.load(config.artefact)
    fitted, proved, others = parts(config, readings(config, full))
    whole = _spent(partial(_encoder_pass, full, None), windows_of(others))
    print(f"{'':42}{'lost':>6}{'read':>8}{'lost of':>14}{'others read':>13}{'lost of':>14}{'of encoder':>12}")
    for name, make in roads(config, full, fitted).items():
        score = make()
        since = time.process_time()
        said = score(windows_of(others))
        cost = (time.process_time() - since) / whole
        print("\n".join(lines(name, config, (proved, score(windows_of(proved))), (others, said), cost)), flush=True)


def roads(config: ScreenConfig, full: Artefact, fitted: Sequence[Read]) -> dict[str, Callable[[], Score]]:
    """The ways, each a function that fits it."""
    ways: dict[str, Callable[[], Score]] = {"hashed runs of one to three tokens, linear": partial(linear, fitted, config.seed)}
    for name, widths in WIDTHS.items():
        other = config.model_copy(update={"student": config.student.model_copy(update=widths)})
        ways[f"static embeddings, {name}"] = partial(static, other, full, fitted)
    for layer in LAYERS:
        ways[f"exit after layer {layer}"] = partial(early, full, layer, fitted, config)
    return ways


def static(config: ScreenConfig, full: Artefact, fitted: Sequence[Read]) -> Score:
    """The screen as it ships, of the width that the configuration says."""
    vectors, _ = narrowed(embeddings(full), config.student.depth)
    weights = fit(tokens(*to_learn(config, full, fitted)), vectors, config.student, config.seed)
    return lambda windows: scores(windows, weights)


def linear(fitted: Sequence[Read], seed: int) -> Score:
    """Logistic regression on what runs of tokens stand in a window: whether it mentions an incident of the reading."""
    hashed = FeatureHasher(1 << 20, input_type="string", alternate_sign=False)
    model = SGDClassifier(loss="log_loss", alpha=1e-6, random_state=seed, class_weight="balanced")
    model.fit(hashed.transform(_runs(window) for window in windows_of(fitted)), reporting(fitted))
    return lambda windows: _whole(model.decision_function(hashed.transform(_runs(window) for window in windows)))


def early(full: Artefact, layer: int, fitted: Sequence[Read], config: ScreenConfig) -> Score:
    """A probe of one hidden layer on the states after an encoder layer: whether a mention begins at the token."""
    chance = np.random.default_rng(config.seed)
    windows, words = to_learn(config, full, fitted)
    learnt = tokens(windows, words)
    begins, at = learnt.begins, np.concatenate([[0], np.cumsum(learnt.lengths)])
    states, wanted = [], []
    few = begins >= FOUND
    kept = few | (chance.random(len(begins)) < config.student.negatives * few.sum() / max(1, (~few).sum()))
    for place, mine in _encoder_pass(full, layer, windows):
        here = slice(at[place], at[place + 1])
        states.append(mine[kept[here]])
        wanted.append(begins[here][kept[here]])
    seen, soft = np.concatenate(states), np.concatenate(wanted)
    probe = MLPClassifier((config.student.hidden,), learning_rate_init=1e-3, random_state=config.seed)
    for _ in range(config.student.epochs):  # labels are drawn anew, each as often as the full model thinks it so
        probe.partial_fit(seen, chance.random(len(soft)) < soft, classes=np.array([False, True]))
    return partial(_probed, full, layer, probe)


def _probed(full: Artefact, layer: int, probe: MLPClassifier, windows: Sequence[Window]) -> Ints:
    found = np.zeros(len(windows))
    for place, states in _encoder_pass(full, layer, windows):
        found[place] = probe.predict_proba(states)[:, 1].max()
    return _whole(np.log(np.maximum(found, 1e-9) / np.maximum(1 - found, 1e-9)))


def _encoder_pass(full: Artefact, layer: int | None, windows: Sequence[Window]) -> Iterator[tuple[int, Floats]]:
    """The states (T, D) of each window's tokens after an encoder layer; after the last one of its words where that is None."""
    run_batch = _backend(full) if layer is None else _cut(full, layer)
    for chosen in token_batches(list(enumerate(windows))):
        said = run_batch(batch([window for _, window in chosen], pad_id(full.tokenizer)))
        for row, (place, window) in enumerate(chosen):
            yield place, said[row, : len(window.ids)]


def _backend(full: Artefact) -> Callable[[Any], Floats]:
    opened = full.open(threads=1)
    return lambda padded: opened.encode(padded).word_states


def _cut(full: Artefact, layer: int) -> Callable[[Any], Floats]:
    """The encoder's graph as far as a layer: a layer ends with its second normalisation, the first of all is that of the embeddings."""
    import onnxruntime

    model = onnx.load_from_string(full.graphs["encode.onnx"])
    name = [node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization"][2 * layer]
    part = Extractor(model).extract_model(list(GIVEN), [name])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        part.SerializeToString(), options, ["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    return lambda padded: session.run([name], {"input_ids": padded.input_ids, "attention_mask": padded.attention_mask})[0]


def lines(
    name: str, config: ScreenConfig, proved: tuple[Sequence[Read], Ints], others: tuple[Sequence[Read], Ints], cost: float
) -> list[str]:
    """What a way reads and loses, a line for each share that may be lost; documents come with the scores of their windows."""
    found = [best(*some) for some in (proved, others)]
    one_each = drawn(found[0], config.seed)
    told = []
    for lost in config.lost:
        sure = bound(one_each, lost, config.confidence)
        threshold = int(np.quantile(one_each, lost)) if sure is None else sure.threshold
        reads = [f"{(said >= threshold).mean():.0%}" for _, said in (proved, others)]
        gone = [f"{missed} of {count}" for missed, count in (share_lost(some, threshold) for some in found)]
        mark = "*" if sure is None else ""  # too few documents prove it
        told.append(f"{name:42}{lost:6.0%}{reads[0] + mark:>8}{gone[0]:>14}{reads[1]:>13}{gone[1]:>14}{cost:12.3f}")
    return told


def reporting(reads: Sequence[Read]) -> NDArray[np.bool_]:
    """Which windows mention an incident of the reading."""
    return np.array([any(place in places for _, places in one.incidents) for one in reads for place in range(len(one.windows))])


def _runs(window: Window) -> list[str]:
    ids = [str(token) for token in window.ids.tolist()]
    return [" ".join(ids[at : at + size]) for size in (1, 2, 3) for at in range(len(ids) - size + 1)]


def _whole(scored: NDArray[np.floating[Any]]) -> Ints:
    return np.round(FINE * scored).astype(np.int64)


def _spent(read: Callable[[Sequence[Window]], Iterator[object]], windows: Sequence[Window]) -> float:
    """Processor seconds."""
    since = time.process_time()
    for _ in read(windows):
        pass
    return time.process_time() - since


if __name__ == "__main__":
    run(main)
