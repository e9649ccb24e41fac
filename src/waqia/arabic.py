"""Raw text: where sentences end and which marks belong to the word before them; normalising itself lives in `tokenizer.json`."""

from __future__ import annotations

import re

# Marks without a width of their own that normalising strips: Arabic diacritics, tatweel, bidi and zero-width marks.
_MARKS = (
    "\u0610-\u061a\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
    "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
)
_TRAILING = re.compile(f"[{_MARKS}]*")
_FOLDED = re.compile(rf"[^\s{_MARKS}]\S*\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
# A stop ends a sentence where white space or a closing mark follows; «د. أحمد» and «3.5» are no ends.
_END = re.compile(r"(?:(?<![\s(«\"]\w)(?<!^\w)[.!?؟…]+[\"'»”’)\]]*(?=\s|$)|[!?؟…]+[\"'»”’)\]]*|[\r\n\u2028\u2029])\s*", re.MULTILINE)


def encodable(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD, one for one, so that offsets stay those of the raw text."""
    return _SURROGATE.sub("\ufffd", text)


def word_end(text: str, end: int) -> int:
    """The end of a word, moved over the diacritics, tatweel and invisible marks that trail it."""
    match = _TRAILING.match(text, end)
    return match.end() if match else end


def word_start(text: str, start: int, floor: int) -> int:
    """The start of a word, moved back over what normalising folded into it (an address read as one token), not below `floor`."""
    if floor == start or text[start - 1].isspace():
        return start
    match = _FOLDED.search(text, floor, start)
    return match.start() if match else start


def sentence_starts(text: str) -> list[int]:
    """Offsets at which a sentence begins, the first of them 0; line breaks and . ! ? ؟ … end one, «د. أحمد» and 3.5 do not."""
    starts = [0]
    for match in _END.finditer(text):
        if starts[-1] < match.end() < len(text):
            starts.append(match.end())
    return starts
