"""What the probabilities are worth: python -m eval.analysis.probabilities GOLD PRED [--labels LABELS] [--out FILE.json]

For each head, whether things said with probability p are right p of the time:

- types: every type that was asked of every passage, against whether the passage reports it (predictions with `types`);
- incidents: the score of every predicted incident, against whether it matches one of gold as in eval.score;
- participants: the score of every predicted participant, likewise (at least half of the longer span).

For each type also its average precision, and their mean, with 95 % intervals from a bootstrap over documents.

ECE is the expected calibration error over ten bins of equal width (Naeini et al. 2015), Brier the mean squared error. The JSON also holds
the reliability bins and, by type, the precision-recall curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.score.command import judge, run
from eval.score.counts import mean
from eval.score.match import asked_types, items, judged, match, passage_types, same_incident, same_participant
from waqia.labels import LabelSet
from waqia.schema import Record

BINS = 10
RESAMPLES = 300  # of average precision, slow beside counts

Judgement = tuple[float, bool]  # a probability, and whether what it was given to is right
Pairs = Sequence[tuple[Record, Record]]  # gold and prediction of each passage


def probabilities(pairs: Pairs, labels: LabelSet) -> dict[str, Any]:
    """Calibration of each head and the precision-recall curve of each type; None where predictions give no probabilities."""
    by_type = {name: type_judgements(pairs, name, labels) for name in labels.incident_types}
    heads = {
        "types": [judgement for judgements in by_type.values() for judgement in judgements],
        "incidents": incident_judgements(pairs, labels),
        "participants": participant_judgements(pairs, labels),
    }
    return {
        "calibration": {name: calibration(judgements) for name, judgements in heads.items()},
        "precision_recall": {name: curve(judgements) for name, judgements in by_type.items()},
        "average_precision": average_precisions({name: (by_type[name], _documents(pairs, name, labels)) for name in by_type}),
    }


def average_precisions(columns: Mapping[str, tuple[Sequence[Judgement], Sequence[str]]]) -> dict[str, Any]:
    """Average precision and its interval of each column of judgements and their documents, and of their `mean`.

    None where there are not judgements of both answers. All columns are drawn together, document by document.
    """
    names = sorted({document for _, documents in columns.values() for document in documents})
    number, size, random = {name: n for n, name in enumerate(names)}, max(1, len(names)), np.random.default_rng(0)
    read = {
        name: ([right for _, right in judgements], [p for p, _ in judgements], np.array([number[d] for d in documents], int))
        for name, (judgements, documents) in columns.items()
    }

    def figures(weights: NDArray[np.int64]) -> dict[str, float | None]:
        values = {name: _weighted_precision(truth, p, weights[rows]) for name, (truth, p, rows) in read.items()}
        return values | {"mean": mean(values.values())}

    drawn = [figures(random.multinomial(size, np.full(size, 1 / size))) for _ in range(RESAMPLES)]
    whole = figures(np.ones(size, np.int64))
    return {name: {"value": value, "interval": _percentiles([row[name] for row in drawn])} for name, value in whole.items()}


def _weighted_precision(truth: Sequence[bool], p: Sequence[float], weights: NDArray[np.int64]) -> float | None:
    """Average precision of weighted judgements; None where the weights leave only one answer."""
    from sklearn.metrics import average_precision_score  # takes a second to import

    yes = weights @ np.array(truth, int)
    return float(average_precision_score(truth, p, sample_weight=weights)) if 0 < yes < weights.sum() else None


def _percentiles(drawn: Sequence[float | None]) -> list[float] | None:
    """The 95 % interval of what resamples gave; None where most of them gave nothing."""
    values = [value for value in drawn if value is not None]
    return [float(bound) for bound in np.percentile(values, (2.5, 97.5))] if 2 * len(values) > len(drawn) else None


def _documents(pairs: Pairs, name: str, labels: LabelSet) -> list[str]:
    """The document of each passage that `type_judgements` judges."""
    if not any("types" in said.extra for _, said in pairs):
        return []
    return [str(gold.extra.get("document", gold.id)) for gold, _ in pairs if name in asked_types(gold, labels)]


def type_judgements(pairs: Pairs, name: str, labels: LabelSet) -> list[Judgement]:
    """The probability of a type in each passage that was asked of it; 0 in one without, such as a prediction with `error`."""
    if not any("types" in said.extra for _, said in pairs):
        return []
    asked = [(gold, said.extra.get("types", {})) for gold, said in pairs if name in asked_types(gold, labels)]
    return [(float(types.get(name, 0.0)), name in passage_types(gold)) for gold, types in asked]


def incident_judgements(pairs: Pairs, labels: LabelSet) -> list[Judgement]:
    """The score of each predicted incident that has one."""
    found: list[Judgement] = []
    for ours, theirs in (judged(gold, predicted, labels) for gold, predicted in pairs):
        right = {id(b) for _, b in match(ours, theirs, same_incident)}
        found += [(i.score, id(i) in right) for i in theirs if i.score is not None]
    return found


def participant_judgements(pairs: Pairs, labels: LabelSet) -> list[Judgement]:
    """The score of each predicted participant that has one."""
    found: list[Judgement] = []
    for ours, theirs in (judged(gold, predicted, labels) for gold, predicted in pairs):
        said = items(theirs)
        right = {id(b) for _, b in match(items(ours), said, same_participant)}
        found += [(item.participant.score, id(item) in right) for item in said if item.participant.score is not None]
    return found


def calibration(judgements: Sequence[Judgement]) -> dict[str, Any] | None:
    """ECE, Brier score and reliability bins; None where there is nothing to judge."""
    if not judgements:
        return None
    p, right = (np.array(column, float) for column in zip(*judgements, strict=True))
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    bins = [_bin(n, p[held], right[held]) for n in range(BINS) if (held := place == n).any()]
    error = sum(b["count"] * abs(b["mean"] - b["right"]) for b in bins) / len(p)
    return {"count": len(p), "ece": float(error), "brier": float(((p - right) ** 2).mean()), "bins": bins}


def _bin(n: int, p: NDArray[np.float64], right: NDArray[np.float64]) -> dict[str, float]:
    return {"from": n / BINS, "to": (n + 1) / BINS, "count": len(p), "mean": float(p.mean()), "right": float(right.mean())}


def curve(judgements: Sequence[Judgement]) -> dict[str, list[float]] | None:
    """Precision and recall at every threshold; None unless there are passages of both answers."""
    truth = [right for _, right in judgements]
    if not 0 < sum(truth) < len(truth):
        return None
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(truth, [p for p, _ in judgements])
    return {"precision": precision.tolist(), "recall": recall.tolist(), "threshold": thresholds.tolist()}


def table(result: dict[str, Any]) -> list[str]:
    """Calibration as lines of text, with the reliability bins."""
    lines = []
    for name, head in result["calibration"].items():
        if head is None:
            lines += [f"{name}: no probabilities to judge", ""]
            continue
        lines.append(f"{name}: {head['count']} probabilities, ECE {head['ece']:.3f}, Brier {head['brier']:.3f}")
        lines += [f"  {b['from']:.1f}-{b['to']:.1f}  {b['count']:>6}  said {b['mean']:.3f}  right {b['right']:.3f}" for b in head["bins"]]
        lines.append("")
    for name, row in result["average_precision"].items():
        if row["value"] is not None:
            between = "" if row["interval"] is None else f" [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]"
            lines.append(f"average precision  {name:<22} {row['value']:.3f}{between}")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Read, judge, print, write."""
    judge(__doc__, argv, lambda files: probabilities(files.pairs, files.labels), table)


if __name__ == "__main__":
    run(main)
