"""Score predictions against gold: python -m eval.score GOLD PRED [--labels LABELS] [--out SCORES.json]

Both files are JSONL records, of any system. What is counted, over all passages, before anything is divided:

- types: the set of incident types of a passage (from `passage_types`, where a system that finds no incidents gives it); micro and macro F1.
- incidents, by happening: one to one, same type, any mention of the one overlapping any mention of the other; a happening predicted twice
  is one hit and one error. Likewise "incident count error": how far the number of incidents of a text is off, on average.
- participants by role: one to one over the passage, same incident type and role, the predicted span and any mention of the gold one sharing
  at least half of the longer. `actors` are the label set's actor roles together. An actor of two incidents is two participants.
- sectors on matched actors, statuses on matched incidents, and the share of incident-free passages that are kept free.
- merging, end to end: whether the mentions of one happening are one incident (eval.score.coreference), where gold tells mentions.
- the same by the one labelled span ("one trigger", "one mention"): the trigger for an incident, its one span for a participant; exact
  spans; triggers identified (any type) and classified (same type); arguments identified and classified within incidents of the same type,
  as in Li et al. (2013). Where neither side tells mentions, these and the figures by happening are equal.

Matching is the best possible one to one (an assignment problem), whatever the order: most pairs, then most overlap, then most agreement in
status or sector. A prediction with `error` counts as empty. Types that a gold record does not list in `annotated`
are left out on both sides; types that it only answers for the passage (`answers`) are scored as types and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.score.command import judge
from eval.score.coreference import clusters, compare_clusters, merging_figures
from eval.score.counts import Counts, Number, Tally, add, mean
from eval.score.intervals import Interval, bootstrap
from eval.score.match import (
    Item,
    asked_types,
    items,
    judged,
    match,
    passage_types,
    same_incident,
    same_participant,
    same_span,
    same_trigger,
    unmarked_types,
)
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Id, Incident, Record, Span

LOWER_IS_BETTER = frozenset({"incident count error"})


@dataclass(frozen=True, slots=True)
class Scores:
    """Tallies by document, and the figures that can be read off their sum."""

    labels: LabelSet
    documents: tuple[str, ...]
    tallies: tuple[Tally, ...]
    average_precision: dict[str, float | None]
    errors: tuple[Id, ...]  # ids of predictions with `error`

    def figures(self) -> dict[str, float | None]:
        """Every headline figure by name."""
        return headline(add(self.tallies), self.labels)

    def intervals(self, resamples: int = 1000) -> dict[str, Interval | None]:
        """Document-bootstrap 95 % intervals of the headline figures."""
        return bootstrap(self.tallies, self.documents, lambda tally: headline(tally, self.labels), resamples=resamples)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: headline figures with intervals and counts, a table by type, what the predictions gave up on."""
        total, intervals = add(self.tallies), self.intervals()
        figures = {
            name: {"value": value, "interval": None if intervals[name] is None else list(intervals[name] or ())}
            for name, value in self.figures().items()
        }
        return {
            "records": len(self.tallies),
            "documents": len(set(self.documents)),
            "label_set": f"{self.labels.name}/{self.labels.version}",
            "figures": figures,
            "mean_average_precision": mean(self.average_precision.values()),
            "types": {name: _type_row(total, name, self.average_precision.get(name)) for name in self.labels.incident_types},
            "counts": {name: [_plain(counts.hits), counts.gold, counts.predicted] for name, counts in sorted(total.items())},
            "errors": list(self.errors),
        }

    def headline(self) -> str:
        """The headline figures in one line."""
        return ", ".join(f"{name} {value:.3f}" for name, value in self.figures().items() if value is not None)


def score(gold: Sequence[Record], predicted: Sequence[Record], labels: LabelSet) -> Scores:
    """Score predictions, one for each gold record in the same order; RecordError where the ids differ."""
    if [record.id for record in gold] != [record.id for record in predicted]:
        raise RecordError("gold and predictions have other ids or another order; eval.score.files.read_predictions puts them in gold's")
    errors = tuple(record.id for record in predicted if record.extra.get("error") is not None)
    pairs = [(a, Record(b.id, b.text) if b.id in errors else b) for a, b in zip(gold, predicted, strict=True)]
    documents = tuple(str(record.extra.get("document", record.id)) for record in gold)
    return Scores(labels, documents, tuple(tally(a, b, labels) for a, b in pairs), average_precision(pairs, labels), errors)


