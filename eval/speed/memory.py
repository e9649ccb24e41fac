"""Whether memory grows with a stream: python -m eval.speed.memory [--articles 10 100 1000 10000] [--screen [SHARE]] [--characters N]

The beginnings of articles of a corpus (of passages of data/, over and over, where none is here) are read in one stream by a process of
its own; printed are its memory now and at its highest, in MB (10^6 bytes), and processor time an article, whenever so many were read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from eval.score.command import run
from eval.speed.archive import articles
from eval.speed.worker import memory_mb
from waqia.arguments import Parser
from waqia.bulk import screen
from waqia.reader import Reader

ROOT = Path(__file__).parents[2]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the articles, and have them read."""
    parser = Parser(description=__doc__)
    parser.add_argument("--articles", type=int, nargs="+", default=[10, 100, 1000, 10_000], help="when to look (default: 10 to 10000)")
    parser.add_argument("--characters", type=int, default=500, help="of each article, at most (default: %(default)s)")
    parser.add_argument("--screen", type=float, nargs="?", const=screen.LOST, help="read with a screen (default share: %(const)s)")
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared/data/corpus", help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, nargs="+", default=sorted((ROOT / "data").glob("*.jsonl")), help="(default: data/*.jsonl)")
    parser.add_argument("--stream", type=Path, help="read the texts of this file instead, one JSON string a line, in this very process")
    args = parser.parse_args(argv)
    if args.stream is not None:
        read(args.stream, args.articles, args.screen)
        return
    texts, where = articles(args.corpus, args.data, max(args.articles))
    print(f"{len(texts)} texts from {where}, {args.characters} characters of each at most", flush=True)
    with tempfile.TemporaryDirectory(prefix="waqia-memory-") as folder:
        path = Path(folder) / "texts.jsonl"
        path.write_text("".join(json.dumps(text[: args.characters]) + "\n" for text in texts), "utf-8")
        command = [sys.executable, "-m", "eval.speed.memory", "--stream", str(path), "--articles", *map(str, args.articles)]
        subprocess.run([*command, *(() if args.screen is None else ("--screen", str(args.screen)))], check=True)


def read(path: Path, counts: Sequence[int], share: float | None) -> None:
    """Read the stream, and print whenever so many texts were read."""
    reader = Reader.load(threads=1, screen=None if share is None else screen.load(lost=share))
    print(f"opened: {said()}", flush=True)
    since, windows, screened, incidents = time.process_time(), 0, 0, 0
    for count, reading in enumerate(reader.read_many(islice(lines(path), max(counts))), 1):
        windows, screened, incidents = windows + reading.windows, screened + reading.screened, incidents + len(reading.incidents)
        if count in counts:
            cost = 1000 * (time.process_time() - since) / count
            print(f"{count}: {said()}, {cost:.2f} ms each; {screened} of {windows} windows screened, {incidents} incidents", flush=True)


def lines(path: Path) -> Iterator[str]:
    """The texts of the file, over and over."""
    for _ in cycle([None]):
        with path.open(encoding="utf-8") as held:
            yield from map(json.loads, held)


def said() -> str:
    """The memory of this process, for people to read."""
    now, peak = memory_mb("VmRSS"), memory_mb("VmHWM")
    return "memory unknown" if now is None or peak is None else f"{now:.0f} MB now, {peak:.0f} MB at most"


if __name__ == "__main__":
    run(main)
