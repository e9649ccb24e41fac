"""What simple systems reach on the same files: python -m eval.baselines GOLD OUT --train FILE… [--labels LABELS] [--systems NAME…]

Writes OUT/NAME.jsonl, predictions for the records of GOLD, and prints the figures of each system:

- majority: the type that most training passages report, for every passage;
- keywords: stems of a short list of our own (eval/baselines/keywords.yaml), no training;
- tfidf: TF-IDF with logistic regression, types of passages only (eval.baselines.tfidf);
- crf: conditional random fields on word features, triggers and participants (eval.baselines.crf; needs python-crfsuite);

Waqia's own model without pretraining is one more: python -m train.experiments.scratch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eval.baselines import crf, keywords, tfidf
from eval.score.files import read_gold, read_predictions
from eval.score.match import passage_types
from eval.score.scoring import score
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.records import dump_row
from waqia.schema import Record

Predict = Callable[[Sequence[Record], Sequence[Record], LabelSet], list[dict[str, Any]]]


def main(argv: Sequence[str] | None = None) -> None:
    """Train, predict, write and score every system."""
    systems: dict[str, Predict] = {
        "majority": majority,
        "keywords": keywords.predict,
        "tfidf": tfidf.predict,
        "crf": crf.predict,
    }
    parser = Parser(description=__doc__)
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the predictions")
    parser.add_argument("--train", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="label set (default: %(default)s)")
    parser.add_argument("--systems", nargs="+", choices=list(systems), default=list(systems), help="(default: all)")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    train = [record for path in args.train for record in read_gold(path, labels)]
    gold = read_gold(args.gold, labels)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.systems:
        write_scored(args.out / f"{name}.jsonl", systems[name](train, gold, labels), gold, labels)


def write_scored(path: Path, rows: Sequence[dict[str, Any]], gold: Sequence[Record], labels: LabelSet) -> None:
    """Write predictions as JSONL and print their headline figures."""
    path.write_text("".join(dump_row(row) + "\n" for row in rows), "utf-8")
    print(f"{path}: {score(gold, read_predictions(path, gold, labels), labels).headline()}", flush=True)


def majority(train: Sequence[Record], gold: Sequence[Record], labels: LabelSet) -> list[dict[str, Any]]:
    """The commonest type of the training passages for every gold record, and how common each type is as its probability."""
    said = Counter(name for record in train for name in passage_types(record))
    if not said:
        raise ConfigError("the training files report no incident; give more or other --train files")
    asked = {name: sum(r.annotated is None or name in r.annotated for r in train) for name in labels.incident_types}
    rates = {name: round(said[name] / count, 6) for name, count in asked.items() if count}
    return [{"id": record.id, "incidents": [], "passage_types": [max(rates, key=lambda n: rates[n])], "types": rates} for record in gold]
