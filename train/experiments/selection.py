"""What choosing texts saves:

python -m train.experiments.selection POOL DEV [--known FILE…] [--encoder FOLDER] [--seeds N] [--out FILE.json]

Plays annotation: POOL is labelled, but a text's labels are seen only once it is chosen. From SIZES[0] random texts on, `train.select`
chooses the next ones with the readings of a learner that is trained anew at every size; beside it random choice, and each of the three
reasons alone. The learner is cheap and stands in for fine-tuning: a logistic regression an incident type over the leading components of
TF-IDF and, with --encoder, the mean states of a frozen encoder (one that has seen none of these labels). --known are records that it has
learnt from before, as a fine-tuned model has; without them it starts from nothing. So the figure is the micro-F1 of passage types, and
says nothing of spans. Intervals come from a bootstrap over seeds and dev passages together; what is saved is read off the mean curves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from eval.baselines.tfidf import best_threshold
from eval.score.command import run
from eval.score.match import passage_types
from train.config import load_config
from train.select import SelectConfig, choose
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.records import read_records
from waqia.schema import Reading, Record

SIZES = (50, 100, 150, 200, 300, 400, 600)
FOLDS = 3
RESAMPLES = 1000
COMPONENTS = 128  # of TF-IDF
LENGTH = 3.0  # of a text's features: the larger, the less the penalty holds
PENALTY = 0.3  # of weights and biases
WEIGHT = 2.0  # of a chosen text; a known one has 1

Counts = NDArray[np.int64]  # (passage, 3): hits, gold, predicted


@dataclass(frozen=True, slots=True)
class Task:
    """What every seed and strategy shares; features have a row a text: pool, dev, then what is known before."""

    pool: Sequence[Record]
    dev: Sequence[Record]
    features: NDArray[np.float64]
    truth: NDArray[np.bool_]  # (text, type)
    labels: LabelSet
    threshold: float | None = None  # fitted on what is known before; None: on what is chosen, which is no sample of the whole

    @property
    def known(self) -> NDArray[np.int64]:
        """The rows of the texts known before."""
        return np.arange(len(self.pool) + len(self.dev), len(self.truth))


def main(argv: Sequence[str] | None = None) -> None:
    """Play, print the curves, write them."""
    parser = Parser(description=__doc__)
    parser.add_argument("pool", type=Path, metavar="POOL")
    parser.add_argument("dev", type=Path, metavar="DEV")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="(default: %(default)s)")
    parser.add_argument("--config", type=Path, default=Path("configs/select.yaml"), help="(default: %(default)s)")
    parser.add_argument("--known", type=Path, nargs="+", default=[], metavar="FILE", help="labelled records that the learner knows before")
    parser.add_argument("--encoder", help="folder or name of an encoder without these labels")
    parser.add_argument("--seeds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="texts labelled, rising (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the curves as JSON here")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    pool, dev = (list(read_records(path, labels)) for path in (args.pool, args.dev))
    if max(args.sizes) > len(pool):
        raise ConfigError(f"--sizes {max(args.sizes)}: the pool has {len(pool)} texts")
    known = [record for path in args.known for record in read_records(path, labels)]
    task = prepare(pool, dev, known, labels, args.encoder)
    ways = strategies(args.config)
    played = {name: [play(task, args.sizes, seed, config) for seed in range(args.seeds)] for name, config in ways.items()}
    result = curves({name: np.array(counts) for name, counts in played.items()}, args.sizes)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print("\n".join(table(result)))


def strategies(path: Path) -> dict[str, SelectConfig | None]:
    """Name -> shares of the reasons; None is random choice. The learner finds no incidents, so disagreement counts as uncertainty."""
    nothing = {"uncertainty": 0.0, "disagreement": 0.0, "rare": 0.0, "diversity": 0.0}
    one = {f"{name} alone": SelectConfig.model_validate({**nothing, name: 1.0}) for name in ("uncertainty", "rare", "diversity")}
    config = load_config(SelectConfig, path)
    both = config.model_copy(update={"uncertainty": min(1.0, config.uncertainty + config.disagreement), "disagreement": 0.0})
    return {"random": None, "select": both, **one}


def prepare(pool: Sequence[Record], dev: Sequence[Record], known: Sequence[Record], labels: LabelSet, encoder: str | None) -> Task:
    """Features and truth of all texts; TF-IDF is fitted on pool and known, whose texts are there before their labels are."""
    records = [*pool, *dev, *known]
    texts = [record.text for record in records]
    own = [record.text for record in (*pool, *known)]
    vectorizer = TfidfVectorizer(min_df=3, sublinear_tf=True).fit(own)
    components = TruncatedSVD(COMPONENTS, n_iter=3, random_state=0).fit(vectorizer.transform(own))
    features = _long(components.transform(vectorizer.transform(texts)))
    if encoder is not None:
        features = np.hstack([features, _long(states(texts, encoder))])
    truth = np.array([[name in passage_types(record) for name in labels.incident_types] for record in records])
    before = len(pool) + len(dev)
    return Task(pool, dev, features, truth, labels, threshold(features[before:], truth[before:]) if known else None)


def _long(features: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(LENGTH * features / np.maximum(1e-9, np.linalg.norm(features, axis=1, keepdims=True)))


def states(texts: Sequence[str], encoder: str) -> NDArray[np.float32]:
    """(text, width) mean states of a frozen encoder, each of them with mean 0 and deviation 1 over the texts."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(texts), 16):
            inputs = tokenizer(list(texts[start : start + 16]), return_tensors="pt", padding=True, truncation=True, max_length=256)
            mask = inputs["attention_mask"][..., None]
            found.append(((model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)).numpy())
    every = np.concatenate(found)
    return np.asarray((every - every.mean(0)) / (every.std(0) + 1e-6), np.float32)


