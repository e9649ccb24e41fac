"""The scores as an `evaluate.Metric`, for those whose pipelines speak that; nothing is downloaded."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import datasets
import evaluate

from eval.counts import add
from eval.score import headline, tally
from waqia.labels import LabelSet
from waqia.schema import parse_record


class IncidentScores(evaluate.Metric):  # type: ignore[misc, unused-ignore]
    """Every headline figure of `eval.score` over records given as JSON lines; a figure with nothing to score is None.

    >>> IncidentScores("configs/labels/incidents.yaml").compute(predictions=[line], references=[line])  # doctest: +SKIP
    """

    def __init__(self, labels: str | Path, **options: Any) -> None:
        self.labels = LabelSet.load(labels)
        # evaluate writes to its cache even for nothing; a folder of our own works where HF_HOME cannot be written.
        cache = tempfile.mkdtemp(prefix="waqia-metric-")
        weakref.finalize(self, shutil.rmtree, cache, ignore_errors=True)
        super().__init__(cache_dir=cache, **options)

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=__doc__ or "", citation="", features=features, inputs_description="records as JSON lines")

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float | None]:
        rows = zip(references, predictions, strict=True)
        pairs = [[parse_record(json.loads(line), self.labels, f"pair {n}") for line in pair] for n, pair in enumerate(rows)]
        return headline(add(tally(gold, predicted, self.labels) for gold, predicted in pairs), self.labels)
