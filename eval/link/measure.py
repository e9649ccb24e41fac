"""Linking against the incidents that people coded: pairs, LEA and B3, and the baseline "same day, same place".

A text stands for its main incident, as `eval.facts` takes it: the violent one that tells most of who was hurt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.facts.airwars import Coded, main_incident
from eval.facts.geo import Meant
from eval.score.coreference import Cluster, b_cubed, f1, lea
from eval.score.counts import Counts, Tally
from eval.score.intervals import bootstrap
from waqia.bulk.clues import Clue, Tables, clues_of
from waqia.bulk.events import read_lines
from waqia.bulk.likeness import Weights
from waqia.bulk.link import Linker
from waqia.document.facts import parse_date
from waqia.errors import RecordError
from waqia.frame import packaged_labels
from waqia.reader import Reader
from waqia.schema import Reading

Row = Mapping[str, Any]


def read_rows(path: Path, artefact: Path | None = None) -> list[dict[str, Any]]:
    """The rows of a file with their incidents; texts that have none yet are read. RecordError where a text cannot be."""
    rows = [row for _, row in read_lines(path)]
    for row in rows:
        facts = row.get("facts")
        if not isinstance(facts, dict) or not isinstance(facts.get("incident"), str) or not isinstance(row.get("text"), str):
            raise RecordError(f"{path}: {row['id']}: expected id, text, date and facts with the coded incident")
    if all("incidents" in row for row in rows):
        return rows
    readings = Reader.load(artefact).read_many((row["text"], row.get("date") or None) for row in rows)
    for row, reading in zip(rows, readings, strict=True):
        if reading.error is not None:
            raise RecordError(f"{path}: {row['id']}: not read: {reading.error}")
        row |= reading.to_dict()
    return rows


def measure(rows: Sequence[Row], *, resamples: int = 1000) -> dict[str, Any]:
    """Figures of linking and of the baseline, each with its 95 % interval; events with their texts are drawn together."""
    tables, gold = Tables.packaged(packaged_labels()), [row["facts"]["incident"] for row in rows]
    rows = list(main_incidents(with_facts(rows, tables)))
    clues = {clue.row: clue for row in rows for clue, _, _ in clues_of(row, tables)}
    plain = [_day_place(clues.get(str(row["id"])), str(row["id"])) for row in rows]
    counts = {"texts": len(rows), "events": len(set(gold)), "pairs": sum(n * (n - 1) // 2 for n in Counter(gold).values())}
    counts |= {"texts with an incident": len(clues), "texts with day and place": sum(clue.comparable for clue in clues.values())}
    result: dict[str, Any] = dict(counts)
    for name, response in (("linking", linked(rows, tables)), ("same day, same place", plain)):
        tallies = _tallies(gold, response)
        total = {k: sum((t[k] for t in tallies), Counts()) for k in tallies[0]} if tallies else {}
        intervals = bootstrap(tallies, gold, _figures, resamples=resamples) if tallies else {}
        values = _figures(total) if tallies else {}
        result[name] = {k: {"value": value, "interval": intervals[k]} for k, value in values.items()}
    return result


def with_facts(rows: Sequence[Row], tables: Tables) -> list[dict[str, Any]]:
    """The rows with the facts of their incidents, so that each is resolved once."""
    return [{**row, "incidents": [incident.to_dict() for _, incident, _ in clues_of(row, tables)]} for row in rows]


def main_incidents(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Each row with its main incident alone; rows without incidents as they are."""
    meant = Meant.of(packaged_labels())
    for row in rows:
        day = parse_date(row.get("date"))
        coded = Coded(str(row["id"]), row["text"], day, "", None, None, None)
        reading = Reading.from_dict({"incidents": row["incidents"], "types": {}})
        main = main_incident(coded, reading, meant)
        yield {**row, "incidents": [] if main is None else [row["incidents"][reading.incidents.index(main)]]}


def linked(rows: Sequence[Row], tables: Tables, weights: Weights | None = None) -> list[str]:
    """The event of each row of `main_incidents` after one pass in their order; a text of no event is alone."""
    linker = Linker(tables, weights)
    for row in rows:
        linker.add(row)
    found = {source["id"]: line["id"] for line in linker.lines() for source in line["sources"]}
    return [found.get(str(row["id"]), f"text {row['id']}") for row in rows]


def pair_f1(rows: Sequence[Row], response: Sequence[str]) -> float | None:
    """Pair F1 of one partition."""
    return _pairs([row["facts"]["incident"] for row in rows], response).f1


def _pairs(gold: Sequence[str], response: Sequence[str]) -> Counts:
    hits, key, found = (
        sum(n * (n - 1) // 2 for n in Counter(each).values()) for each in (zip(gold, response, strict=True), gold, response)
    )
    return Counts(hits, key, found)


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
