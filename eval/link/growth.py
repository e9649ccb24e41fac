"""How linking grows with the archive: python -m eval.link.growth 1000 10000 100000 1000000 [--out JSON]

Made-up incidents, 300 a day, some told by several texts, with a place, a day, common words drawn as often as they are, and names of people
and villages, of which there are 20,000. For each number of incidents: processor time an incident, the most memory of the process so far,
seconds to open the events again and add another day, and pair precision and recall against how they were made. Sizes run in ascending
order, each from nothing.
"""

from __future__ import annotations

import datetime
import json
import random
import resource
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from eval.score.command import run
from eval.score.counts import Counts
from waqia.arguments import Parser
from waqia.bulk.clues import Tables
from waqia.bulk.index import Index
from waqia.bulk.link import Linker
from waqia.frame import packaged_labels
from waqia.labels import LabelSet

LETTERS = "ابتجحدرزسشصطعفقكلمنهوي"
TYPES = ("air_strike", "shelling", "armed_attack", "arrest", "protest")  # of the packaged label set: data, as the words are
PER_DAY = 300  # incidents a day: a larger archive covers more days


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each size; with --out also write them as JSON."""
    parser = Parser(prog="python -m eval.link.growth", description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+", metavar="N")
    parser.add_argument("--out", type=Path, help="also write the result as JSON here")
    args = parser.parse_args(argv)
    rows = []
    for size in sorted(args.sizes):
        rows.append(grown(size))
        print(json.dumps(rows[-1]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def grown(size: int, *, seed: int = 0) -> dict[str, Any]:
    """Figures of linking `size` made-up incidents."""
    tables = Tables.packaged(packaged_labels())
    linker, spent, made = Linker(tables), 0.0, array("I")
    for row, event in archive(size, tables, seed=seed):
        made.append(event)
        before = time.process_time()
        linker.add(row)
        spent += time.process_time() - before
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "events.jsonl")
        before = time.process_time()
        with kept.open("wb") as out:
            linker.write(out)
        linker.index.save(kept, kept)
        spent += time.process_time() - before
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        del linker
        added = _day_added(kept, tables, islice(archive(size + PER_DAY, tables, seed=seed), size, None))
        with kept.open("rb") as lines:
            pairs, events = _pairs(made, lines)
    figures = {"ms an incident": round(1000 * spent / size, 3), "peak memory MB": round(memory), "s to add a day": round(added, 2)}
    return {"incidents": size, "events": events, **figures, "pair precision": pairs.precision, "pair recall": pairs.recall}


def _pairs(made: Sequence[int], lines: Iterable[bytes]) -> tuple[Counts, int]:
    """Pairs of rows ("r0", "r1" …) that were made as one event and are found as one, and how many events were found."""
    found = array("I", bytes(4 * len(made)))
    events = 0
    for events, line in enumerate(lines, 1):
        for source in json.loads(line)["sources"]:
            found[int(source["id"][1:])] = events
    hits, key, response = (sum(n * (n - 1) // 2 for n in Counter(each).values()) for each in (zip(made, found, strict=True), made, found))
    return Counts(hits, key, response), events


def _day_added(events: Path, tables: Tables, rows: Iterable[tuple[dict[str, Any], int]]) -> float:
    """Seconds of processor time to link another day onto the events of an archive and to write them all again."""
    rows = list(rows)
    before = time.process_time()
    linker = Linker(tables, index=Index.beside(events))
    for row, _ in rows:
        linker.add(row)
    written = events.with_name("more.jsonl")
    with written.open("wb") as out:
        linker.write(out)
    linker.index.save(written, written)
    return time.process_time() - before


def archive(size: int, tables: Tables, *, seed: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """Rows as `waqia batch` writes them, in the order of their days, each with the number of its event; most are told once."""
    chance = random.Random(seed)
    names = ["".join(chance.choices(LETTERS, k=6)) for _ in range(20_000)]
    common, shares = list(tables.common), list(accumulate(tables.common.values()))
    number = event = 0
    while number < size:
        day = datetime.date(2000, 1, 1) + datetime.timedelta(days=number // PER_DAY)
        told = [chance.choice(names) for _ in range(6)]  # who and where: what its texts share
        kind, place = chance.choice(TYPES), (chance.uniform(30, 37), chance.uniform(35, 45))
        for _ in range(min(size - number, chance.choice((1, 1, 1, 2, 3)))):
            words = chance.choices(common, cum_weights=shares, k=30)
            text = f"وقع في {told[0]} " + " ".join(words[:15] + told[1 : chance.randint(3, 6)] + words[15:]) + "."
            yield _row(f"r{number}", text, kind, day, told[0], place, tables.labels), event
            number += 1
        event += 1


def _row(name: str, text: str, kind: str, day: datetime.date, place: str, at: tuple[float, float], labels: LabelSet) -> dict[str, Any]:
    span = {"start": 7, "end": 7 + len(place), "text": place}
    known = {"name": place, "name_ar": place, "latitude": at[0], "longitude": at[1], "kind": "village", "country": "SY", "admin": ""}
    facts = {"places": [{**known, "exact": True, "inferred": False, "span": span}]}
    trigger = {"start": 0, "end": 3, "text": text[:3]}
    participants = [{"role": labels.fact_roles["place"], "sector": None, **span}]
    incident = {"type": kind, "status": labels.default_status, "trigger": trigger, "facts": facts, "participants": participants}
    return {"id": name, "date": day.isoformat(), "text": text, "incidents": [incident]}


if __name__ == "__main__":
    run(main)
