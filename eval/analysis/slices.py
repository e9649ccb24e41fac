"""Where a system is weak: python -m eval.analysis.slices GOLD PRED [--train FILE…] [--labels LABELS] [--out FILE.json]

Figures over parts of the gold file, with document-bootstrap intervals:

- of passages, by outlet (`source`), year (`date`), length and number of incidents: F1 of passage types, incidents and actors;
- of incidents, by how often their type stands in the training files: F1; by whether gold names its doer: recall, and how many of the
  incidents found without one are left without one (the passive «قُتل ثلاثة» hides its agent);
- of gold actors, by sector, by words between them and their trigger, and by whether a clitic is attached: recall (half of the longer span).

A clitic counts as attached where a span's first word begins with و ف ب ل ك and the rest stands as a word somewhere in the gold file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eval.score.command import judge, run
from eval.score.counts import Counts, Tally, add
from eval.score.intervals import Figures, bootstrap
from eval.score.match import items, judged, match, same_incident, same_participant
from eval.score.scoring import Scores, score
from waqia.labels import LabelSet
from waqia.schema import Incident, Record, Span

CLITICS = "وفبلك"
RECALL = ("recall", "left without")  # figures that have no predictions of their own

Key = tuple[str, str, str]  # the kind of slice, the slice, the figure


def slices(scores: Scores, pairs: Sequence[tuple[Record, Record]], train: Sequence[Record] = ()) -> dict[str, Any]:
    """Every figure of every slice as plain data: {kind: {slice: {figure: {value, interval, gold}}}}."""
    seen = Counter(incident.type for record in train for incident in record.incidents)
    vocabulary = {word for gold, _ in pairs for word in re.findall(r"\w+", gold.text)}
    tallies = [
        add({"\t".join(key): counts} for key, counts in slice_counts(*pair, tally, scores.labels, seen, vocabulary))
        for pair, tally in zip(pairs, scores.tallies, strict=True)
    ]
    total, intervals = add(tallies), bootstrap(tallies, scores.documents, read, resamples=500)
    result: dict[str, Any] = {}
    for name, value in read(total).items():
        kind, part, figure = name.split("\t")
        row = {"value": value, "interval": intervals[name], "gold": total[name].gold}
        result.setdefault(kind, {}).setdefault(part, {})[figure] = row
    return result


def slice_counts(
    gold: Record, predicted: Record, tally: Tally, labels: LabelSet, seen: Mapping[str, int], vocabulary: set[str]
) -> Iterator[tuple[Key, Counts]]:
    """What a record adds to each slice."""
    ours, theirs = judged(gold, predicted, labels)
    whole = {
        "types F1": sum((tally[f"types/{name}"] for name in labels.incident_types if f"types/{name}" in tally), Counts()),
        "incidents F1": tally["incidents"],
        "actors F1": tally["actors/any"],
    }
    for kind, part in passage_slices(gold, len(ours)):
        yield from (((kind, part, figure), counts) for figure, counts in whole.items())
    if seen:
        for name in labels.incident_types:
            yield ("type in training", band(seen.get(name, 0), (0, 9, 49, 99, 199)), "incidents F1"), tally[f"incidents/{name}"]
    if labels.actors:
        yield from incident_slices(ours, theirs, labels.actors[0])
    yield from actor_slices(gold.text, ours, theirs, labels.actors, vocabulary)


def passage_slices(gold: Record, incidents: int) -> Iterator[tuple[str, str]]:
    """The slices that a passage is in."""
    yield "outlet", str(gold.extra.get("source") or "unknown")
    yield "year", str(gold.extra.get("date") or "")[:4] or "unknown"
    yield "characters", band(len(gold.text), (199, 399, 799, 1599))
    yield "incidents", band(incidents, (0, 1, 2))


def incident_slices(ours: Sequence[Incident], theirs: Sequence[Incident], doer: str) -> Iterator[tuple[Key, Counts]]:
    """Recall of incidents with and without a named doer, and those without that are left so."""
    matched = match(ours, theirs, same_incident)
    found = {id(a) for a, _ in matched}
    for incident in ours:
        part = "named" if _names(incident, doer) else "hidden"
        yield (doer, part, "incidents recall"), Counts(int(id(incident) in found), 1)
    for a, b in matched:
        if not _names(a, doer):
            yield (doer, "hidden", "left without"), Counts(int(not _names(b, doer)), 1)


def actor_slices(
    text: str, ours: Sequence[Incident], theirs: Sequence[Incident], actors: Sequence[str], vocabulary: set[str]
) -> Iterator[tuple[Key, Counts]]:
    """Recall of gold actors by what they are and where they stand."""
    gold = items(ours)
    found = {id(a) for a, _ in match(gold, items(theirs), same_participant)}
    triggers = [incident.trigger for incident in ours for _ in incident.participants]
    for item, trigger in zip(gold, triggers, strict=True):
        actor, hit = item.participant, Counts(int(id(item) in found), 1)
        if actor.role in actors:
            yield ("sector", str(actor.sector), "actors recall"), hit
            yield ("words from trigger", band(words_between(text, actor, trigger), (2, 5, 10, 25)), "actors recall"), hit
            yield ("clitic", "attached" if has_clitic(actor.text, vocabulary) else "none", "actors recall"), hit


def words_between(text: str, a: Span, b: Span) -> int:
    """Whole words between two spans; 0 where they touch or overlap."""
    return len(text[min(a.end, b.end) : max(a.start, b.start)].split())


def has_clitic(text: str, vocabulary: set[str]) -> bool:
    """Whether the first word of a span begins with a clitic and goes on as a word that stands elsewhere: «وقوات», not «وزير»."""
    first = re.match(r"\w+", text)
    return first is not None and first.group()[0] in CLITICS and len(first.group()) > 3 and first.group()[1:] in vocabulary


def band(number: int, tops: Sequence[int]) -> str:
    """The range that a number falls into, given the top of each range."""
    low = 0
    for top in tops:
        if number <= top:
            return str(top) if low == top else f"{low}-{top}"
        low = top + 1
    return f"{low}+"


def read(total: Tally) -> Figures:
    """F1 or recall of each key of a tally."""
    return {name: counts.recall if name.endswith(RECALL) else counts.f1 for name, counts in total.items()}


def _names(incident: Incident, doer: str) -> bool:
    return any(participant.role == doer for participant in incident.participants)


def table(result: dict[str, Any]) -> list[str]:
    """Slices as lines of text, one a figure."""
    lines = []
    for kind, parts in result.items():
        lines += ["", kind]
        for part, figures in sorted(parts.items(), key=lambda item: order(item[0])):
            cells = [f"{name} {_number(row['value'])} {_range(row['interval'])} of {row['gold']}" for name, row in figures.items()]
            lines.append(f"  {part:<24} " + "   ".join(cells))
    return lines[1:]


def order(part: str) -> tuple[int, str]:
    """Sorts slices by their first number, then by name."""
    number = re.match(r"\d+", part)
    return (int(number.group()) if number else -1, part)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def main(argv: Sequence[str] | None = None) -> None:
    """Read, slice, print, write."""
    judge(__doc__, argv, lambda f: slices(score(f.gold, f.predicted, f.labels), f.pairs, f.train), table, train=True)


if __name__ == "__main__":
    run(main)
