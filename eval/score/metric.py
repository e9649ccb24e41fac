"""The scores as `evaluate.Metric`s, for those whose pipelines speak that; nothing is downloaded.

In a Trainer, whose model gives logits and whose batches hold labels of shape (passage, type), -1 where a type was not asked:

>>> metric = TypeScores("configs/labels/incidents.yaml")  # doctest: +SKIP
>>> Trainer(..., compute_metrics=lambda p: metric.compute(predictions=p.predictions > 0, references=p.label_ids))  # doctest: +SKIP
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import datasets
import evaluate

from eval.analysis.errors import analyse
from eval.analysis.probabilities import probabilities
from eval.analysis.slices import slices
from eval.score.counts import Counts, add
from eval.score.scoring import headline, score, tally
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.records import parse_record
from waqia.schema import Record


class Scores(evaluate.Metric):  # type: ignore[misc, unused-ignore]
    """A metric over one label set, with a cache folder of its own: evaluate writes to it, and HF_HOME may be read-only."""

    def __init__(self, labels: str | Path, **options: Any) -> None:
        self.labels = LabelSet.load(labels)
        cache = tempfile.mkdtemp(prefix="waqia-metric-")
        weakref.finalize(self, shutil.rmtree, cache, ignore_errors=True)
        super().__init__(cache_dir=cache, **options)

    def _described(self, both: Any) -> evaluate.MetricInfo:
        features = datasets.Features({"predictions": both, "references": both})
        return evaluate.MetricInfo(description=self.__doc__ or "", citation="", features=features, inputs_description="")


class RecordScores(Scores):
    """A metric over records given as JSON lines, gold and predicted in the same order; a prediction with `error` counts as empty."""

    def _info(self) -> evaluate.MetricInfo:
        return self._described(datasets.Value("string"))

    def pairs(self, predictions: list[str], references: list[str]) -> list[tuple[Record, Record]]:
        """Gold and prediction of each passage; RecordError names the pair that does not hold up or has two ids or two texts."""
        return [self._pair(n, *lines) for n, lines in enumerate(zip(references, predictions, strict=True))]

    def _pair(self, n: int, *lines: str) -> tuple[Record, Record]:
        gold, said = (parse_record(json.loads(line), self.labels, f"pair {n}") for line in lines)
        if gold.id != said.id:
            raise RecordError(f"pair {n}: gold is {gold.id!r}, the prediction {said.id!r}; give both in the same order")
        if gold.text != said.text:
            raise RecordError(f"pair {n}: {gold.id!r} has two texts; predict on the very texts of gold")
        return gold, Record(said.id, said.text, extra={"error": said.extra["error"]}) if said.extra.get("error") is not None else said


class IncidentScores(RecordScores):
    """Every headline figure of `eval.score` over records given as JSON lines; a figure with nothing to score is None.

    >>> IncidentScores("configs/labels/incidents.yaml").compute(predictions=[line], references=[line])  # doctest: +SKIP
    """

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | None]:
        return headline(add(tally(gold, said, self.labels) for gold, said in self.pairs(predictions, references)), self.labels)


class ProbabilityScores(RecordScores):
    """ECE and Brier score of each head and average precision of each type, see `eval.analysis.probabilities`; None where there are none."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | None]:
        result = probabilities(self.pairs(predictions, references), self.labels)
        heads = {f"{name} {key}": head and head[key] for name, head in result["calibration"].items() for key in ("ece", "brier")}
        return heads | {f"{name} average precision": row["value"] for name, row in result["average_precision"].items()}


class ErrorCounts(RecordScores):
    """How many triggers and participants fall into each class of `eval.analysis.errors`."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, int]:
        result = analyse(self.pairs(predictions, references), self.labels)
        return {f"{level} {kind}": n for level in ("triggers", "participants") for kind, n in result[level]["counts"].items()}


class SliceScores(RecordScores):
    """The figures of `eval.analysis.slices` by "kind, slice, figure"; None where a slice has nothing to score."""

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | None]:
        pairs = self.pairs(predictions, references)
        result = slices(score([a for a, _ in pairs], [b for _, b in pairs], self.labels), pairs)
        rows = (
            (kind, part, name, row) for kind, parts in result.items() for part, figures in parts.items() for name, row in figures.items()
        )
        return {f"{kind}, {part}, {name}": row["value"] for kind, part, name, row in rows}


class TypeScores(Scores):
    """Micro and macro F1 of passage types over rows of 0 and 1, one a type in the order of the label set; -1 in gold was not asked."""

    def _info(self) -> evaluate.MetricInfo:
        return self._described(datasets.Sequence(datasets.Value("int8")))

    def _compute(self, predictions: list[list[int]], references: list[list[int]]) -> dict[str, float | None]:
        names = list(self.labels.incident_types)
        counts: list[dict[str, Counts]] = []
        for n, (gold, said) in enumerate(zip(references, predictions, strict=True)):
            if not len(gold) == len(said) == len(names) or not set(gold) <= {-1, 0, 1} or not set(said) <= {0, 1}:
                raise RecordError(f"row {n}: found gold {gold} and prediction {said}, expected {len(names)} of 0 and 1, or -1 in gold")
            cells = zip(names, gold, said, strict=True)
            counts.append({f"types/{name}": Counts(int(a and b), int(a), int(b)) for name, a, b in cells if a != -1})
        figures = headline(add(counts), self.labels)
        return {name: figures[name] for name in ("types micro-F1", "types macro-F1")}
