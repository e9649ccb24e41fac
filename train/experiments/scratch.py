"""The model without pretraining, as a baseline: python -m train.experiments.scratch GOLD PRED --train FILE… [--labels LABELS]

Fine-tunes configs/experiments/scratch.yaml on the given records, a tenth of their documents its dev, and writes its predictions for GOLD.
Takes minutes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.baselines.systems import write_scored
from eval.score.command import run
from eval.score.files import read_gold
from train.config import FinetuneConfig, load_config
from train.experiments.runs import chance, fine_tuned
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.records import write_records
from waqia.schema import Record

CONFIG = Path("configs/experiments/scratch.yaml")
DEV = 0.1  # share of the documents that thresholds and temperatures are fitted on


def predict(train: Sequence[Record], gold: Sequence[Record], labels: LabelSet, config_path: Path = CONFIG) -> list[dict[str, Any]]:
    """Train and predict; takes minutes and torch."""
    from train.run import Run  # and with it torch
    from train.training import predictions

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


def main(argv: Sequence[str] | None = None) -> None:
    """Train, predict, write and score."""
    parser = Parser(description=__doc__)
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("predictions", type=Path, metavar="PRED")
    parser.add_argument("--train", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="label set (default: %(default)s)")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    train = [record for path in args.train for record in read_gold(path, labels)]
    gold = read_gold(args.gold, labels)
    write_scored(args.predictions, predict(train, gold, labels), gold, labels)


if __name__ == "__main__":
    run(main)
