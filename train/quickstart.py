"""See it work: python -m train.quickstart CONFIG [--gold FILE]

Fine-tunes, exports, and sets what came of it beside the model in the package and a keyword baseline, on the same file, with 95 % intervals
by a bootstrap over documents. Started again it goes on where it was, and a finished model is not trained again.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.baselines import keywords
from eval.score.command import run
from eval.score.files import prediction, read_gold
from eval.score.scoring import score
from train import finetune
from train.config import FinetuneConfig, load_config
from waqia import Reader
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.records import parse_record
from waqia.schema import Record

log = logging.getLogger("train.quickstart")

SHOWN = ("incidents F1", "actors F1", "types micro-F1")
TRAINED, SHIPPED, KEYWORDS = "trained here", "shipped model", "keyword baseline"

Figures = Mapping[str, Mapping[str, Any]]  # figure -> value, interval


def main(argv: Sequence[str] | None = None) -> None:
    """Train, export, read, score, print."""
    parser = Parser(description=__doc__)
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument("--gold", type=Path, default=Path("data/test.jsonl"), help="(default: %(default)s)")
    args = parser.parse_args(argv)
    began = time.monotonic()
    config = load_config(FinetuneConfig, args.config)
    labels = LabelSet.load(config.label_set)
    gold = read_gold(args.gold, labels)
    log.info("1 of 3: fine-tuning %s; a few minutes on two cores", config.name)
    finetune.main([str(args.config)])
    log.info("2 of 3: exporting it for `waqia`")
    artefact = config.output / "artefact"
    if not artefact.is_dir():
        from train import export  # and with it torch, seconds to import

        export.main([str(config.output), str(artefact)])
    log.info("3 of 3: reading %s", args.gold)
    figures = {
        TRAINED: judged(Reader.load(artefact), gold, labels),
        SHIPPED: judged(Reader.load(), gold, labels),
        KEYWORDS: scored(
            [parse_record({"text": r.text, **row}, labels, str(r.id)) for r, row in _keyword_rows(gold, labels)], gold, labels
        ),
    }
    print("\n".join(table(figures, args.gold, len(gold))))
    log.info("%.1f minutes in all; the model is %s", (time.monotonic() - began) / 60, artefact)


def judged(reader: Reader, gold: Sequence[Record], labels: LabelSet) -> Figures:
    """The figures of a reader's readings."""
    texts = [record.text for record in gold]
    return scored([prediction(record, reading) for record, reading in zip(gold, reader.read_many(texts), strict=True)], gold, labels)


def scored(predicted: Sequence[Record], gold: Sequence[Record], labels: LabelSet) -> Figures:
    """Values and intervals by figure."""
    figures: Figures = score(gold, predicted, labels).to_dict()["figures"]
    return figures


def _keyword_rows(gold: Sequence[Record], labels: LabelSet) -> list[tuple[Record, dict[str, Any]]]:
    return list(zip(gold, keywords.predict([], gold, labels), strict=True))


def table(figures: Mapping[str, Figures], gold: Path, records: int) -> list[str]:
    """A line a system; and a line more where what was trained does no better than keywords."""
    lines = ["", f"{gold}, {records} records" + "".join(f"{name:>26}" for name in SHOWN)]
    wide = len(lines[1]) - 26 * len(SHOWN)
    for system, found in figures.items():
        lines.append(f"{system:<{wide}}" + "".join(f"{_cell(found[name]):>26}" for name in SHOWN))
    trained, simple = (figures[name]["incidents F1"]["value"] or 0.0 for name in (TRAINED, KEYWORDS))
    if trained < simple:
        worse = f"{trained:.3f} to {simple:.3f} incidents F1"
        lines += ["", f"What was trained here is WORSE than keywords ({worse}): train longer, or on more labels."]
    return lines


def _cell(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    bounds = "" if not figure["interval"] else f" [{figure['interval'][0]:.3f}, {figure['interval'][1]:.3f}]"
    return f"{figure['value']:.3f}{bounds}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    run(main)
