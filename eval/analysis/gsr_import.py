"""The public gold standard for ASSAULT and PROTEST in Arabic news (openeventdata/arabic_event_gsr) as records.

Three or more coders answered yes or no a sentence; where most said yes, coders marked source, verb and target as lists of words that need
not be contiguous, with CAMEO roles. A word counts where most of the coders of a sentence marked it; the longest contiguous run of such
words is the span. Verb, source and target become trigger, initiator and target. The two classes were coded on different sentences, so
each record says in `annotated` which was asked, and in `answers` what was answered: a yes without an agreed verb has no incident.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waqia.errors import ConfigError, RecordError
from waqia.labels import LabelSet
from waqia.schema import Id, Incident, Participant, Record, Span

CLASSES = ("ASSAULT", "PROTEST")


def import_gsr(folder: Path, labels: LabelSet) -> tuple[dict[str, list[Record]], list[str]]:
    """Records by split, and lines that say what there was, what was left out and why.

    RecordError where a file is missing, ConfigError where the label set cannot express the gold standard.
    """
    _prove(labels)
    counts: Counter[str] = Counter()
    records: dict[str, Record] = {}
    for name in CLASSES:
        marked = _marks(folder / f"{name.lower()}_spans.json")
        for row in _answers(folder / f"{name.lower()}_gsr.csv", counts, name):
            record = _record(row, name, marked.get(row["text"], []), labels, counts)
            key = record.text
            records[key] = _merge(records[key], record) if key in records else record
    splits: dict[str, list[Record]] = {"train": [], "dev": [], "test": []}
    for record in _unique_ids(list(records.values())):
        splits[split_of(str(record.extra["document"]))].append(record)
    return splits, [f"{count} {what}" for what, count in sorted(counts.items())]


def _prove(labels: LabelSet) -> None:
    missing = [name for name in CLASSES if name not in labels.incident_types]
    if missing or labels.unknown_sector is None:
        raise ConfigError(
            f"label set {labels.name} lacks {', '.join(missing) or 'an unknown_sector, for actors whom the coders gave no role'};"
            " give one such as configs/labels/plover-gsr.yaml"
        )
    doer_and_target(labels)


def doer_and_target(labels: LabelSet) -> tuple[str, str]:
    """The roles of the coders' source and target; ConfigError where the label set does not name two actors."""
    if len(labels.actors) != 2:
        raise ConfigError(f"label set {labels.name} has the actors {list(labels.actors)}, expected two, the doer first")
    return labels.actors[0], labels.actors[1]


def document_of(row_id: str) -> str:
    """The document of a row: its id up to the last -n or _n."""
    return re.sub(r"[-_]\d+$", "", row_id)


def split_of(document: str) -> str:
    """train, dev or test by the hash of the document's id: 0-6, 7, 8-9."""
    bucket = int(hashlib.sha256(document.encode()).hexdigest()[:8], 16) % 10
    return "test" if bucket >= 8 else "dev" if bucket == 7 else "train"


def _answers(path: Path, counts: Counter[str], name: str) -> list[dict[str, str]]:
    """One row a text; where a text stands twice, the row with more votes, then the clearer majority."""
    if not path.is_file():
        raise RecordError(f"{path}: no such file; expected the raw gold standard ({name.lower()}_gsr.csv and {name.lower()}_spans.json)")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    best: dict[str, dict[str, str]] = {}
    for row in rows:
        kept = best.get(row["text"])
        if kept is not None:
            counts[f"{name} texts stood twice" + (", with different labels" if kept["label"] != row["label"] else "")] += 1
        if kept is None or _votes(row) > _votes(kept):
            best[row["text"]] = row
    for row in best.values():
        counts[f"{name} sentences labelled {row['label']}"] += 1
    return list(best.values())


def _votes(row: Mapping[str, str]) -> tuple[int, int]:
    accept, reject = int(row["accept"]), int(row["reject"])
    return accept + reject, abs(accept - reject)


