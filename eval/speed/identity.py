"""Whether a text reads the same however it is read: python -m eval.speed.identity [--count 500]

Passages of data/*.jsonl, and articles of a corpus where one is here (whose windows a screen leaves out), are read in a stream, one by one,
backwards (other batches), with more threads and in more processes, and each reading is compared whole, to the last digit of every
probability. With the screen on, a text of which no window was left out must read as without it, and one of which every window was left
out must report nothing. Exit code 1 where anything differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eval.score.command import run
from eval.speed.archive import articles
from waqia.arguments import Parser
from waqia.bulk import screen, workers
from waqia.reader import Reader
from waqia.records import dump_row

ROOT = Path(__file__).parents[2]
Read = Callable[[Sequence[str]], list[str]]  # texts to readings as JSON


def ways(threads: int, processes: int) -> dict[str, Read]:
    """The ways to read that must agree, the first of them the one that the others are compared with."""
    reader = Reader.load(threads=1)

    def in_processes(texts: Sequence[str]) -> list[str]:
        with workers.opened(reader, processes) as read_many:
            return [said.json for said in read_many((text, None) for text in texts)]

    return {
        "in a stream": _stream(reader),
        "one by one": lambda texts: [dump_row(reader.read(text).to_dict()) for text in texts],
        "backwards": lambda texts: _stream(reader)(texts[::-1])[::-1],
        f"{threads} threads": _stream(Reader.load(threads=threads)),
        f"{processes} processes": in_processes,
    }


def _stream(reader: Reader) -> Read:
    return lambda texts: [dump_row(reading.to_dict()) for reading in reader.read_many(texts)]


def differing(readings: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many texts each further way reads unlike the first."""
    (_, first), *others = readings.items()
    return {name: sum(a != b for a, b in zip(first, other, strict=True)) for name, other in others}


def screened(plain: Sequence[str], with_screen: Sequence[str]) -> dict[str, int]:
    """How many texts have all, some and none of their windows left unread, and how many of the first and last read as they must not."""
    found = dict.fromkeys(("all", "some", "none", "wrong"), 0)
    for full, row in zip(plain, with_screen, strict=True):
        reading = json.loads(row)
        out, windows = reading.get("screened", 0), reading["windows"]
        found["none" if not out else "all" if out == windows else "some"] += 1
        found["wrong"] += row != full if not out else bool(reading["incidents"]) if out == windows else 0
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Read, compare, print; 1 where anything differs."""
    parser = Parser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="passages (default: %(default)s)")
    parser.add_argument("--articles", type=int, default=50, help="whole articles of the corpus (default: %(default)s)")
    parser.add_argument("--corpus", type=Path, default=ROOT.parent / "shared/data/corpus", help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, nargs="+", default=sorted((ROOT / "data").glob("*.jsonl")), help="(default: data/*.jsonl)")
    args = parser.parse_args(argv)
    texts = [json.loads(line)["text"] for path in args.data for line in path.read_text("utf-8").splitlines()][: args.count]
    texts += articles(args.corpus, args.data, args.articles)[0]
    readings = {name: read(texts) for name, read in ways(args.threads, args.processes).items()}
    with_screen = _stream(Reader.load(threads=1, screen=screen.load()))(texts)
    plain = next(iter(readings.values()))
    differ, left_out = differing(readings), screened(plain, with_screen)
    print(f"{len(texts)} texts; unlike those read in a stream: " + ", ".join(f"{name} {count}" for name, count in differ.items()))
    print(f"screened: all windows of {left_out['all']}, some of {left_out['some']}, none of {left_out['none']}; wrong {left_out['wrong']}")
    return int(any(differ.values()) or left_out["wrong"] > 0)


if __name__ == "__main__":
    run(main)
