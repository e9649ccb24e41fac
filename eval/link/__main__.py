"""Measure linking: python -m eval.link FILE [--artefact DIR] [--out JSON]

FILE is JSONL as data/airwars: texts with one `facts.incident` tell one event. Rows without `incidents` are read first. Pairs, LEA and B3
of the linking that ships beside the baseline "same day, same place"; intervals resample events with their texts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from eval.link.measure import measure, read_rows
from eval.score.command import run
from waqia.arguments import Parser


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures of FILE and write them as JSON where --out is given."""
    parser = Parser(prog="python -m eval.link", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--artefact", type=Path, help="artefact folder (default: the model in the package)")
    parser.add_argument("--out", type=Path, help="also write the result as JSON here")
    args = parser.parse_args(argv)
    result = measure(read_rows(args.file, args.artefact))
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    run(main)
