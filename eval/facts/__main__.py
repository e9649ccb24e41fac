"""Measure facts: python -m eval.facts values FILE | airwars FILE [--out JSON] [--errors]

`values` holds phrases with their values (times: start, end, grain; casualties: values), `airwars` texts with the facts that people coded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.facts import airwars, values
from eval.score.command import run
from waqia.arguments import Parser


def main(argv: Sequence[str] | None = None) -> None:
    """Read FILE, print its figures with 95 % intervals, write them as JSON where --out is given, list what is wrong with --errors."""
    parser = Parser(prog="python -m eval.facts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("values", "phrases with their values"), ("airwars", "texts with coded facts, read by a model")):
        command = commands.add_parser(name, help=what)
        command.add_argument("file", type=Path, metavar="FILE", help="JSONL")
        command.add_argument("--out", type=Path, help="also write the result as JSON here")
        command.add_argument("--errors", action="store_true", help="list every wrong row")
    commands.choices["airwars"].add_argument("--artefact", type=Path, help="artefact folder (default: the model in the package)")
    args = parser.parse_args(argv)
    result = values.measure(args.file) if args.command == "values" else airwars.measure(args.file, args.artefact)
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(_table(result, errors=args.errors)))


def _table(result: dict[str, Any], *, errors: bool) -> list[str]:
    lines = [f"{'figure':<40} {'value':>6}  {'95 % interval':<16} {'of':>5}"]
    for name, figure in result["figures"].items():
        interval = figure["interval"]
        shown = "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
        value = "–" if figure["value"] is None else f"{figure['value']:.3f}"
        lines.append(f"{name:<40} {value:>6}  {shown:<16} {figure['of']:>5}")
    kinds = [f"{count:>5}  {kind}" for kind, count in result["error_kinds"].items()]
    lines += ["", "kinds of error", *kinds] if kinds else []
    return lines + ([json.dumps(error, ensure_ascii=False) for error in result["errors"]] if errors else [])


if __name__ == "__main__":
    run(main)
