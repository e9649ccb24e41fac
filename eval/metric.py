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

from eval.counts import Counts, add
from eval.score import headline, tally
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import parse_record


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


class IncidentScores(Scores):
    """Every headline figure of `eval.score` over records given as JSON lines; a figure with nothing to score is None.

    >>> IncidentScores("configs/labels/incidents.yaml").compute(predictions=[line], references=[line])  # doctest: +SKIP
    """

    def _info(self) -> evaluate.MetricInfo:
        return self._described(datasets.Value("string"))

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | None]:
        rows = zip(references, predictions, strict=True)
        pairs = [[parse_record(json.loads(line), self.labels, f"pair {n}") for line in pair] for n, pair in enumerate(rows)]
        return headline(add(tally(gold, predicted, self.labels) for gold, predicted in pairs), self.labels)


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
