"""Measure linking: python -m eval.link FILE [--out JSON]

FILE is JSONL as data/airwars, with `incidents` already read; texts with one `facts.incident` tell one event. A text stands for its fullest
incident. Pairs, LEA and B3 beside the baseline "same day, same place"; intervals resample documents, a gold event with its texts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.score.command import run
from eval.score.coreference import Cluster, b_cubed, f1, lea
from eval.score.counts import Counts, Tally
from eval.score.intervals import bootstrap
from waqia.arguments import Parser
from waqia.bulk.link import Clue, Linker, Tables, clues_of, read_lines
from waqia.errors import RecordError
from waqia.frame import packaged_labels


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures of FILE and write them as JSON where --out is given."""
    parser = Parser(prog="python -m eval.link", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, help="also write the result as JSON here")
    args = parser.parse_args(argv)
    result = measure(list(read_lines(args.file)))
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))


def measure(rows: Sequence[Mapping[str, Any]], *, resamples: int = 1000) -> dict[str, Any]:
    """Figures of linking and of the baseline, each with its 95 % interval."""
    if any("incidents" not in row for row in rows):
        raise RecordError("a row has no incidents; read the texts first: waqia batch FILE READ, then measure READ")
    tables = Tables.packaged(packaged_labels())
    linker, gold, plain, comparable = Linker(tables), [], [], 0
    for row in rows:
        best = max(clues_of(row, tables), key=lambda pair: len(pair[1].participants), default=None)
        gold.append(row["facts"]["incident"])
        plain.append(_day_place(None if best is None else best[0], row["id"]))
        if best is not None:
            comparable += best[0].comparable
            linker.add({**row, "incidents": [best[1].to_dict()]})
    found = {clue.row: event.id for event in linker.events for clue in event.clues}
    ours = [found.get(str(row["id"]), "text " + str(row["id"])) for row in rows]
    result: dict[str, Any] = {"texts": len(rows), "events": len(set(gold)), "texts with day and place": comparable}
    for name, response in (("linking", ours), ("same day, same place", plain)):
        tallies = _tallies(gold, response)
        total = {k: sum((t[k] for t in tallies), Counts()) for k in tallies[0]} if tallies else {}
        intervals = bootstrap(tallies, gold, _figures, resamples=resamples) if tallies else {}
        values = _figures(total) if tallies else {}
        result[name] = {k: {"value": value, "interval": intervals[k]} for k, value in values.items()}
    return result


def _day_place(clue: Clue | None, row: str) -> str:
    return f"{clue.start} {clue.place}" if clue is not None and clue.comparable else f"text {row}"


def _tallies(gold: Sequence[str], ours: Sequence[str]) -> list[Tally]:
    """What each text adds; a cluster's links and pairs are shared out evenly among its texts, so that texts can be resampled."""
    key, response = _clusters(gold), _clusters(ours)
    cells, sizes, found = Counter(zip(gold, ours, strict=True)), Counter(gold), Counter(ours)
    tallies: list[Tally] = []
    for a, b in zip(gold, ours, strict=True):
        pairs = Counts((cells[a, b] - 1) / 2, (sizes[a] - 1) / 2, (found[b] - 1) / 2)
        parts = {"pairs": pairs}
        for name, measure in (("lea", lea), ("b3", b_cubed)):
            for side, one, others, size in (("recall", key[a], response, sizes[a]), ("precision", response[b], key, found[b])):
                hits, of = measure([one], [c for c in others.values() if c & one])
                parts[f"{name}/{side}"] = Counts(float(hits) / size, of / size)
        tallies.append(parts)
    return tallies


def _clusters(names: Sequence[str]) -> dict[str, Cluster]:
    members: dict[str, set[tuple[int, int]]] = {}
    for n, name in enumerate(names):
        members.setdefault(name, set()).add((n, n + 1))
    return {name: frozenset(spans) for name, spans in members.items()}


def _figures(total: Tally) -> dict[str, float | None]:
    pairs = total["pairs"]
    merged = {name: f1(total[f"{name}/recall"], total[f"{name}/precision"]) for name in ("lea", "b3")}
    return {"pair precision": pairs.precision, "pair recall": pairs.recall, "pair F1": pairs.f1, "LEA": merged["lea"], "B3": merged["b3"]}


if __name__ == "__main__":
    run(main)
