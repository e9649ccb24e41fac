"""Changes of a passage's words, for eval.perturb.robustness: names that must not matter, and negation and future that must.

- swaps: another town, faction or nationality in the same place (eval/meaning.yaml). The incident types found must stay: whose name stands
  in a sentence says nothing of what happened. Counted by pair of names, so that the swap that moves the reading is named.
- paraphrases: verbs that gold has as triggers of actual incidents, negated («لم تقصف» for «قصفت») or put in the future («ستقصف»); by the
  guidelines their incidents are then unrealised, so the label set must have such a status. Words that may be nouns, and verbs that
  particles such as «قد» bind, are left alone.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from eval.perturb.edits import Edit, apply
from eval.score.counts import Counts, Tally, add
from eval.score.intervals import bootstrap, paired
from eval.score.match import judged, match, same_incident
from waqia.arabic import DIACRITICS
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import Incident, Record, Span

CLITICS = "(?P<clitics>[وف]?[بلك]?)"
MARKS = f"[{DIACRITICS}]*"  # vowel signs may follow any letter of a verb

Change = Callable[[str, random.Random], Iterator[Edit]]


@cache
def words() -> dict[str, Any]:
    """The lists of eval/meaning.yaml."""
    data: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("meaning.yaml").read_text("utf-8"))
    return data


def swap(kind: str) -> Change:
    """The change that puts another name of the same list for every name of a kind, the same for every mention in a passage."""
    members = {name: names for names in words()["swaps"][kind] for name in names}
    longest_first = "|".join(sorted(map(re.escape, members), key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w){CLITICS}(?P<name>{longest_first})(?!\w)")

    def change(text: str, chance: random.Random) -> Iterator[Edit]:
        said = {found["name"] for found in pattern.finditer(text)}
        chosen = {name: chance.choice([other for other in members[name] if other not in said] or [name]) for name in sorted(said)}
        for found in pattern.finditer(text):
            if chosen[found["name"]] != found["name"]:
                yield found.start("name"), found.end(), chosen[found["name"]]

    return change


def swaps(text: str, change: Change, chance: random.Random) -> set[tuple[str, str]]:
    """Which names become which in a text under a change and its source of chance."""
    return {(text[start:end], new) for start, end, new in change(text, chance)}


def types_of(incidents: Sequence[Incident]) -> Counter[str]:
    """How often each type was found."""
    return Counter(incident.type for incident in incidents)


def moved(pairs: Sequence[set[tuple[str, str]]], before: Sequence[Record], after: Sequence[Record]) -> dict[str, Any]:
    """Of the passages touched, those whose incident types changed, and the pairs of names in them by how many they moved.

    pairs, before and after run in parallel: the swaps made in a passage, and what was read in it without and with them.
    """
    touched = [
        (swapped, types_of(a.incidents) != types_of(b.incidents)) for swapped, a, b in zip(pairs, before, after, strict=True) if swapped
    ]
    told, changed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for swapped, differs in touched:
        told.update(swapped)
        changed.update(swapped if differs else ())
    rows = [{"from": a, "to": b, "passages": told[a, b], "moved": count} for (a, b), count in changed.most_common()]
    return {"touched": len(touched), "moved": sum(differs for _, differs in touched), "pairs": rows}


def negated(record: Record, labels: LabelSet) -> Record | None:
    """The record with «لم» before every actual trigger that is a verb of the list; None where there is none."""
    return _paraphrased(record, "لم ", labels)


def future(record: Record, labels: LabelSet) -> Record | None:
    """The record with every actual trigger that is a verb of the list in the future; None where there is none."""
    return _paraphrased(record, "س", labels)


def unrealised_status(labels: LabelSet) -> str:
    """The status of what did not happen; ConfigError where the label set has none."""
    if labels.unrealised_status is None:
        raise ConfigError(f"label set {labels.name} has no unrealised_status: what a negated verb should be read as cannot be told")
    return labels.unrealised_status


def _paraphrased(record: Record, before: str, labels: LabelSet) -> Record | None:
    actual = [incident for incident in record.incidents if incident.status == labels.default_status]
    edits = [(_verb(record.text, incident, before), incident) for incident in actual]
    found: dict[Edit, set[int]] = {}
    for edit, incident in edits:
        if edit is not None:
            found.setdefault(edit, set()).add(id(incident))
    if not found:
        return None
    changed = apply(record, sorted(found))
    ids = set().union(*found.values())
    pairs, status = zip(record.incidents, changed.incidents, strict=True), unrealised_status(labels)
    return replace(changed, incidents=tuple(_unrealised(now, status) if id(then) in ids else now for then, now in pairs))


def _unrealised(incident: Incident, status: str) -> Incident:
    """The incident unrealised, its trigger the verb without the particle before it."""
    verb = incident.trigger.text.rpartition(" ")[2]
    trigger = Span(incident.trigger.end - len(verb), incident.trigger.end, verb)
    return replace(incident, status=status, trigger=trigger)


def _verb(text: str, incident: Incident, before: str) -> Edit | None:
    """The edit of a trigger that is one verb of the list, with or without «و» or «ف», in a place where its sentence can bear it."""
    word_before = re.search(r"(\w*)\W*$", text[: incident.trigger.start])
    if word_before and word_before[1] in words()["binding"]:
        return None
    for verb, form in words()["verbs"].items():
        letters = MARKS.join(map(re.escape, verb)) + MARKS
        if found := re.fullmatch(f"([وف]?{MARKS})({letters})", incident.trigger.text):
            passive = found[2][1] == "\u064f"  # «قُتل»: its «ُ» stays, «يُقتل»
            if verb in words()["also nouns"] and not passive:
                return None
            start = incident.trigger.start + found.start(2)
            return start, incident.trigger.end, before + (f"{form[0]}\u064f{form[1:]}" if passive else form)
    return None


def status_counts(
    gold: Sequence[Record], said: Sequence[Record], changed: Sequence[Record], after: Sequence[Record], labels: LabelSet
) -> dict[str, Any]:
    """Of the incidents whose verb was changed: how many were found before and after, and which share of the latter as unrealised.

    All run in parallel: gold and what the model said before the change and after it. The share has a 95 % interval, and so has `recall`,
    what the change does to the share of them that is found, paired over documents.
    """
    tallies: list[Tally] = []
    for plain, first, other, then in zip(gold, said, changed, after, strict=True):
        touched = {n for n, (a, b) in enumerate(zip(plain.incidents, other.incidents, strict=True)) if a.status != b.status}
        before, now = (
            [(a, b) for a, b in match(*judged(record, reading, labels), same_incident) if record.incidents.index(a) in touched]
            for record, reading in ((plain, first), (other, then))
        )
        right = sum(b.status == unrealised_status(labels) for _, b in now)
        tallies.append(
            {"before": Counts(len(before), len(touched)), "after": Counts(len(now), len(touched)), "right": Counts(right, len(now))}
        )
    total, documents = add(tallies), [str(record.extra.get("document", record.id)) for record in gold]
    interval = bootstrap(tallies, documents, lambda t: {"right": t["right"].recall}, resamples=500)["right"] if tallies else None
    found = {name: total.get(name, Counts()) for name in ("before", "after", "right")}
    first_found, then_found = ([{"found": tally[name]} for tally in tallies] for name in ("before", "after"))
    effect = paired(first_found, then_found, documents, lambda t: {"recall": t["found"].recall}, rounds=400)["recall"] if tallies else None
    return {
        "incidents": found["after"].gold,
        "found_before": found["before"].hits,
        "found": found["after"].hits,
        "unrealised": found["right"].recall,
        "interval": interval and list(interval),
        "recall": effect and {"effect": effect.effect, "interval": list(effect.interval), "decided": effect.decided},
    }