def play(task: Task, sizes: Sequence[int], seed: int, config: SelectConfig | None) -> list[Counts]:
    """The counts of every dev passage at each size."""
    order = np.random.default_rng(seed).permutation(len(task.pool)).tolist()
    ids, texts = [str(record.id) for record in task.pool], [record.text for record in task.pool]
    truth = task.truth[len(task.pool) : len(task.pool) + len(task.dev)]
    known: list[int] = order[: sizes[0]]
    found: list[Counts] = []
    for size, following in zip(sizes, (*sizes[1:], 0), strict=True):
        learned, said = learn(task, known)
        found.append(np.stack([(said & truth).sum(1), truth.sum(1), said.sum(1)], 1))
        if config is None:
            known = order[:following]
        elif following > size:
            readings = [Reading(types=dict(zip(task.labels.incident_types, map(float, row), strict=True))) for row in learned]
            more = choose(ids, texts, readings, [task.pool[n] for n in known], task.labels, config, n=following - size)
            known = [*known, *(choice.place for choice in more)]
    return found


def learn(task: Task, chosen: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(pool text, type) probabilities, and (dev passage, type) what is said of it, at the task's threshold or one fitted on the chosen."""
    rows = np.array([*chosen, *task.known])
    weights = np.array([WEIGHT] * len(chosen) + [1.0] * len(task.known))
    probabilities = _probabilities(fit(task.features[rows], task.truth[rows], weights), task.features)
    least = task.threshold if task.threshold is not None else threshold(task.features[rows], task.truth[rows])
    end = len(task.pool) + len(task.dev)
    return probabilities[: len(task.pool)], probabilities[len(task.pool) : end] >= least


def threshold(features: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The best threshold for all types together, by cross-validation."""
    crossed = np.zeros(truth.shape)
    for fold in range(FOLDS):
        out = np.arange(len(truth)) % FOLDS == fold
        crossed[out] = _probabilities(fit(features[~out], truth[~out], np.ones(int((~out).sum()))), features[out])
    return float(best_threshold(truth.ravel(), crossed.ravel()))


def fit(features: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(width + 1, type) one logistic regression a type, the last row the biases, which are held to the log odds of the shares."""
    rows, width = features.shape
    wide, wanted = np.hstack([features, np.ones((rows, 1))]), truth.astype(float)
    shares = (wanted.sum(0) + 0.5) / (rows + 1)
    start = np.vstack([np.zeros((width, truth.shape[1])), np.log(shares / (1 - shares))])

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        model = flat.reshape(start.shape)
        logits, away = wide @ model, model - start
        cost = (weights[:, None] * (np.logaddexp(0, logits) - wanted * logits)).sum() + (PENALTY * away**2).sum() / 2
        slope = wide.T @ (weights[:, None] * (1 / (1 + np.exp(-logits)) - wanted)) + PENALTY * away
        return float(cost), slope.ravel()

    return np.asarray(minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x.reshape(start.shape))


def _probabilities(model: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-(features @ model[:-1] + model[-1]))))


