"""The model without pretraining, as a baseline: configs/finetune-scratch.yaml on the given records, a tenth of the documents its dev."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.runs import chance, fine_tuned
from train.config import FinetuneConfig, load_config
from waqia.labels import LabelSet
from waqia.schema import Record, write_records

CONFIG = Path("configs/finetune-scratch.yaml")
DEV = 0.1  # share of the documents that thresholds and temperatures are fitted on


def predict(train: Sequence[Record], gold: Sequence[Record], labels: LabelSet, config_path: Path = CONFIG) -> list[dict[str, Any]]:
    """Train and predict; takes minutes and torch."""
    from train.finetune import predictions  # and with it torch
    from train.run import Run

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_records(folder / "train.jsonl", [record for record in train if chance(record) >= DEV])
        write_records(folder / "dev.jsonl", [record for record in train if chance(record) < DEV])
        (folder / "labels.json").write_text(json.dumps(labels.to_dict(), ensure_ascii=False), "utf-8")
        own = {
            "output": str(folder / "run"),
            "label_set": str(folder / "labels.json"),
            "train_files": [{"path": str(folder / "train.jsonl"), "repeat": 1}],
            "dev_files": [str(folder / "dev.jsonl")],
        }
        config = FinetuneConfig.model_validate(load_config(FinetuneConfig, config_path).model_dump(mode="json") | own)
        predicted = predictions(Run.load(fine_tuned(config)), gold)
    return [{name: value for name, value in record.to_dict().items() if name != "text"} for record in predicted]
