"""Does the model read the same under spellings that a reader would not notice: python -m eval.robustness ARTEFACT GOLD [--out FILE.json]

Every passage is changed in one way at a time, its gold spans carried along, and read again: diacritics, tatweel, letters that writers mix,
digits, quotes, missing punctuation, lines run together, censored words, typing errors, emoji, invisible marks, presentation forms. Shown is
the change of incidents F1 and actors F1 with its paired 95 % interval over documents, and whether the data can tell it from none.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.command import run
from eval.files import read_gold
from eval.intervals import paired
from eval.score import Scores, headline, score
from waqia.labels import LabelSet
from waqia.reader import Reader
from waqia.schema import Record, Span

FIGURES = ("incidents F1", "actors F1")

Edit = tuple[int, int, str]  # text[start:end] becomes the third
Perturbation = Callable[[str, random.Random], Iterator[Edit]]

_LETTER = re.compile(r"[\u0621-\u063a\u0641-\u064a]")
_WORD = re.compile(r"[\u0621-\u063a\u0641-\u064a]{4,}")
_JOINING = "بتثجحخسشصضطظعغفقكلمنهيئ"
_VARIANTS = {"أ": "ا", "إ": "ا", "آ": "ا", "ة": "ه", "ى": "ي"}
_KEYBOARD = "ضصثقفغعهخحجدشسيبلاتنمكطئءؤرىةوزظ"


def diacritics(text: str, chance: random.Random) -> Iterator[Edit]:
    """A vowel sign behind every third letter."""
    for match in _LETTER.finditer(text):
        if chance.random() < 0.3:
            yield match.end(), match.end(), chance.choice("\u064e\u064f\u0650\u0652")


def no_diacritics(text: str, chance: random.Random) -> Iterator[Edit]:
    """Every vowel sign gone."""
    for match in re.finditer("[\u064b-\u0652]+", text):
        yield match.start(), match.end(), ""


def tatweel(text: str, chance: random.Random) -> Iterator[Edit]:
    """A letter drawn out in every third word."""
    for match in _WORD.finditer(text):
        place = next((n for n in range(match.start(), match.end() - 1) if text[n] in _JOINING), None)
        if place is not None and chance.random() < 0.3:
            yield place + 1, place + 1, "ـــ"


def letters(text: str, chance: random.Random) -> Iterator[Edit]:
    """Hamza off alef, ta marbuta as ha, alef maqsura as ya."""
    for place, letter in enumerate(text):
        if letter in _VARIANTS and not (letter == "ى" and text[place + 1 : place + 2].isalpha()):
            yield place, place + 1, _VARIANTS[letter]


def digits(text: str, chance: random.Random) -> Iterator[Edit]:
    """Arabic-Indic digits for the others."""
    for match in re.finditer("[0-9]", text):
        yield match.start(), match.end(), chr(0x660 + int(match[0]))


def quotes(text: str, chance: random.Random) -> Iterator[Edit]:
    """Guillemets for every quotation mark."""
    for number, match in enumerate(re.finditer('["“”«»]', text)):
        yield match.start(), match.end(), "«»"[number % 2]


def no_commas(text: str, chance: random.Random) -> Iterator[Edit]:
    """Commas and semicolons gone."""
    for match in re.finditer("[،؛,;]", text):
        yield match.start(), match.end(), ""


def run_on(text: str, chance: random.Random) -> Iterator[Edit]:
    """Line breaks and stops at the ends of sentences gone."""
    for match in re.finditer(r"\.(?=\s|$)|\n+", text):
        yield match.start(), match.end(), " "


def censored(text: str, chance: random.Random) -> Iterator[Edit]:
    """A drawn-out letter and a dot inside every fifth long word, as posts do to pass filters."""
    for match in _WORD.finditer(text):
        place = next((n for n in range(match.start() + 1, match.end() - 1) if text[n] in _JOINING), None)
        if place is not None and chance.random() < 0.2:
            yield place + 1, place + 1, "ـ.ـ"


def typing(text: str, chance: random.Random) -> Iterator[Edit]:
    """A neighbouring key for one letter in fifty."""
    for match in _LETTER.finditer(text):
        key = _KEYBOARD.find(match[0])
        if key > 0 and chance.random() < 0.02:
            yield match.start(), match.end(), _KEYBOARD[key - 1]


def emoji(text: str, chance: random.Random) -> Iterator[Edit]:
    """A red dot before the text and before every new sentence."""
    yield 0, 0, "🔴 "
    for match in re.finditer(r"(?<=[.!؟])\s+", text):
        yield match.end(), match.end(), "🔴 "


def marks(text: str, chance: random.Random) -> Iterator[Edit]:
    """Invisible marks of direction before every fifth word."""
    for match in re.finditer(r"(?<=\s)(?=\w)", text):
        if chance.random() < 0.2:
            yield match.start(), match.start(), "\u200f"


def presentation(text: str, chance: random.Random) -> Iterator[Edit]:
    """Letters as the isolated presentation forms that PDF files hold."""
    for match in _LETTER.finditer(text):
        if match[0] in _ISOLATED:
            yield match.start(), match.end(), _ISOLATED[match[0]]


def _isolated() -> Iterator[tuple[str, str]]:
    for code in range(0xFE80, 0xFEF5):
        form = unicodedata.decomposition(chr(code)).split()
        if form[:1] == ["<isolated>"] and len(form) == 2:
            yield chr(int(form[1], 16)), chr(code)


_ISOLATED = dict(_isolated())

PERTURBATIONS: tuple[Perturbation, ...] = (
    diacritics, no_diacritics, tatweel, letters, digits, quotes, no_commas, run_on, censored, typing, emoji, marks, presentation,
)  # fmt: skip


def perturb(record: Record, change: Perturbation, seed: int = 0) -> Record:
    """The record after a change, its spans carried along; the same seed and record give the same change."""
    edits = sorted(change(record.text, random.Random(f"{seed}/{record.id}")))
    pieces, place = [], 0
    for start, end, new in edits:
        pieces += [record.text[place:start], new]
        place = end
    text = "".join([*pieces, record.text[place:]])

    def moved(span: Span) -> dict[str, Any]:
        start, end = _moved(edits, span.start), _moved(edits, span.end)
        return {"start": start, "end": end, "text": text[start:end]}

    incidents = tuple(
        replace(
            incident,
            trigger=replace(incident.trigger, **moved(incident.trigger)),
            participants=tuple(replace(p, **moved(p)) for p in incident.participants),
        )
        for incident in record.incidents
    )
    return replace(record, text=text, incidents=incidents)


def _moved(edits: Sequence[Edit], place: int) -> int:
    """Where a span's bound lies after the edits; signs put behind its last letter stay inside, marks put before its first outside."""
    return place + sum(len(new) - (end - start) for start, end, new in edits if end <= place)