def curves(played: Mapping[str, NDArray[np.int64]], sizes: Sequence[int]) -> dict[str, Any]:
    """For each strategy the mean F1 by size with its interval, its distance from random choice, and the labels it saves.

    played: (seed, size, passage, 3). Saved at a size is 1 - n / size, n the texts at which the strategy's mean curve reaches what random
    choice has there, interpolated between sizes; None where it never does.
    """
    random = np.random.default_rng(0)
    seeds, _, passages, _ = next(iter(played.values())).shape
    draws = [(random.integers(0, seeds, seeds), random.multinomial(passages, np.full(passages, 1 / passages))) for _ in range(RESAMPLES)]
    every = np.ones(passages, np.int64)
    value = {name: f1(counts, every) for name, counts in played.items()}
    drawn = {name: np.array([f1(counts[chosen], weights) for chosen, weights in draws]) for name, counts in played.items()}
    rows: dict[str, Any] = {}
    for name in played:
        rows[name] = {"f1": _told(value[name], drawn[name])}
        if name != "random":
            rows[name]["difference"] = _told(value[name] - value["random"], drawn[name] - drawn["random"])
            many = [saved(mine, other, sizes) for mine, other in zip(drawn[name], drawn["random"], strict=True)]
            rows[name]["saved"] = _told(saved(value[name], value["random"], sizes), np.array(many))
    return {"sizes": list(sizes), "seeds": seeds, "passages": passages, "strategies": rows}


def f1(counts: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """(size,) micro-F1 of (seed, size, passage, 3), the mean over seeds."""
    total = np.einsum("spdc,d->spc", counts, weights)
    return np.asarray((2 * total[..., 0] / np.maximum(1, total[..., 1] + total[..., 2])).mean(0))


def saved(mine: NDArray[np.float64], random: NDArray[np.float64], sizes: Sequence[int]) -> NDArray[np.float64]:
    """(size,) share of the labels saved; 0 or less where the curve is no better, NaN where it never gets there."""
    return np.array([1 - _reached(goal, mine, sizes) / size for goal, size in zip(random, sizes, strict=True)])


def _reached(goal: float, curve: NDArray[np.float64], sizes: Sequence[int]) -> float:
    """The texts at which a curve first comes to a figure, on the line between two sizes; NaN where it does not."""
    place = int(np.argmax(curve >= goal))
    if curve[place] < goal:
        return float("nan")
    if place == 0:
        return float(sizes[0])
    share = (goal - curve[place - 1]) / (curve[place] - curve[place - 1])
    return float(sizes[place - 1] + share * (sizes[place] - sizes[place - 1]))


def _told(value: NDArray[np.float64], drawn: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Value and 95 % interval by size; no interval where a tenth of the draws has no value."""
    told = []
    for one, column in zip(value, drawn.T, strict=True):
        known = column[~np.isnan(column)]
        bounds = [round(float(b), 3) for b in np.percentile(known, (2.5, 97.5))] if len(known) > 0.9 * len(column) else None
        told.append({"value": None if np.isnan(one) else round(float(one), 3), "interval": bounds})
    return told


def table(result: Mapping[str, Any]) -> list[str]:
    """Markdown: a row a strategy and figure, a column a size."""
    lines = [f"| {result['seeds']} seeds, {result['passages']} passages | " + " | ".join(map(str, result["sizes"])) + " |"]
    lines.append("|---" * (len(result["sizes"]) + 1) + "|")
    for name, figures in result["strategies"].items():
        for figure, cells in figures.items():
            lines.append(f"| {name}, {figure} | " + " | ".join(_cell(cell) for cell in cells) + " |")
    return lines


def _cell(cell: Mapping[str, Any]) -> str:
    value = "–" if cell["value"] is None else f"{cell['value']:.3f}"
    return value if cell["interval"] is None else f"{value} [{cell['interval'][0]:.3f}, {cell['interval'][1]:.3f}]"


if __name__ == "__main__":
    run(main)
