"""Names as they are compared: marks, hamza, ta marbuta, quotes and hashtags folded, attached clitics and the article cut.

Coarser than what a model reads (`tokenizer.json`): two spellings of one name must fold to one key, and offsets are not needed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from waqia.arabic import LETTERS, SPELLINGS, TATWEEL

_LETTERS = str.maketrans(SPELLINGS | dict(zip("یکگؤئڤپچ", "يككويفبج", strict=True)) | {"ء": "", TATWEEL: ""})
_OTHERS = re.compile(r"[\W_]+")
_CENSORED = re.compile(f"(?<=[{LETTERS}])[.*]{{1,3}}(?=[{LETTERS}])")  # «الت*ركي», «الاحت..لال»
_MAYBE_MARKS = re.compile(r"[^\w\s]")
_DROPPED = {"Mn", "Me", "Cf"}
ARTICLE = "ال"
REMEMBERED = 4096  # words whose reading is kept: a text says the same ones over and over


def fold(text: str) -> str:
    """The text with spellings that writers mix made one, all but letters and figures a single space: «#قوّات_النظام» -> «قوات النظام»."""
    plain = unicodedata.normalize("NFKC", text)
    if not plain.isascii():
        if _MAYBE_MARKS.search(plain):
            plain = _CENSORED.sub("", plain)
            plain = _MAYBE_MARKS.sub(lambda found: "" if unicodedata.category(found[0]) in _DROPPED else found[0], plain)
        plain = plain.translate(_LETTERS)
    return _OTHERS.sub(" ", plain).strip().lower()


def bare(word: str) -> str:
    """A folded word without the article: «الشام» -> «شام»; a word of three letters keeps it («الي»)."""
    return word[2:] if len(word) > 3 and word.startswith(ARTICLE) else word


def key(name: str) -> tuple[str, ...]:
    """What two spellings of a name share: its folded words without the article."""
    return tuple(bare(word) for word in fold(name).split())


@lru_cache(REMEMBERED)
def uncliticised(word: str) -> tuple[str, ...]:
    """The folded word bare, then bare again with each attached «و ف» and «ب ل ك» cut: «وللتحالف» -> «وللتحالف», «للتحالف», «تحالف»."""
    forms, rest = [bare(word)], word
    if len(rest) > 3 and rest[0] in "وف":
        rest = rest[1:]
        forms.append(bare(rest))
    if len(rest) > 4 and rest.startswith("لل"):
        forms += [rest[2:], rest[1:]]  # «لله», and a name that itself begins with lam: «للاذقية»
    elif len(rest) > 3 and rest[0] in "بلك":
        forms.append(bare(rest[1:]))
    return tuple(dict.fromkeys(forms))
