"""Incidents by linear-chain conditional random fields (Lafferty et al. 2001) on word features, without a pretrained model.

One tags the words of triggers with their type; another, shown one trigger at a time, tags the words of its participants with their role.
The sector of an actor is the commonest one of its rarest known word, its status the commonest of all. Passages whose incidents have no
spans (`answers`) teach nothing. Needs python-crfsuite (`pip install python-crfsuite`).
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.score.match import answered
from waqia.arabic import DIACRITICS, STOPS, fold
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Record, Span

WORD = re.compile(rf"(?:\w|[{DIACRITICS}])+|[^\w\s]")
ROUNDS = 60  # of L-BFGS

Words = list[Span]


def predict(train: Sequence[Record], gold: Sequence[Record], labels: LabelSet) -> list[dict[str, Any]]:
    """A prediction row for every gold record, from the training records alone."""
    marked = [record for record in train if answered(record) <= {incident.type for incident in record.incidents}]
    incidents = [(record, incident) for record in marked for incident in record.incidents]
    if not incidents:
        raise ConfigError("the training files have no incident with spans; give more or other --train files")
    read_triggers = learn((plain(ws := words(r.text)), tags(ws, ((i.trigger, i.type) for i in r.incidents))) for r in marked)
    read_roles = learn((seen_from(ws := words(r.text), i), tags(ws, ((p, p.role) for p in i.participants))) for r, i in incidents)
    status = Counter(incident.status for _, incident in incidents).most_common(1)[0][0]
    sectors = Sectors(incidents, labels)
    rows = []
    for record in gold:
        ws, found = words(record.text), []
        for trigger, kind in spans(ws, read_triggers.tag(plain(ws)), record.text):
            bare = Incident(kind, status, trigger)
            roles = spans(ws, read_roles.tag(seen_from(ws, bare)), record.text)
            actors = tuple(Participant(s.start, s.end, s.text, role, sectors.of(role, s)) for s, role in roles)
            found.append(Incident(kind, status, trigger, actors).to_dict())
        rows.append({"id": record.id, "incidents": found})
    return rows


def learn(examples: Iterable[tuple[list[list[str]], list[str]]]) -> Any:
    """A tagger from (features, tags) of passages."""
    try:
        import pycrfsuite  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise ConfigError("the CRF baseline needs python-crfsuite: pip install python-crfsuite, or leave out crf with --systems") from error
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": 0.05, "c2": 0.01, "max_iterations": ROUNDS, "feature.minfreq": 2})
    for features, wanted in examples:
        trainer.append(features, wanted)
    tagger = pycrfsuite.Tagger()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        trainer.train(path)
        tagger.open(path)  # reads the whole file; open_inmemory keeps a pointer to bytes that Python may free
    return tagger


def words(text: str) -> Words:
    """Words with their diacritics, and single marks of punctuation."""
    return [Span(m.start(), m.end(), m.group()) for m in WORD.finditer(text)]


def plain(ws: Words) -> list[list[str]]:
    """Features of each word: itself, its beginnings and ends, and the two words either side."""
    folded = ["<", "<", *(fold(w.text) for w in ws), ">", ">"]
    return [_features(folded[n : n + 5]) for n in range(len(ws))]


def _features(five: Sequence[str]) -> list[str]:
    before2, before, word, after, after2 = five
    cuts = [f"{side}:{part}" for n in (2, 3, 4) for side, part in (("^", word[:n]), ("$", word[-n:]))]
    around = [f"-2:{before2}", f"-1:{before}", f"+1:{after}", f"+2:{after2}", f"-1^:{before[:3]}", f"+1^:{after[:3]}"]
    return ["bias", f"w:{word}", f"-1w:{before} {word}", f"w+1:{word} {after}", f"digit:{word.isdigit()}", *cuts, *around]


def seen_from(ws: Words, incident: Incident) -> list[list[str]]:
    """Plain features with where each word stands to the trigger, and the type of the incident."""
    inside = [n for n, w in enumerate(ws) if _shares(w, incident.trigger)] or [0]
    rows = []
    for n, features in enumerate(plain(ws)):
        far = n - inside[0] if n < inside[0] else max(0, n - inside[-1])
        step = max(-8, min(8, far if abs(far) < 5 else (5 + abs(far) // 8) * (1 if far > 0 else -1)))
        stops = min(3, sum(w.text in STOPS for w in ws[min(n, inside[0]) : max(n, inside[-1])]))
        rows.append([*features, f"far:{step}", f"far:{step}:{fold(ws[n].text)[:3]}", f"kind:{incident.type}:{step > 0}", f"stops:{stops}"])
    return rows


def tags(ws: Words, labelled: Iterable[tuple[Span, str]]) -> list[str]:
    """IOB2 tags of the words under labelled spans; where spans overlap the first one is kept."""
    result = ["O"] * len(ws)
    for span, name in labelled:
        under = [n for n, w in enumerate(ws) if _shares(w, span)]
        if all(result[n] == "O" for n in under):
            for n in under:
                result[n] = f"{'B' if n == under[0] else 'I'}-{name}"
    return result


def spans(ws: Words, tagged: Sequence[str], text: str) -> Iterator[tuple[Span, str]]:
    """Labelled spans of IOB2 tags; an I that continues nothing begins a span."""
    start: int | None = None
    for n, tag in enumerate(tagged):
        if start is None or tag != f"I-{tagged[start][2:]}":
            start = n if tag != "O" else None
        if start is not None and (n + 1 == len(tagged) or tagged[n + 1] != f"I-{tag[2:]}"):
            yield Span(ws[start].start, ws[n].end, text[ws[start].start : ws[n].end]), tag[2:]


class Sectors:
    """Which sector the words of an actor speak for, by how often they did in training."""

    def __init__(self, incidents: Iterable[tuple[Record, Incident]], labels: LabelSet) -> None:
        self.labels = labels
        self.all: Counter[str] = Counter()
        self.by_word: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for actor in (p for _, incident in incidents for p in incident.participants if p.sector is not None):
            self.all[str(actor.sector)] += 1
            for word in words(actor.text):
                self.by_word[fold(word.text)][str(actor.sector)] += 1

    def of(self, role: str, span: Span) -> str | None:
        """The sector of a span; None for roles that have none."""
        if not self.labels.roles[role].sector:
            return None
        known = [self.by_word[word] for word in map(fold, (w.text for w in words(span.text))) if word in self.by_word]
        rarest = min(known, key=lambda counts: counts.total(), default=self.all)
        return rarest.most_common(1)[0][0]


def _shares(word: Span, span: Span) -> bool:
    return word.start < span.end and span.start < word.end