def _marks(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The coders' marks by text; a sentence that was coded in two rounds has those of both."""
    if not path.is_file():
        raise RecordError(f"{path}: no such file; expected the raw gold standard beside its .csv")
    marks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in json.loads(path.read_text("utf-8")):
        marks[row["text"]] += row["spans"]
    return marks


def _record(row: Mapping[str, str], name: str, marks: Sequence[dict[str, Any]], labels: LabelSet, counts: Counter[str]) -> Record:
    text, yes = row["text"], row["label"] == "yes"
    incidents = []
    if yes:
        trigger = _agreed(text, [mark["verb"] for mark in marks], f"{name} verb", counts)
        if trigger is not None:
            incidents = [Incident(name, labels.default_status, trigger, _participants(text, name, marks, labels, counts))]
    extra = {
        "document": document_of(row["id"]),
        "answers": {name: "yes" if yes else "no"},
        "difficulty": {name: row["label"]},
        "votes": {name: [int(row["accept"]), int(row["reject"])]},
    }
    return Record(row["id"], text, tuple(incidents), (name,), extra)


def _participants(text: str, name: str, marks: Sequence[dict[str, Any]], labels: LabelSet, counts: Counter[str]) -> tuple[Participant, ...]:
    found = []
    for role, field in zip(doer_and_target(labels), ("source", "target"), strict=True):
        span = _agreed(text, [mark[f"{field}_actor"] for mark in marks], f"{name} {field}", counts)
        if span is not None:
            codes = Counter(_code(mark[f"{field}_role"], labels, counts) for mark in marks if mark[f"{field}_actor"])
            found.append(Participant(span.start, span.end, span.text, role, codes.most_common(1)[0][0]))
    return tuple(found)


def _code(role: Any, labels: LabelSet, counts: Counter[str]) -> str | None:
    """A coder's CAMEO role, the unknown sector where there is none; the data writes "None" and "UNKNOWN" as text."""
    code = role.get("role", "None") if isinstance(role, dict) else role
    if code in {"None", "UNKNOWN", ""}:
        return labels.unknown_sector
    if code not in labels.sectors:
        counts[f"role codes unknown to the label set: {code}"] += 1
        return labels.unknown_sector
    return str(code)


def _agreed(text: str, marked: Sequence[Sequence[str]], what: str, counts: Counter[str]) -> Span | None:
    """The longest run of words that at least half of the coders marked, or None."""
    coders = [words for words in marked if words]
    if not coders or 2 * len(coders) < len(marked):
        counts[f"{what}: marked by fewer than half of the coders"] += 1
        return None
    words = [(match.start(), match.end()) for match in re.finditer(r"\w+", text)]
    votes: Counter[int] = Counter()
    for said in coders:
        places = _align(text, words, said)
        if len(places) < len(said):
            counts[f"{what}: marked words that do not stand in the text"] += len(said) - len(places)
        votes.update(set(places))
    agreed = [place for place in range(len(words)) if 2 * votes[place] >= len(coders) and votes[place] > (len(coders) > 1)]
    if not agreed:
        counts[f"{what}: no word that the coders agree on"] += 1
        return None
    first, stop = _longest_run(agreed)
    start, end = words[first][0], words[stop - 1][1]
    counts[f"{what}: aligned"] += 1
    return Span(start, end, text[start:end])


def _align(text: str, words: Sequence[tuple[int, int]], said: Sequence[str]) -> list[int]:
    """Places of a coder's words in the text's words, in order where the order allows; words that do not stand there are left out."""
    places: list[int] = []
    for word in said:
        bare = re.sub(r"^\W+|\W+$", "", word)
        same = [place for place, (start, end) in enumerate(words) if text[start:end] == bare]
        after = [place for place in same if not places or place > places[-1]]
        if same:
            places.append((after or same)[0])
    return places


def _longest_run(places: Sequence[int]) -> tuple[int, int]:
    """The longest run of places that follow one another, the first of equals, half-open."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1]:
            runs[-1][1] = place + 1
        else:
            runs.append([place, place + 1])
    start, stop = max(runs, key=lambda run: run[1] - run[0])
    return start, stop


def _merge(a: Record, b: Record) -> Record:
    """One record for a sentence that both classes were asked of."""
    extra = {**a.extra, **{key: {**a.extra[key], **b.extra[key]} for key in ("answers", "difficulty", "votes")}}
    return Record(a.id, a.text, a.incidents + b.incidents, (*(a.annotated or ()), *(b.annotated or ())), extra)


def _unique_ids(records: list[Record]) -> list[Record]:
    """Ids made unique: the second row of an id gets #2 behind it."""
    seen: Counter[Id] = Counter()
    result = []
    for record in records:
        seen[record.id] += 1
        new = record.id if seen[record.id] == 1 else f"{record.id}#{seen[record.id]}"
        result.append(Record(new, record.text, record.incidents, record.annotated, record.extra))
    return result
