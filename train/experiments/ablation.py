"""What each part of a training run is worth: python -m train.experiments.ablation PLAN [--out FILE.json]

PLAN is a YAML file such as configs/experiments/ablation.yaml: a `base` configuration, `gold` (one of its dev files), `seeds`, and
`variants`, each a name with the keys of the configuration that it changes. Every variant is fine-tuned with every seed (runs that are
there are not made again), and its figures on gold are set beside those of the first variant: means over seeds with 95 % intervals, from a
bootstrap over documents of the counts of all seeds together, and whether the data can tell them apart, as in eval.compare. One variant
alone, without changes, gives the figures of a configuration over seeds. Thresholds are fitted on the dev files as in any run, gold among
them, for all variants alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.compare import Comparison, compare, pool
from eval.score.command import run
from eval.score.files import read_gold
from eval.score.intervals import Interval, bootstrap
from eval.score.scoring import Scores, headline, score
from train.config import FinetuneConfig, Part, load_config
from train.experiments.runs import fine_tuned
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.records import read_records
from waqia.schema import Record


class Plan(Part):
    """Which runs to make and to compare."""

    base: Path
    gold: Path
    seeds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is not yet trained, compare, print, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("plan", type=Path, metavar="PLAN")
    parser.add_argument("--out", type=Path, help="also write the table as JSON here")
    args = parser.parse_args(argv)
    plan = load_config(Plan, args.plan)
    base = load_config(FinetuneConfig, plan.base)
    labels = LabelSet.load(base.label_set)
    gold = read_gold(plan.gold, labels)
    found = {
        name: [scored(variant(base, name, changes, seed), gold, labels) for seed in plan.seeds] for name, changes in plan.variants.items()
    }
    first = next(iter(found.values()))
    rows = {name: to_dict(compare(first, seeds), intervals(seeds, labels), labels) for name, seeds in found.items()}
    if args.out:
        args.out.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(table(rows)))


def variant(base: FinetuneConfig, name: str, changes: dict[str, Any], seed: int) -> FinetuneConfig:
    """The base configuration with changes, a seed and an output of its own; the base itself where nothing differs."""
    if not changes and seed == base.seed:
        return base
    output = base.output.with_name(f"{base.output.name}-ablation") / f"{name.replace(' ', '-')}-{seed}"
    own = {"seed": seed, "output": str(output)}
    return FinetuneConfig.model_validate({**base.model_dump(mode="json"), **changes, **own})


def scored(config: FinetuneConfig, gold: Sequence[Record], labels: LabelSet) -> Scores:
    """The scores on gold of a configuration's run."""
    said = {record.id: record for record in read_records(fine_tuned(config) / "dev-predictions.jsonl", labels)}
    return score(gold, [said[record.id] for record in gold], labels)


def intervals(seeds: Sequence[Scores], labels: LabelSet) -> dict[str, Interval | None]:
    """Bootstrap intervals of the figures over all seeds together."""
    return bootstrap(pool(seeds), seeds[0].documents, lambda tally: headline(tally, labels))


def shown(labels: LabelSet) -> list[str]:
    """The figures of the table: those of the actor roles together, of every other role its own."""
    roles = [f"{role} F1" for role in labels.roles if role not in labels.actors]
    return ["types micro-F1", "types macro-F1", "incidents F1", "actors F1", *roles, "sectors accuracy", "incident-free kept"]


def to_dict(comparison: Mapping[str, Comparison], bounds: Mapping[str, Interval | None], labels: LabelSet) -> dict[str, Any]:
    """A variant's figures as plain data."""
    return {
        name: {
            "mean": c.b.mean, "deviation": c.b.deviation, "interval": bounds[name],
            "effect": c.test and c.test.effect, "p": c.test and c.test.p, "decided": bool(c.test and c.test.decided),
        }
        for name in shown(labels)
        if (c := comparison.get(name)) is not None
    }  # fmt: skip


def table(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line a figure, a column a variant: the mean over seeds, and a star where the data can tell it from the first."""
    names = list(next(iter(rows.values())))
    cells = {name: [_cell(figures[figure]) for figure in names] for name, figures in rows.items()}
    wide = {name: 2 + max(len(name), *map(len, column)) for name, column in cells.items()}
    lines = [f"{'':<20}" + "".join(f"{name:>{wide[name]}}" for name in rows)]
    lines += [f"{figure:<20}" + "".join(f"{cells[name][n]:>{wide[name]}}" for name in rows) for n, figure in enumerate(names)]
    return [*lines, "", "* the data can tell it from the first"]


def _cell(figure: Mapping[str, Any]) -> str:
    if figure["mean"] is None:
        return "–"
    spread = "" if figure["deviation"] is None else f" ±{figure['deviation']:.3f}"
    bounds = "" if figure["interval"] is None else f" [{figure['interval'][0]:.3f}, {figure['interval'][1]:.3f}]"
    return f"{figure['mean']:.3f}{spread}{bounds}" + ("*" if figure["decided"] else "")


if __name__ == "__main__":
    run(main)
