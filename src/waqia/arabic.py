"""Arabic letters and signs: the only tables of marks, of spellings that are read as one, and of sentence ends.

Normalising itself lives in `tokenizer.json`, which `train.tokenizer` builds from these tables; here stand only the bounds of words and
sentences in the raw text. A *mark* has no width of its own: it belongs to the word before it and normalising drops it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

# Number signs and the ends of verses are of category Cf, yet they have a width: symbols, words of their own (Prepended_Concatenation_Mark).
SIGNS = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
# Separators in the C0 controls: `str.isspace` says space, tokenizers does not; normalising writes a space.
SEPARATORS = "\x1c-\x1f"
# Marks that Unicode writes as a space and a mark: the isolated forms (U+FC5E-FC63 and those of U+FE70-FE7E) of old Arabic code pages.
ISOLATED = "\ufc5e-\ufc63\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e"
# Letters that draw nothing or only lengthen a line (tatweel, the tail of a seen), fillers that Unicode says to ignore, and the Arabic marks
# that came into it after version 14, which Python 3.11 knows.
_FILLERS = "\u0897\U00010efc-\U00010eff\u0640\ufe73\u115f\u1160\u3164\uffa0\u2065\ufff0-\ufff8"

LETTERS = "\u0621-\u064a"
FOLDED = {"ا": "أإآٱ", "ي": "ى", "ه": "ة"}  # spellings that writers mix
SAME = {
    **{str(digit): chr(0x660 + digit) + chr(0x6F0 + digit) for digit in range(10)},
    '"': "“”«»„‟",
    "'": "’‘‚‛`",
    "-": "–—―−",
    "ك": "ک",
    "ي": "ی",
}

SPELLINGS = {variant: letter for letter, variants in FOLDED.items() for variant in variants}  # the same, letter by letter

TATWEEL = "\u0640"
DIACRITICS = "\u064b-\u065f\u0670"  # the marks that stand on the letters of a word, as the inside of a character class

STOPS = ".!?؟…"
_STRONG = STOPS[1:]  # end a sentence even where no white space follows
_CLOSERS = "\"'»”’)\\]"
_BREAKS = "\r\n\u2028\u2029"
# Possessive repeats of single characters and nothing to look ahead for: no character is looked at more than twice.
_ENDS = re.compile(rf"(?P<stops>[{STOPS}]++)(?P<closers>[{_CLOSERS}]*+)(?P<space>\s*+)|[{_BREAKS}]\s*+")
_BREAK = re.compile(f"[{_BREAKS}]")
_STRONG_STOP = re.compile(f"[{_STRONG}]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def ranges(points: Iterable[int]) -> str:
    """Code points as the inside of a regular expression's character class: «a-cx»."""
    runs: list[list[int]] = []
    for point in sorted(points):
        if runs and point == runs[-1][1] + 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return "".join(chr(first) if first == last else f"{chr(first)}-{chr(last)}" for first, last in runs)


def _marks() -> str:
    """Every mark, from Unicode's properties.

    Nonspacing and enclosing marks (Mn, Me: diacritics, variation selectors), format characters (Cf: bidi marks, joiners, soft hyphens,
    tags) without the SIGNS, controls that are no white space, what Unicode says to ignore, and the Arabic presentation forms that are
    nothing but these («ﹷ»). None of them lies between U+20000 and U+DFFFF.
    """
    points = [*range(0x20000), *range(0xE0000, 0xE1000)]
    kinds = {"Mn", "Me", "Cf", "Cc"}
    found = {point for point, kind in zip(points, map(unicodedata.category, map(chr, points)), strict=True) if kind in kinds}
    found -= {point for point in found if chr(point).isspace()} | _points(SIGNS)
    found |= _points(_FILLERS) | set(range(0xE0000, 0xE1000))
    forms = [*range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00)]
    found |= {point for point in forms if all(ord(sign) in found for sign in unicodedata.normalize("NFKC", chr(point)).strip())}
    return ranges(found)


def _points(group: str) -> set[int]:
    """The code points of a character class as `ranges` writes it."""
    return {point for first, last in re.findall("(.)(?:-(.))?", group) for point in range(ord(first), ord(last or first) + 1)}


MARKS = _marks()
_ON_LETTERS, _FOLD = re.compile(f"[{DIACRITICS}{TATWEEL}]"), str.maketrans(SPELLINGS)
HALFWIDTH = "\uff9e\uff9f"  # marks of Katakana that have a width, but not once NFKC has made them marks as the others
_TRAILING = re.compile(f"[{MARKS}{HALFWIDTH}]*+")


def fold(word: str) -> str:
    """A word without diacritics and tatweel, its letters in the spelling that all others are read as."""
    return _ON_LETTERS.sub("", word).translate(_FOLD)


def encodable(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD, one for one, so that offsets stay those of the raw text."""
    return _SURROGATE.sub("\ufffd", text)


def word_end(text: str, end: int) -> int:
    """The end of a word, moved over the diacritics, tatweel and invisible marks that trail it."""
    match = _TRAILING.match(text, end)
    return match.end() if match else end


def word_start(text: str, start: int, floor: int) -> int:
    """The start of a word, moved back over what normalising folded into it (an address read as one token), not below `floor`."""
    if start == floor or text[start - 1].isspace():
        return start
    first = start - 1
    while first > floor and not text[first - 1].isspace():
        first -= 1
    return min(word_end(text, first), start)


def sentence_starts(text: str) -> list[int]:
    """Offsets at which a sentence begins, the first of them 0; line breaks and . ! ? ؟ … end one, «د. أحمد» and 3.5 do not.

    A run of stops with its closing marks ends a sentence where white space follows, and wherever there is more in it than dots.
    """
    return list(each_sentence_start(text))


def each_sentence_start(text: str) -> Iterator[int]:
    """The same, one at a time."""
    last = 0
    yield last
    for match in _ENDS.finditer(text):
        if last < match.end() < len(text) and (match["stops"] is None or _ends(text, match)):
            last = match.end()
            yield last


def _ends(text: str, match: re.Match[str]) -> bool:
    if _STRONG_STOP.search(match["stops"]) or _BREAK.search(match["space"]):
        return True
    return bool(match["space"]) and not (match.end("stops") == match.start() + 1 and _initial(text, match.start()))


def _initial(text: str, stop: int) -> bool:
    """Whether a single letter or figure stands alone before the stop: «د. أحمد»."""
    if stop == 0 or not (text[stop - 1].isalnum() or text[stop - 1] == "_"):
        return False
    return stop == 1 or text[stop - 2].isspace() or text[stop - 2] in '(«"'
