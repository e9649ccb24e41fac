"""Which gold labels a model cannot express, however good it is: python -m eval.analysis.coverage ARTEFACT GOLD [--out FILE.json]

Gold becomes targets over words within windows, exactly as in training. What does not is lost to tokenising (a span that begins or ends
inside a word), to windows (a participant in another window than its trigger), or to the bounds of decoding (very long spans, two triggers
on one word). With an incident its participants are lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from eval.score.command import run
from eval.score.files import read_gold
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.model import artefact
from waqia.model.align import Reach, count
from waqia.model.windows import WindowSettings, split
from waqia.schema import Record


def reach(records: Iterable[Record], tokenizer: Tokenizer, labels: LabelSet, settings: WindowSettings) -> Reach:
    """What the windows of records reach."""
    result = Reach()
    for record in records:
        count(record, split(record.text, tokenizer, settings), labels, result)
    return result


def main(argv: Sequence[str] | None = None) -> None:
    """Read, count, print, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("artefact", type=Path, metavar="ARTEFACT")
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("--out", type=Path, help="also write the counts as JSON here")
    args = parser.parse_args(argv)
    model = artefact.load(args.artefact)
    found = reach(read_gold(args.gold, model.labels), model.tokenizer, model.labels, model.windows)
    if args.out:
        args.out.write_text(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    for name, row in found.to_dict().items():
        if name != "causes":
            print(f"{name}: {row['reached']} reached, {row['lost']} lost ({row['share_lost'] or 0:.2%})")
    print("\n".join(f"  {count} {cause}" for cause, count in sorted(found.lost.items())) or "  nothing lost")


if __name__ == "__main__":
    run(main)
