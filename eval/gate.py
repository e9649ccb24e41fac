"""Hold scores to their least figures: python -m eval.gate SCORES.json [--gates configs/gates.yaml]

SCORES.json is what `python -m eval.score … --out` writes, or any JSON whose `figures` are {name: {value: number}}. A figure below its gate,
or one with nothing to score, ends with 5 and says by how much it fell; a gate for a figure that the scores do not have ends with 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from eval.score.command import run
from waqia.arguments import Parser
from waqia.errors import ConfigError, RecordError

NOT_MET = 5


def read_gates(path: Path) -> dict[str, float]:
    """Least value of each figure; ConfigError where the file is no mapping of names to numbers from 0 to 1."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable: {error}; give gates such as configs/gates.yaml") from error
    gates = data.get("figures") if isinstance(data, dict) and set(data) == {"figures"} else None
    if not isinstance(gates, dict) or not gates:
        raise ConfigError(f"{path}: expected `figures` alone, a mapping of names to least values")
    for name, least in gates.items():
        if type(least) not in (int, float) or not 0 <= least <= 1:
            raise ConfigError(f"{path}: {name} has gate {least!r}, expected a number from 0 to 1")
    return {str(name): float(least) for name, least in gates.items()}


def read_figures(path: Path) -> dict[str, float | None]:
    """Figures of a scores file; RecordError where it has none."""
    text = path.read_text("utf-8")
    try:
        data = json.loads(text)
        return {name: figure["value"] for name, figure in data["figures"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path}: no scores ({error!r}); expected what eval.score writes with --out") from error


def fallen(figures: Mapping[str, float | None], gates: Mapping[str, float]) -> list[str]:
    """What fell below its gate, in words; ConfigError for a gate without a figure."""
    unknown = sorted(set(gates) - set(figures))
    if unknown:
        raise ConfigError(f"gates {unknown} are no figures of the scores; expected some of {', '.join(figures)}")
    return [_say(name, figures[name], least) for name, least in gates.items() if not _holds(figures[name], least)]


def _holds(value: Any, least: float) -> bool:
    return value is not None and value >= least


def _say(name: str, value: float | None, least: float) -> str:
    if value is None:
        return f"{name}: nothing to score, least {least:.3f}"
    return f"{name}: {value:.3f}, {least - value:.3f} below {least:.3f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print, and return 0 or 5."""
    parser = Parser(description=__doc__)
    parser.add_argument("scores", type=Path, metavar="SCORES.json")
    parser.add_argument("--gates", type=Path, default=Path("configs/gates.yaml"), help="(default: %(default)s)")
    args = parser.parse_args(argv)
    gates = read_gates(args.gates)
    faults = fallen(read_figures(args.scores), gates)
    print("\n".join(faults) if faults else f"all {len(gates)} gates hold")
    return NOT_MET if faults else 0


if __name__ == "__main__":
    run(main)