def judge(gold: Sequence[Record], reader: Reader, labels: LabelSet) -> dict[str, Any]:
    """Figures on the passages as they are, and how each change moves them."""
    plain = read(gold, reader, labels)
    changes = {}
    for change in PERTURBATIONS:
        changed = [perturb(record, change) for record in gold]
        touched = sum(a.text != b.text for a, b in zip(gold, changed, strict=True))
        effects = paired(plain.tallies, read(changed, reader, labels).tallies, plain.documents, lambda t: headline(t, labels), rounds=400)
        figures = {
            name: {"effect": effects[name].effect, "interval": list(effects[name].interval), "decided": effects[name].decided}
            for name in FIGURES
            if name in effects
        }
        changes[change.__name__] = {"what": (change.__doc__ or "").strip(), "passages_touched": touched, **figures}
    return {"records": len(gold), "plain": {name: plain.figures()[name] for name in FIGURES}, "changes": changes}


def read(records: Sequence[Record], reader: Reader, labels: LabelSet) -> Scores:
    """Score what the reader makes of records; a reading with an error counts as empty."""
    readings = reader.read_many(record.text for record in records)
    return score(records, [Record(r.id, r.text, reading.incidents) for r, reading in zip(records, readings, strict=True)], labels)


def table(result: dict[str, Any]) -> list[str]:
    """The result as lines of text."""
    plain = ", ".join(f"{name} {value:.3f}" for name, value in result["plain"].items() if value is not None)
    head = "  ".join(f"{name:<30}" for name in FIGURES)
    lines = [f"{result['records']} records as they are: {plain}", "", f"{'change':<14} {'touched':>7}  {head}"]
    for name, row in result["changes"].items():
        cells = [_cell(row[figure]) if figure in row else "–" for figure in FIGURES]
        lines.append(f"{name:<14} {row['passages_touched']:>7}  " + "  ".join(f"{cell:<30}" for cell in cells))
    return [*lines, "", "* the data can tell it from no change"]


def _cell(effect: dict[str, Any]) -> str:
    low, high = effect["interval"]
    return f"{effect['effect']:+.3f} [{low:+.3f}, {high:+.3f}]" + ("*" if effect["decided"] else "")


def main(argv: Sequence[str] | None = None) -> None:
    """Read, perturb, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artefact", type=Path, metavar="ARTEFACT")
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("--threads", type=int, help="threads of ONNX Runtime (default: its own choice)")
    parser.add_argument("--out", type=Path, help="also write the result as JSON here")
    args = parser.parse_args(argv)
    reader = Reader.load(args.artefact, threads=args.threads)
    result = judge(read_gold(args.gold, reader.labels), reader, reader.labels)
    print("\n".join(table(result)))
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    run(main)