def headline(total: Tally, labels: LabelSet) -> dict[str, float | None]:
    """The figures of a tally; None where there is nothing to score."""

    def read(name: str) -> Counts:
        return total.get(name, Counts())

    types = [read(f"types/{name}") for name in labels.incident_types]
    figures = {
        "types micro-F1": sum(types, Counts()).f1,
        "types macro-F1": mean(counts.f1 for counts in types),
        "incidents F1": read("incidents").f1,
        "actors F1": read("actors/any").f1,
    }
    figures |= {f"{role} F1": read(f"participants/{role}/any").f1 for role in labels.roles}
    figures |= {f"{name} accuracy": read(name).recall for name in ("sectors", "statuses")}
    figures |= {"incident-free kept": read("incident-free kept").recall, "incident count error": read("incident count error").recall}
    return figures | merging_figures(total) | _strict(total, labels)


def _strict(total: Tally, labels: LabelSet) -> dict[str, float | None]:
    """The figures that look at the one labelled span alone."""

    def read(name: str) -> Counts:
        return total.get(name, Counts())

    figures = {
        "incidents F1 (one trigger)": read("one trigger/incidents").f1,
        "trigger identification F1": read("triggers/identified").f1,
        "trigger classification F1": read("triggers/classified").f1,
        "actors F1 (one mention)": read("actors/half").f1,
        "actors exact F1": read("actors/exact").f1,
    }
    for role in labels.roles:
        figures[f"{role} F1 (one mention)"] = read(f"participants/{role}/half").f1
        figures[f"{role} exact F1"] = read(f"participants/{role}/exact").f1
    figures["argument identification F1"] = read("arguments/identified").f1
    figures["argument classification F1"] = read("arguments/classified").f1
    figures["sectors accuracy (one mention)"] = read("one mention/sectors").recall
    figures["statuses accuracy (one trigger)"] = read("one trigger/statuses").recall
    return figures


def tally(gold: Record, predicted: Record, labels: LabelSet) -> dict[str, Counts]:
    """All counts of one record."""
    asked, unmarked = asked_types(gold, labels), unmarked_types(gold)
    ours, theirs = judged(gold, predicted, labels)
    result = _types(gold, predicted, asked)
    if not ours and not unmarked:
        silent = not theirs and not passage_types(predicted) & asked
        result["incident-free kept"] = Counts(int(silent), 1)
    matched = match(ours, theirs, same_incident)
    for name in labels.incident_types:
        result[f"incidents/{name}"] = _counts([pair for pair in matched if pair[0].type == name], *_typed(name, ours, theirs))
    result["incidents"] = _counts(matched, ours, theirs)
    result["statuses"] = _agree(matched)
    result["incident count error"] = Counts(abs(len(ours) - len(theirs)), 1)
    strict = match(ours, theirs, same_trigger)
    result["one trigger/incidents"], result["one trigger/statuses"] = _counts(strict, ours, theirs), _agree(strict)
    if all(incident.mentions is not None for incident in ours):
        result |= compare_clusters(clusters(ours), clusters(theirs))
    result["triggers/identified"] = _same_items(*([_bounds(i.trigger) for i in side] for side in (ours, theirs)))
    result["triggers/classified"] = _same_items(*([(i.type, *_bounds(i.trigger)) for i in side] for side in (ours, theirs)))
    return result | _participants(ours, theirs, labels)


def average_precision(pairs: Sequence[tuple[Record, Record]], labels: LabelSet) -> dict[str, float | None]:
    """Average precision of each type over the passages that were asked of it, where predictions give `types` and gold has both answers.

    A passage whose prediction gives a type no probability has it at 0.
    """
    from sklearn.metrics import average_precision_score  # takes a second to import

    result: dict[str, float | None] = {}
    for name in labels.incident_types:
        rows = [
            (name in passage_types(gold), float(predicted.extra.get("types", {}).get(name, 0)))
            for gold, predicted in pairs
            if gold.annotated is None or name in gold.annotated
        ]
        given = any("types" in predicted.extra for _, predicted in pairs)
        truth = [present for present, _ in rows]
        result[name] = float(average_precision_score(truth, [p for _, p in rows])) if given and 0 < sum(truth) < len(truth) else None
    return result


def _types(gold: Record, predicted: Record, asked: set[str]) -> dict[str, Counts]:
    ours, theirs = passage_types(gold), passage_types(predicted)
    return {f"types/{name}": Counts(int(name in ours & theirs), int(name in ours), int(name in theirs)) for name in sorted(asked)}


