"""Does the model read the same where it should, and another thing where it should not.

python -m eval.perturb.robustness ARTEFACT GOLD [--out FILE.json]

Every passage is changed in one way at a time, its gold spans carried along, and read again:

- spellings that a reader would not notice: diacritics, tatweel, letters that writers mix, digits, quotes, missing punctuation, lines run
  together, censored words, typing and OCR errors, emoji, hashtags, invisible marks, presentation forms;
- other towns, factions and nationalities in the place of those named (eval.perturb.meaning): which swaps change the types found is told;
- verbs of actual incidents negated or put in the future: how many of those incidents are then read as unrealised.

Shown is the change of incidents F1 and actors F1 with its paired 95 % interval over documents, and whether the data can tell it from none.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.perturb import meaning
from eval.perturb.edits import Edit, apply
from eval.score.command import run
from eval.score.files import read_gold
from eval.score.intervals import paired
from eval.score.scoring import headline, score
from waqia.arabic import DIACRITICS, SPELLINGS, STOPS, TATWEEL
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.reader import Reader
from waqia.schema import Record

FIGURES = ("incidents F1", "actors F1")

Perturbation = Callable[[str, random.Random], Iterator[Edit]]
Paraphrase = Callable[[Record, LabelSet], Record | None]

_LETTER = re.compile(r"[\u0621-\u063a\u0641-\u064a]")
_WORD = re.compile(r"[\u0621-\u063a\u0641-\u064a]{4,}")
_JOINING = "بتثجحخسشصضطظعغفقكلمنهيئ"
_SAME_SHAPE = ("بتثن", "جحخ", "دذ", "رز", "سش", "صض", "طظ", "عغ", "فق")
_KEYBOARD = "ضصثقفغعهخحجدشسيبلاتنمكطئءؤرىةوزظ"


def diacritics(text: str, chance: random.Random) -> Iterator[Edit]:
    """A vowel sign behind every third letter."""
    for match in _LETTER.finditer(text):
        if chance.random() < 0.3:
            yield match.end(), match.end(), chance.choice("\u064e\u064f\u0650\u0652")


def no_diacritics(text: str, chance: random.Random) -> Iterator[Edit]:
    """Every vowel sign gone."""
    for match in re.finditer(f"[{DIACRITICS}]+", text):
        yield match.start(), match.end(), ""


def tatweel(text: str, chance: random.Random) -> Iterator[Edit]:
    """A letter drawn out in every third word."""
    for match in _WORD.finditer(text):
        place = next((n for n in range(match.start(), match.end() - 1) if text[n] in _JOINING), None)
        if place is not None and chance.random() < 0.3:
            yield place + 1, place + 1, 3 * TATWEEL


def letters(text: str, chance: random.Random) -> Iterator[Edit]:
    """Hamza off alef, ta marbuta as ha, alef maqsura as ya."""
    for place, letter in enumerate(text):
        if letter in SPELLINGS and not (letter == "ى" and text[place + 1 : place + 2].isalpha()):
            yield place, place + 1, SPELLINGS[letter]


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
            yield place + 1, place + 1, f"{TATWEEL}.{TATWEEL}"


def typing(text: str, chance: random.Random) -> Iterator[Edit]:
    """A neighbouring key for one letter in a hundred."""
    yield from _mistyped(text, chance, 0.01)


def typing_often(text: str, chance: random.Random) -> Iterator[Edit]:
    """A neighbouring key for one letter in twenty."""
    yield from _mistyped(text, chance, 0.05)


def _mistyped(text: str, chance: random.Random, rate: float) -> Iterator[Edit]:
    for match in _LETTER.finditer(text):
        key = _KEYBOARD.find(match[0])
        if key > 0 and chance.random() < rate:
            yield match.start(), match.end(), _KEYBOARD[key - 1]


def scanning(text: str, chance: random.Random) -> Iterator[Edit]:
    """A letter with other dots for one in thirty, as a scanned page is misread."""
    for match in _LETTER.finditer(text):
        others = next((letters.replace(match[0], "") for letters in _SAME_SHAPE if match[0] in letters), "")
        if others and chance.random() < 1 / 30:
            yield match.start(), match.end(), chance.choice(others)


def hashtags(text: str, chance: random.Random) -> Iterator[Edit]:
    """A hash sign before every tenth word."""
    for match in re.finditer(r"(?<=\s)(?=[^\W\d_])", text):
        if chance.random() < 0.1:
            yield match.start(), match.start(), "#"


def emoji(text: str, chance: random.Random) -> Iterator[Edit]:
    """A red dot before the text and before every new sentence."""
    yield 0, 0, "🔴 "
    for match in re.finditer(rf"(?<=[{STOPS}])\s+", text):
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
    diacritics, no_diacritics, tatweel, letters, digits, quotes, no_commas, run_on, censored, typing, typing_often, scanning, emoji,
    hashtags, marks, presentation,
)  # fmt: skip


def perturb(record: Record, change: Perturbation, seed: int = 0) -> Record:
    """The record after a change, its spans carried along; the same seed and record give the same change."""
    return apply(record, sorted(change(record.text, chance(record, seed))))


def chance(record: Record, seed: int = 0) -> random.Random:
    """The record's own source of chance."""
    return random.Random(f"{seed}/{record.id}")


