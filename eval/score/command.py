"""What the scripts of eval/ share: how they take gold and predictions, and how they end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.score.files import read_gold, read_predictions
from waqia.arguments import Parser
from waqia.errors import WaqiaError
from waqia.labels import LabelSet
from waqia.schema import Record


@dataclass(frozen=True, slots=True)
class Judged:
    """Gold, predictions in its order, their label set, and the training records where the script takes them."""

    gold: list[Record]
    predicted: list[Record]
    labels: LabelSet
    train: list[Record] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[Record, Record]]:
        """Each gold record with its prediction."""
        return list(zip(self.gold, self.predicted, strict=True))


def judge(
    doc: str | None,
    argv: Sequence[str] | None,
    analysis: Callable[[Judged], dict[str, Any]],
    table: Callable[[dict[str, Any]], list[str]],
    *,
    train: bool = False,
) -> None:
    """A script that reads GOLD and PRED, prints the table of an analysis, and writes it as JSON where --out is given."""
    parser = Parser(description=doc)
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("predictions", type=Path, metavar="PRED")
    if train:
        parser.add_argument("--train", type=Path, nargs="+", default=[], metavar="FILE", help="what the system was trained on")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="label set (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the result as JSON here")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    gold = read_gold(args.gold, labels)
    seen = [record for path in (args.train if train else []) for record in read_gold(path, labels)]
    result = analysis(Judged(gold, read_predictions(args.predictions, gold, labels), labels, seen))
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(table(result)))


def run(main: Callable[[], int | None]) -> None:
    """Run a script's main and exit: with what it returns, an error's exit code, or 2 where a file cannot be read or written."""
    try:
        code = main()
        sys.stdout.flush()
    except WaqiaError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        code = 2
    sys.exit(code)
