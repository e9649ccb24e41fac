"""Incidents by the stems of keywords.yaml: one incident a type and passage, at its first stem in the text; no participants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from waqia.arabic import DIACRITICS, FOLDED, TATWEEL
from waqia.labels import LabelSet
from waqia.schema import Incident, Record, Span

MARKS = f"[{DIACRITICS}{TATWEEL}]*"
CLITICS = ["و", "ف", "ب", "ل", "ك", "ال", "لل"]
ALEF, YEH = (letter + FOLDED[letter] for letter in "اي")
VARIANTS = dict.fromkeys(ALEF, f"[{ALEF}]") | dict.fromkeys(YEH, f"[{YEH}]")
VARIANTS |= {"ة": "[ةهت]", " ": r"\s+"}  # «ة» is «ت» where something is attached


def predict(train: Sequence[Record], gold: Sequence[Record], labels: LabelSet) -> list[dict[str, Any]]:
    """A prediction row for every gold record; nothing is learnt from the training records."""
    stems = yaml.safe_load(Path(__file__).with_name("keywords.yaml").read_text("utf-8"))
    patterns = {name: pattern(stems[name]) for name in labels.incident_types if stems.get(name)}
    rows = []
    for record in gold:
        found = [Incident(name, labels.default_status, trigger) for name, trigger in spoken(record.text, patterns)]
        rows.append({"id": record.id, "incidents": [incident.to_dict() for incident in found]})
    return rows


def pattern(stems: Sequence[str]) -> re.Pattern[str]:
    """Matches whole words that begin with one of the stems, the longest first, after any clitics."""
    clitics = "|".join(map(_loose, CLITICS))
    body = "|".join(_loose(stem) for stem in sorted(stems, key=len, reverse=True))
    return re.compile(rf"(?<![\w{DIACRITICS}])(?:{clitics}){{0,3}}(?:{body})(?:\w|{MARKS[:-1]})*")


def spoken(text: str, patterns: dict[str, re.Pattern[str]]) -> Iterator[tuple[str, Span]]:
    """Types with the first stem that speaks for each; of stems that overlap the longer one speaks, of equals the earlier type's."""
    found = [(m.start(), m.end(), name) for name, p in patterns.items() for m in p.finditer(text)]
    kept: list[tuple[int, int, str]] = []
    for start, end, name in sorted(found, key=lambda item: item[0] - item[1]):
        if all(end <= other_start or start >= other_end for other_start, other_end, _ in kept):
            kept.append((start, end, name))
    first = {name: Span(start, end, text[start:end]) for start, end, name in sorted(kept, reverse=True)}
    yield from sorted(first.items(), key=lambda item: item[1].start)


def _loose(stem: str) -> str:
    return "".join(VARIANTS.get(letter, re.escape(letter)) + ("" if letter == " " else MARKS) for letter in stem)
