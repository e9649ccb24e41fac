"""What reading costs from 10^4 to 10^9 articles: python -m eval.speed.growth SPEED [--tokens N] [--cores N] [--price USD] [--out FILE]

SPEED is what `python -m eval.speed --articles 10 1000 100000 --out SPEED` measured. Processor time an article is that of the longest
stream of the engine; larger rows multiply it, which holds as far as that time is flat from stream to stream: it is shown above the table.
A longer article is taken to cost as many times more as it has more tokens. What Ray takes for itself is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.score.command import run
from waqia.arguments import Parser
from waqia.errors import ConfigError

SIZES = tuple(10**power for power in range(4, 10))
ROW = 40  # bytes that waqia.bulk.ray keeps of a row: its place, its digest and that of its id
UNITS = (("years", 31_557_600), ("days", 86_400), ("h", 3600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Measured:
    """One engine on one shape: a process with one thread."""

    streams: tuple[tuple[int, float], ...]  # (articles, seconds of processor time an article), by length
    tokens: float  # of an article, on average
    peak_mb: float  # the largest of the streams


@dataclass(frozen=True, slots=True)
class Row:
    """What so many articles cost."""

    articles: int
    core_hours: float
    wall_s: float  # on all cores
    resume_mb: float  # on every machine, where all of them were read before
    usd: float | None


def main(argv: Sequence[str] | None = None) -> None:
    """Read what was measured, multiply, print."""
    parser = Parser(description=__doc__)
    parser.add_argument("speed", type=Path, metavar="SPEED", help="JSON of eval.speed")
    parser.add_argument("--shape", default="mini", help="(default: %(default)s, the shipped model)")
    parser.add_argument("--engine", default="waqia onnxruntime int8", help="(default: %(default)s)")
    parser.add_argument("--tokens", type=float, help="of an article on average (default: of the passages that were measured)")
    parser.add_argument("--cores", type=int, default=64, help="that read at once (default: %(default)s)")
    parser.add_argument("--price", type=float, metavar="USD", help="of an hour of one core: adds a column")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON here")
    args = parser.parse_args(argv)
    report = json.loads(args.speed.read_text("utf-8"))
    found = measured(report, args.shape, args.engine)
    rows = [cost(found, articles, args.tokens or found.tokens, args.cores, args.price) for articles in SIZES]
    if args.out:
        args.out.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")
    head = f"{args.engine}, {args.shape}, {report['machine']['processor']}; articles of {args.tokens or found.tokens:.0f} tokens"
    print("\n".join([head, *table(found, rows, args.cores)]))


def measured(report: Mapping[str, Any], shape: str, engine: str) -> Measured:
    """The streams of one engine in a report of eval.speed; ConfigError where there is none, or it had more than one thread."""
    found = report["shapes"].get(shape, {"articles": ()})
    mine = sorted((one for one in found["articles"] if one["engine"] == engine), key=lambda one: int(one["articles"]))
    if not mine:
        command = f"python -m eval.speed --shapes {shape} --articles 10 1000 100000"
        raise ConfigError(f"no stream of {engine!r} on {shape!r} was measured; run {command}")
    if report["threads"] != 1:
        raise ConfigError(f"the engines had {report['threads']} threads, expected 1: cores are counted as processes; run eval.speed again")
    tokens = found["shape"]["tokens"] / found["shape"]["texts"]
    return Measured(tuple((one["articles"], one["cpu_s"]) for one in mine), tokens, max(one["peak_mb"] or 0.0 for one in mine))


def cost(found: Measured, articles: int, tokens: float, cores: int, price: float | None) -> Row:
    """Articles of so many tokens on so many cores; `price` in USD an hour of a core."""
    seconds = articles * found.streams[-1][1] * tokens / found.tokens
    hours = seconds / 3600
    return Row(articles, hours, seconds / cores, articles * ROW / 1e6, None if price is None else hours * price)


def table(found: Measured, rows: Sequence[Row], cores: int) -> list[str]:
    """The rows as Markdown, under what they rest on."""
    flat = ", ".join(f"{count}: {seconds * 1000:.2f} ms" for count, seconds in found.streams)
    priced = any(row.usd is not None for row in rows)
    lines = [
        f"processor time an article by length of the stream: {flat}",
        f"{cores} cores need {cores * found.peak_mb / 1000:.1f} GB for their processes, at {found.peak_mb:.0f} MB each",
        "",
        f"| articles | core hours | on one core | on {cores} cores | memory to go on |" + (" USD |" if priced else ""),
        "|---|---|---|---|---|" + ("---|" if priced else ""),
    ]
    for row in rows:
        times = duration(row.core_hours * 3600), duration(row.wall_s)
        cells = [f"{row.articles:,}", f"{row.core_hours:,.2f}", *times, f"{row.resume_mb:,.2f} MB"]
        lines.append("| " + " | ".join(cells + ([] if row.usd is None else [f"{row.usd:,.2f}"])) + " |")
    return lines


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there is one or more."""
    unit, size = next(((unit, size) for unit, size in UNITS if seconds >= size), UNITS[-1])
    return f"{seconds / size:.1f} {unit}"


if __name__ == "__main__":
    run(main)