def judge(gold: Sequence[Record], reader: Reader, labels: LabelSet) -> dict[str, Any]:
    """Figures on the passages as they are, how each change of spelling and swap of names moves them, and statuses after paraphrases."""
    said = read(gold, reader)
    plain, changes = score(gold, said, labels), {}
    spellings = {change.__name__: (change, (change.__doc__ or "").strip()) for change in PERTURBATIONS}
    names = {f"other {kind}": (meaning.swap(kind), f"Other {kind} in the place of those named.") for kind in meaning.words()["swaps"]}
    for name, (change, what) in (spellings | names).items():
        changed = [perturb(record, change) for record in gold]
        after = read(changed, reader, gold, said)
        effects = paired(plain.tallies, score(changed, after, labels).tallies, plain.documents, lambda t: headline(t, labels), rounds=400)
        figures = {
            figure: {"effect": effects[figure].effect, "interval": list(effects[figure].interval), "decided": effects[figure].decided}
            for figure in FIGURES
            if figure in effects
        }
        touched = sum(a.text != b.text for a, b in zip(gold, changed, strict=True))
        changes[name] = {"what": what, "passages_touched": touched, **figures}
        if name in names:
            swapped = [meaning.swaps(record.text, change, chance(record)) for record in gold]
            changes[name]["types"] = meaning.moved(swapped, said, after)
    return {
        "records": len(gold),
        "plain": {name: plain.figures()[name] for name in FIGURES},
        "changes": changes,
        "statuses": {change.__name__: paraphrase(gold, said, change, reader, labels) for change in paraphrases(labels)},
        "left_out": None if paraphrases(labels) else f"negation and future: label set {labels.name} has no unrealised_status",
    }


def paraphrases(labels: LabelSet) -> tuple[Paraphrase, ...]:
    """The paraphrases that can be judged: none where the label set has no status for what did not happen."""
    return (meaning.negated, meaning.future) if labels.unrealised_status is not None else ()


def paraphrase(gold: Sequence[Record], said: Sequence[Record], change: Paraphrase, reader: Reader, labels: LabelSet) -> dict[str, Any]:
    """What becomes of statuses where a paraphrase applies."""
    rows = [(record, first, changed) for record, first in zip(gold, said, strict=True) if (changed := change(record, labels)) is not None]
    plain, before, other = ([row[n] for row in rows] for n in range(3))
    counts = meaning.status_counts(plain, before, other, read(other, reader), labels)
    return {"what": (change.__doc__ or "").split(";")[0] + ".", **counts}


def read(records: Sequence[Record], reader: Reader, known: Sequence[Record] = (), said: Sequence[Record] = ()) -> list[Record]:
    """What the reader makes of records, as predictions; an unreadable text is empty. Those of `known` are not read again but in `said`."""
    have = {record.text: reading.incidents for record, reading in zip(known, said, strict=True)}
    texts = [record.text for record in records if record.text not in have]
    have |= {text: reading.incidents for text, reading in zip(texts, reader.read_many(texts), strict=True)}
    return [Record(record.id, record.text, have[record.text]) for record in records]


def table(result: dict[str, Any]) -> list[str]:
    """The result as lines of text."""
    plain = ", ".join(f"{name} {value:.3f}" for name, value in result["plain"].items() if value is not None)
    head = "  ".join(f"{name:<30}" for name in FIGURES)
    lines = [f"{result['records']} records as they are: {plain}", "", f"{'change':<20} {'touched':>7}  {head}"]
    for name, row in result["changes"].items():
        cells = [_cell(row[figure]) if figure in row else "–" for figure in FIGURES]
        lines.append(f"{name:<20} {row['passages_touched']:>7}  " + "  ".join(f"{cell:<30}" for cell in cells))
    lines += ["", "* the data can tell it from no change", ""]
    for name, row in result["changes"].items():
        if moved := row.get("types"):
            lines.append(f"{name}: incident types changed in {moved['moved']} of the {moved['touched']} passages touched")
            lines += [f"  {pair['from']} → {pair['to']}: {pair['moved']} of {pair['passages']}" for pair in moved["pairs"][:5]]
    lines += [f"left out: {result['left_out']}"] if result["left_out"] else []
    for name, row in result["statuses"].items():
        share = "–" if row["unrealised"] is None else f"{row['unrealised']:.3f}"
        between = "" if row["interval"] is None else f" [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]"
        found = f"{row['found_before']} found before, {row['found']} after"
        recall = f" (recall {_cell(row['recall'])})" if row["recall"] else ""
        lines.append(f"{name}: of {row['incidents']} incidents {found}{recall}, read as unrealised {share}{between}")
    return lines


def _cell(effect: dict[str, Any]) -> str:
    low, high = effect["interval"]
    return f"{effect['effect']:+.3f} [{low:+.3f}, {high:+.3f}]" + ("*" if effect["decided"] else "")


def main(argv: Sequence[str] | None = None) -> None:
    """Read, perturb, judge, print."""
    parser = Parser(description=__doc__)
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
