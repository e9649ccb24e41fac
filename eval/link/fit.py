"""Fit the weights of linking: python -m eval.link.fit READ, or python -m eval.link.fit --words FILE...

READ is JSONL as data/airwars with the incidents read. Pairs of main incidents that linking would compare are told apart by a logistic
regression (C = 1); the threshold is the one of a grid with the best pair F1 of the one pass over READ. Prints the fields of `Weights`.
With --words it prints instead in how many of the passages of FILE... each word stands (two at least): `common_words.tsv`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from eval.link.measure import linked, main_incidents, pair_f1, with_facts
from eval.score.command import run
from waqia.arguments import Parser
from waqia.bulk.clues import Tables, text_clue, words_of
from waqia.bulk.events import read_lines
from waqia.bulk.likeness import NAMES, Weights, features
from waqia.bulk.link import Linker
from waqia.frame import packaged_labels

THRESHOLDS = [n / 4 for n in range(-12, 1)]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the weights, or with --words the table of common words."""
    parser = Parser(prog="python -m eval.link.fit", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--words", action="store_true", help="count words instead")
    args = parser.parse_args(argv)
    if args.words:
        print(common_words(row["text"] for path in args.files for _, row in read_lines(path)), end="")
        return
    tables = Tables.packaged(packaged_labels())
    rows = with_facts([row for path in args.files for _, row in read_lines(path)], tables)
    weights = fit(list(main_incidents(rows)), tables)
    for name in (*NAMES, "threshold"):
        print(f"    {name}: float = {getattr(weights, name):.2f}")


def common_words(texts: Any) -> str:
    """The lines of common_words.tsv: the number of texts first, then each word with how many have it."""
    counts, number = Counter[str](), 0
    for text in texts:
        number += 1
        counts.update(words_of(text))
    lines = [f"{word}\t{count}\n" for word, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if count > 1]
    return f"# texts\t{number}\n" + "".join(lines)


def fit(rows: Sequence[Mapping[str, Any]], tables: Tables) -> Weights:
    """The weights of a logistic regression over the pairs that linking compares, and the threshold; `rows` as of `main_incidents`."""
    found, same = pairs(rows, tables)
    matrix = np.array([[clues.get(name, 0.0) for name in NAMES[1:]] for clues in found])
    model = LogisticRegression(C=1.0, max_iter=1000).fit(matrix, same)
    values = dict(zip(NAMES, [float(model.intercept_[0]), *map(float, model.coef_[0])], strict=True))
    weights = Weights(**{name: round(value, 2) for name, value in values.items()})
    tried = [(pair_f1(rows, linked(rows, tables, replace(weights, threshold=t))) or 0.0, t) for t in THRESHOLDS]
    return replace(weights, threshold=max(tried)[1])


def pairs(rows: Sequence[Mapping[str, Any]], tables: Tables) -> tuple[list[dict[str, float]], list[bool]]:
    """The clues of every pair of texts that linking compares where nothing is merged, and whether people say that they are one."""
    linker = Linker(tables, Weights(threshold=math.inf))
    gold, found, same = {str(row["id"]): row["facts"]["incident"] for row in rows}, list[dict[str, float]](), list[bool]()
    for row in sorted(rows, key=lambda row: not row["incidents"]):  # as linking does, texts without incidents last
        linker.add(row)
        clue = linker.event(len(linker.index) - 1).members[0].clue if row["incidents"] else text_clue(row)[0]
        bag = linker.bag(clue)
        for number in linker.nearest(clue, bag):
            other = linker.event(number).members[0]
            clues, _ = features(clue, bag, other.clue, other.square)
            if clues and other.clue.row != clue.row:
                found.append(clues)
                same.append(gold[clue.row] == gold[other.clue.row])
    return found, same


if __name__ == "__main__":
    run(main)
