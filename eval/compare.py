"""Which of two systems is better, and can these data tell: python -m eval.compare A B --gold GOLD [--labels LABELS] [--out FILE.json]

A and B are prediction files, or folders of them: one file a seed, whose counts are added. For every headline figure:

- what A and B reach (with several seeds also the mean and standard deviation over them), and the effect B - A;
- its 95 % interval, from a bootstrap that draws the same documents for both;
- p by paired approximate randomisation (Noreen 1989; Yeh 2000): how often an effect at least as large comes about when, document by
  document, it is left to chance which system said what. No correction for reading many figures: of twenty, one falls below 0.05 by chance.

Where the interval holds 0 or p is above 0.05, the data cannot decide, and the answer says so.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.score.command import run
from eval.score.counts import Tally, add
from eval.score.files import read_gold, read_predictions
from eval.score.intervals import Effect, paired
from eval.score.scoring import LOWER_IS_BETTER, Scores, headline, score
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import Record


@dataclass(frozen=True, slots=True)
class Side:
    """A figure of one system: over all seeds together, and the mean and standard deviation of its seeds."""

    value: float | None
    mean: float | None
    deviation: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of two systems; without `test` where one of them has nothing to score."""

    a: Side
    b: Side
    test: Effect | None
    lower_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Which is better, or that the data cannot decide."""
        if self.test is None:
            return "nothing to compare"
        if not self.test.decided:
            return "the data cannot decide"
        return "B is better" if (self.test.effect > 0) != self.lower_is_better else "A is better"


def compare(a: Sequence[Scores], b: Sequence[Scores], *, rounds: int = 1000, seed: int = 0) -> dict[str, Comparison]:
    """Compare two systems' scores of the same gold, as many seeds of the one as of the other; ConfigError otherwise."""
    if len(a) != len(b) or {s.documents for s in (*a, *b)} != {a[0].documents}:
        raise ConfigError(f"{len(a)} files against {len(b)}: give as many seeds of A as of B, all of the same gold")
    labels, pooled = a[0].labels, [pool(seeds) for seeds in (a, b)]
    tests = paired(pooled[0], pooled[1], a[0].documents, lambda tally: headline(tally, labels), rounds=rounds, seed=seed)
    whole = [headline(add(tallies), labels) for tallies in pooled]
    each = [[scores.figures() for scores in seeds] for seeds in (a, b)]

    def side(system: int, name: str) -> Side:
        return spread(whole[system][name], [figures[name] for figures in each[system]])

    return {name: Comparison(side(0, name), side(1, name), tests.get(name), name in LOWER_IS_BETTER) for name in whole[0]}


def pool(seeds: Sequence[Scores]) -> list[Tally]:
    """The counts of each passage, added over seeds."""
    return [add(tallies) for tallies in zip(*(scores.tallies for scores in seeds), strict=True)]


def spread(value: float | None, seeds: Sequence[float | None]) -> Side:
    """A figure with its mean and spread over seeds; no spread of one seed."""
    known = [figure for figure in seeds if figure is not None]
    return Side(value, statistics.fmean(known) if known else None, statistics.stdev(known) if len(known) > 1 else None)


def table(comparisons: dict[str, Comparison]) -> list[str]:
    """The comparison as lines of text."""
    lines = [f"{'':<34} {'A':>14} {'B':>14}  effect  95 % interval        p"]
    for name, c in comparisons.items():
        numbers = f"{t.effect:+.3f}  [{t.interval[0]:+.3f}, {t.interval[1]:+.3f}]  {t.p:.4f}  " if (t := c.test) else ""
        lines.append(f"{name:<34} {_side(c.a):>14} {_side(c.b):>14}  {numbers}{c.verdict}")
    return lines


def _side(figure: Side) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.3f}" if figure.deviation is None else f"{figure.mean:.3f} ±{figure.deviation:.3f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Read, score, compare, print."""
    parser = Parser(description=__doc__)
    parser.add_argument("a", type=Path, metavar="A")
    parser.add_argument("b", type=Path, metavar="B")
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="label set (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1000, help="resamples and randomisations (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the comparison as JSON here")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    gold = read_gold(args.gold, labels)
    a, b = (read_seeds(path, gold, labels) for path in (args.a, args.b))
    comparisons = compare(a, b, rounds=args.rounds)
    if args.out:
        data = {name: asdict(c) | {"verdict": c.verdict} for name, c in comparisons.items()}
        args.out.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(table(comparisons)))


def read_seeds(path: Path, gold: Sequence[Record], labels: LabelSet) -> list[Scores]:
    """Scores of a prediction file, or of every one in a folder."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"{path}: no .jsonl file in this folder; expected predictions, one file a seed")
    return [score(gold, read_predictions(file, gold, labels), labels) for file in files]


if __name__ == "__main__":
    run(main)
