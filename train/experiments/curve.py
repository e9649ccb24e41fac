"""What more labels would bring: python -m train.experiments.curve CONFIG [--parts 0.1 0.25 0.5 1] [--out FILE.json]

Fine-tunes a configuration on nested parts of its training documents, scores each on the configuration's dev files, and fits the power law
a - b n^-c (Hestness et al. 2017) to every figure over n, the training records. Smaller parts are read more often, epochs / sqrt(part), so
that they are not merely trained less. Runs that are there are not made again; those of the parts stand under <output>-curve/.
Extrapolations carry an interval: the spread of laws fitted to values drawn from the intervals of the figures. It does not hold the doubt
whether a power law is right at all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.score.command import run
from train.config import FinetuneConfig, load_config
from train.experiments.runs import chance, fine_tuned
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.records import read_records, write_records
from waqia.schema import Record

PARTS = (0.1, 0.25, 0.5, 1.0)
FIGURES = ("types micro-F1", "incidents F1", "actors F1")
MORE = (2, 4)  # how many times the labels there are
DRAWS = 400


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is not yet trained, fit, print, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument("--parts", type=float, nargs="+", default=PARTS, help="shares of the training documents (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the curve as JSON here")
    args = parser.parse_args(argv)
    config = load_config(FinetuneConfig, args.config)
    if not all(0 < part <= 1 for part in args.parts) or len(args.parts) < 2:
        raise ConfigError(f"--parts {args.parts}: expected two or more shares above 0 and at most 1")
    sizes, scores = zip(*(trained(config, part) for part in sorted(set(args.parts))), strict=True)
    result = curve(sizes, scores, " + ".join("/".join(path.parts[-2:]) for path in config.dev_files))
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(table(result)))


def trained(config: FinetuneConfig, part: float) -> tuple[int, dict[str, Any]]:
    """Training records of a part, and the dev scores of the run on it, which is made if it is not there."""
    labels = LabelSet.load(config.label_set)
    kept = [subset(list(read_records(source.path, labels)), part) for source in config.train_files]
    if part < 1:
        folder = config.output.with_name(f"{config.output.name}-curve") / f"{part:g}"
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"train{number}.jsonl" for number in range(len(kept))]
        for file, records in zip(files, kept, strict=True):
            write_records(file, records)
        settings = config.model_dump(mode="json")
        settings["output"] = str(folder / "run")
        settings["train_files"] = [{"path": str(f), "repeat": s.repeat} for f, s in zip(files, config.train_files, strict=True)]
        settings["training"]["epochs"] = round(config.training.epochs / part**0.5, 2)
        config = FinetuneConfig.model_validate(settings)
    return sum(map(len, kept)), json.loads((fine_tuned(config) / "dev-scores.json").read_text("utf-8"))


def subset(records: Sequence[Record], part: float) -> list[Record]:
    """The records of a share of the documents, always the same and each part within the next larger one."""
    return [record for record in records if chance(record) < part]


def curve(sizes: Sequence[int], scores: Sequence[dict[str, Any]], dev: str) -> dict[str, Any]:
    """Values and intervals of each figure by size, the fitted law and what it says of more labels; no law where none fits."""
    figures = {}
    for name in FIGURES:
        values = [score["figures"][name]["value"] for score in scores]
        intervals = [score["figures"][name]["interval"] for score in scores]
        if None in values or [] in intervals:
            continue
        fitted = law(np.array(sizes, float), np.array(values))
        row: dict[str, Any] = {"values": values, "intervals": intervals, "law": None if fitted is None else fitted.tolist(), "more": {}}
        if fitted is not None:
            row["more"] = extrapolation(sizes, values, intervals, fitted)
        figures[name] = row
    return {"dev": dev, "records": list(sizes), "figures": figures}


def law(sizes: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(a, b, c) of a - b n^-c by least squares with a at most 1; None where there are fewer points than that, or it does not settle."""
    if len(sizes) < 3:
        return None
    start = (min(0.95, float(values.max()) + 0.1), 1.0, 0.5)
    try:
        from scipy.optimize import curve_fit  # takes a moment to import

        return np.asarray(curve_fit(at, sizes, values, start, bounds=([0, 0, 0.05], [1, 50, 2]), maxfev=4000)[0])
    except RuntimeError:
        return None


def at(sizes: Any, a: float, b: float, c: float) -> Any:
    """The law at sizes."""
    return a - b * sizes ** (-c)


def extrapolation(
    sizes: Sequence[int], values: Sequence[float], intervals: Sequence[Sequence[float]], fitted: NDArray[np.float64]
) -> dict[str, Any]:
    """What the law says of MORE times the labels, with the 95 % spread of laws fitted to values drawn from the figures' intervals."""
    random, n = np.random.default_rng(0), np.array(sizes, float)
    deviations = np.array([(high - low) / 3.92 for low, high in intervals])
    laws = [found for _ in range(DRAWS) if (found := law(n, random.normal(values, deviations))) is not None]
    told = {}
    for times in MORE:
        low, high = np.percentile([float(at(n[-1] * times, *one)) for one in laws], (2.5, 97.5))
        told[str(times)] = {"value": float(at(n[-1] * times, *fitted)), "interval": [float(low), float(high)]}
    return told


def table(result: dict[str, Any]) -> list[str]:
    """The curve as lines of text."""
    lines = [f"{'records':<18}" + "".join(f"{n:>24}" for n in result["records"]) + "".join(f"{f'{n} times as many':>24}" for n in MORE)]
    for name, row in result["figures"].items():
        cells = [_cell(v, i) for v, i in zip(row["values"], row["intervals"], strict=True)]
        cells += [_cell(m["value"], m["interval"]) for m in row["more"].values()]
        lines.append(f"{name:<18}" + "".join(f"{cell:>24}" for cell in cells))
    return lines


def _cell(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


if __name__ == "__main__":
    run(main)
