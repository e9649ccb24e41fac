"""Windows: a text cut into overlapping tokenised slices at sentence bounds, nothing lost, with the raw-text offsets of every word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from waqia.arabic import encodable, sentence_starts, word_end, word_start
from waqia.errors import ArtefactError, ConfigError

Ints = NDArray[np.int64]
PIECE = 50_000  # characters tokenised at once: the tokenizer keeps about 150 bytes a character until it is done


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """At most `max_tokens` tokens a window, [CLS] and [SEP] included; neighbours share up to `overlap` tokens."""

    max_tokens: int
    overlap: int

    def __post_init__(self) -> None:
        if self.max_tokens < 16 or not 0 <= self.overlap <= (self.max_tokens - 2) // 2:
            raise ConfigError(f"max_tokens {self.max_tokens}, overlap {self.overlap}: expected at least 16, and at most half a window")


class WordRange(NamedTuple):
    """Words of a window from `start` up to, not including, `stop`: every range of words is half-open, as every span of code points is."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many words it has."""
        return self.stop - self.start

    def overlaps(self, other: WordRange) -> bool:
        """Whether the two share a word."""
        return self.start < other.stop and other.start < self.stop


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One slice of a text; T tokens, W words (what the tokenizer's pre-tokenizer splits at spaces and punctuation)."""

    ids: Ints  # (T,) with [CLS] and [SEP]
    word_starts: Ints  # (W,) first token of each word
    word_ends: Ints  # (W,) one past its last token
    words: Ints  # (W, 2) half-open raw-text offsets
    owned: WordRange  # words whose triggers this window reports; every word of a text is owned once
    cut: bool = False  # whether a word in it has more tokens than a window holds, and is read by the first of them only

    def find(self, start: int, end: int, text: str) -> WordRange | None:
        """The words of the span [start, end) of the raw text, or None where it leaves the window or cuts a word."""
        first = int(np.searchsorted(self.words[:, 0], start))
        last = int(np.searchsorted(self.words[:, 1], word_end(text, end)))
        if first > last or last >= len(self.words):
            return None
        whole = self.words[first, 0] == start and self.words[last, 1] == word_end(text, end)
        return WordRange(first, last + 1) if whole else None

    def span(self, words: WordRange) -> tuple[int, int]:
        """Half-open code points of the raw text from the first to the last of the words."""
        return int(self.words[words.start, 0]), int(self.words[words.stop - 1, 1])


def split(text: str, tokenizer: Tokenizer, settings: WindowSettings) -> list[Window]:
    """Cut a text into windows; a text without a word gives none. Offsets index the raw text whatever the tokenizer normalises."""
    words = _words(text, tokenizer, settings.max_tokens - 2)
    if not words.lengths.size:
        return []
    first_words = np.searchsorted(words.offsets[:, 0], sentence_starts(text))
    spans = _spans(words.lengths, np.unique(first_words), settings)
    return [words.window(span, owned) for span, owned in zip(spans, _owned(spans), strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    ids: Ints  # every token of the text, no special ones
    starts: Ints  # first token of each word
    lengths: Ints  # its number of tokens, cut to what one window holds
    cut: NDArray[np.bool_]  # whether it had more
    offsets: Ints  # (W, 2)
    special: tuple[int, int]  # [CLS], [SEP]

    def window(self, words: WordRange, owned: WordRange) -> Window:
        """The words as a window of their own; both ranges count the words of the text."""
        within = slice(*words)
        lengths = self.lengths[within]
        ends = 1 + np.cumsum(lengths)
        pieces = [self.ids[start : start + n] for start, n in zip(self.starts[within], lengths, strict=True)]
        ids = np.concatenate([[self.special[0]], *pieces, [self.special[1]]]).astype(np.int64)
        mine = WordRange(owned.start - words.start, owned.stop - words.start)
        return Window(ids, ends - lengths, ends, self.offsets[within], mine, bool(self.cut[within].any()))


def _words(text: str, tokenizer: Tokenizer, most: int) -> _Words:
    ids: list[Ints] = []
    firsts: list[int] = []  # first token of each word
    bounds: list[list[int]] = []
    total = 0
    for at, piece in _pieces(text):
        encoding = tokenizer.encode(encodable(piece), add_special_tokens=False)
        # An added token may belong to no word of the tokenizer's; give each one a number of its own.
        numbers = [-1 - place if word is None else word for place, word in enumerate(encoding.word_ids)]
        for token, (start, end) in enumerate(encoding.offsets):
            if (token and numbers[token] == numbers[token - 1]) or (bounds and at + start < bounds[-1][1]):
                # One character may become several words («ﷺ»): all of them are one word here.
                bounds[-1][1] = max(bounds[-1][1], word_end(text, at + end))
            else:
                firsts.append(total + token)
                bounds.append([word_start(text, at + start, bounds[-1][1] if bounds else 0), word_end(text, at + end)])
        ids.append(np.array(encoding.ids, np.int64))
        total += len(encoding.ids)
    starts = np.array(firsts, np.int64)
    lengths = np.diff(starts, append=total)
    offsets = np.array(bounds, np.int64).reshape(-1, 2)
    return _Words(np.concatenate(ids), starts, np.minimum(lengths, most), lengths > most, offsets, _special(tokenizer))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of pieces of about PIECE characters, cut behind white space: nothing in the tokenizer looks across it."""
    start = 0
    while len(text) - start > PIECE:
        end = 1 + max(text.rfind(space, start, start + PIECE) for space in " \n")
        if end <= start:  # one word longer than a piece
            ends = [place + 1 for space in " \n" if (place := text.find(space, start + PIECE)) >= 0]
            end = min(ends, default=len(text))
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _special(tokenizer: Tokenizer) -> tuple[int, int]:
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if cls is None or sep is None:
        raise ArtefactError("tokenizer.json: [CLS] or [SEP] is missing from the vocabulary; expected a BERT WordPiece tokenizer")
    return int(cls), int(sep)


def _spans(lengths: Ints, sentences: Ints, settings: WindowSettings) -> list[WordRange]:
    """Word ranges of the windows: as many whole sentences as fit, a hard cut only where a sentence alone is longer than half a window."""
    budget, total = settings.max_tokens - 2, np.concatenate([[0], np.cumsum(lengths)])
    spans: list[WordRange] = []
    start = 0
    while True:
        end = int(np.searchsorted(total, total[start] + budget, side="right")) - 1
        if end >= len(lengths):
            return [*spans, WordRange(start, len(lengths))]
        bound = int(sentences[np.searchsorted(sentences, end, side="right") - 1])
        if total[bound] - total[start] >= budget // 2:
            end = bound
        spans.append(WordRange(start, end))
        back = int(np.searchsorted(total, total[end] - settings.overlap))
        bounds = sentences[(sentences >= back) & (sentences < end)]
        start = max(int(bounds[0]) if bounds.size else back, start + 1)


def _owned(spans: Sequence[WordRange]) -> list[WordRange]:
    """Share out the overlaps at their middle, so that no word is reported twice or not at all."""
    middles = [(after.start + before.stop) // 2 for before, after in pairwise(spans)]
    return [WordRange(*pair) for pair in zip([spans[0].start, *middles], [*middles, spans[-1].stop], strict=True)]