def _participants(ours: Sequence[Incident], theirs: Sequence[Incident], labels: LabelSet) -> dict[str, Counts]:
    gold, predicted = items(ours), items(theirs)
    result = {name: Counts() for name in ("sectors", "one mention/sectors", "actors/any", "actors/half", "actors/exact")}
    for role in labels.roles:
        a, b = ([item for item in side if item.participant.role == role] for side in (gold, predicted))
        matched, strict = match(a, b, same_participant), match(a, b, same_span)
        exact = _same_items([_key(item) for item in a], [_key(item) for item in b])
        for name, counts in (("any", _counts(matched, a, b)), ("half", _counts(strict, a, b)), ("exact", exact)):
            result[f"participants/{role}/{name}"] = counts
            if role in labels.actors:
                result[f"actors/{name}"] += counts
        if labels.roles[role].sector:
            result["sectors"] += _same_sectors(matched)
            result["one mention/sectors"] += _same_sectors(strict)
    result["arguments/identified"] = _same_items(*([_key(item)[:3] for item in side] for side in (gold, predicted)))
    result["arguments/classified"] = _same_items(*([_key(item) for item in side] for side in (gold, predicted)))
    return result


def _same_sectors(matched: Sequence[tuple[Item, Item]]) -> Counts:
    return Counts(sum(x.participant.sector == y.participant.sector for x, y in matched), len(matched))


def _agree(matched: Sequence[tuple[Incident, Incident]]) -> Counts:
    return Counts(sum(a.status == b.status for a, b in matched), len(matched))


def _key(item: Item) -> tuple[str, int, int, str]:
    return item.incident, item.participant.start, item.participant.end, item.participant.role


def _bounds(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _typed(name: str, *sides: Sequence[Incident]) -> list[list[Incident]]:
    return [[incident for incident in side if incident.type == name] for side in sides]


def _counts(matched: Sequence[Any], gold: Sequence[Any], predicted: Sequence[Any]) -> Counts:
    return Counts(len(matched), len(gold), len(predicted))


def _same_items(gold: Sequence[Any], predicted: Sequence[Any]) -> Counts:
    hits = sum((Counter(gold) & Counter(predicted)).values())
    return Counts(hits, len(gold), len(predicted))


def _plain(number: Number) -> int | float:
    return number if isinstance(number, int) else float(number)


def _type_row(total: Tally, name: str, precision: float | None) -> dict[str, Any]:
    incidents, passages = total.get(f"incidents/{name}", Counts()), total.get(f"types/{name}", Counts())
    row = {"gold": incidents.gold, "predicted": incidents.predicted, "hits": incidents.hits}
    ratios = {"precision": incidents.precision, "recall": incidents.recall, "f1": incidents.f1}
    return row | ratios | {"passage_f1": passages.f1, "average_precision": precision}


def table(scores: dict[str, Any]) -> list[str]:
    """The scores as lines of text: figures with intervals, then the types that occur."""
    lines = [f"{scores['records']} records of {scores['documents']} documents, {scores['label_set']}", ""]
    for name, figure in scores["figures"].items():
        low, high = figure["interval"] or (None, None)
        lines.append(f"{name:<34} {_number(figure['value'])}" + ("" if low is None else f"  [{_number(low)}, {_number(high)}]"))
    lines += ["", f"{'type':<22} {'gold':>5} {'pred':>5}   prec    rec     F1   type F1    AP"]
    for name, row in scores["types"].items():
        if row["gold"] or row["predicted"] or row["passage_f1"] is not None:
            numbers = "  ".join(_number(row[key]) for key in ("precision", "recall", "f1", "passage_f1", "average_precision"))
            lines.append(f"{name:<22} {row['gold']:>5} {row['predicted']:>5}  {numbers}")
    lines += ["", f"mean average precision of the types {_number(scores['mean_average_precision'])}"]
    if scores["errors"]:
        shown = ", ".join(map(str, scores["errors"][:10]))
        lines += ["", f"{len(scores['errors'])} predictions carry an error and count as empty: {shown}"]
    return lines


def _number(value: float | None) -> str:
    return "    –" if value is None else f"{value:.3f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Read, score, print, write."""
    judge(__doc__, argv, lambda files: score(files.gold, files.predicted, files.labels).to_dict(), table)
