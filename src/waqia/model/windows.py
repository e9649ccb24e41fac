"""Windows: a text cut into overlapping tokenised slices at sentence bounds, nothing lost, with the raw-text offsets of every word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from waqia.arabic import each_sentence_start, encodable, word_end, word_start
from waqia.errors import ArtefactError, ConfigError

Ints = NDArray[np.int64]
Smalls = NDArray[np.int32]  # what is kept of every word of a long text
PIECE = 50_000  # characters tokenised at once: the tokenizer keeps about 150 bytes a character until it is done
RUN = 100_000  # characters without white space that are read as they stand


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
    return list(cut(text, tokenizer, settings))


def cut(text: str, tokenizer: Tokenizer, settings: WindowSettings) -> Sequence[Window]:
    """The same windows, each made when it is asked for: a long text takes some 20 bytes a word until then, its windows a hundred."""
    words = _words(text, tokenizer, settings.max_tokens - 2)
    if not words.lengths.size:
        return []
    starts = np.fromiter(each_sentence_start(text), np.int64)
    spans = _spans(words.lengths.astype(np.int64), np.unique(np.searchsorted(words.offsets[:, 0], starts)), settings)
    return _Windows(words, spans, _owned(spans))


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    ids: Smalls  # every token of the text, no special ones
    starts: Smalls  # first token of each word
    lengths: Smalls  # its number of tokens, cut to what one window holds
    cut: NDArray[np.bool_]  # whether it had more
    offsets: Smalls  # (W, 2)
    special: tuple[int, int]  # [CLS], [SEP]

    def window(self, words: WordRange, owned: WordRange) -> Window:
        """The words as a window of their own; both ranges count the words of the text."""
        within = slice(*words)
        lengths = self.lengths[within].astype(np.int64)
        ends = 1 + np.cumsum(lengths)
        pieces = [self.ids[start : start + n] for start, n in zip(self.starts[within], lengths, strict=True)]
        ids = np.concatenate([[self.special[0]], *pieces, [self.special[1]]]).astype(np.int64)
        mine = WordRange(owned.start - words.start, owned.stop - words.start)
        return Window(ids, ends - lengths, ends, self.offsets[within].astype(np.int64), mine, bool(self.cut[within].any()))


class _Windows(Sequence[Window]):
    """The windows over the words of a text that lie in `spans` and own those of `owned`."""

    def __init__(self, words: _Words, spans: Sequence[WordRange], owned: Sequence[WordRange]) -> None:
        self._words, self._spans, self._owned = words, spans, owned

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, place: int) -> Window: ...
    @overload
    def __getitem__(self, place: slice) -> list[Window]: ...
    def __getitem__(self, place: int | slice) -> Window | list[Window]:
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(len(self)))]
        return self._words.window(self._spans[place], self._owned[place])


def _words(text: str, tokenizer: Tokenizer, most: int) -> _Words:
    parts: list[tuple[Smalls, Smalls, Smalls]] = []
    total = floor = 0
    for at, piece in _pieces(text):
        ids, firsts, bounds = _piece(text, at, piece, floor, tokenizer)
        floor = int(bounds[-1, 1]) if len(bounds) else floor
        parts.append((ids, firsts + np.int32(total), bounds))
        total += len(ids)
    ids, starts, offsets = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    lengths = np.diff(starts, append=np.int32(total))
    return _Words(ids, starts, np.minimum(lengths, np.int32(most)), lengths > most, offsets, _special(tokenizer))


def _piece(text: str, at: int, piece: str, floor: int, tokenizer: Tokenizer) -> tuple[Smalls, Smalls, Smalls]:
    """Tokens, the first token of each word, and the bounds of words in the text, of a piece that begins at `at`."""
    firsts: list[int] = []
    bounds: list[list[int]] = []
    encoding = tokenizer.encode(encodable(piece), add_special_tokens=False)
    # An added token may belong to no word of the tokenizer's; give each one a number of its own.
    numbers = [-1 - place if word is None else word for place, word in enumerate(encoding.word_ids)]
    for token, (start, end) in enumerate(encoding.offsets):
        if (token and numbers[token] == numbers[token - 1]) or (bounds and at + start < bounds[-1][1]):
            # One character may become several words («ﷺ»): all of them are one word here.
            bounds[-1][1] = max(bounds[-1][1], word_end(text, at + end))
        else:
            firsts.append(token)
            bounds.append([word_start(text, at + start, bounds[-1][1] if bounds else floor), word_end(text, at + end)])
    return np.array(encoding.ids, np.int32), np.array(firsts, np.int32), np.array(bounds, np.int32).reshape(-1, 2)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of pieces of about PIECE characters, cut behind white space: nothing in the tokenizer looks across it.

    A run of more than RUN characters without a space or a line feed is cut where it is that long, so that no piece is much longer.
    """
    start = 0
    while len(text) - start > PIECE:
        end = 1 + max(text.rfind(space, start, start + PIECE) for space in " \n")
        if end <= start:  # a run longer than a piece
            found = [place + 1 for space in " \n" if (place := text.find(space, start + PIECE, start + RUN)) >= 0]
            end = min(found, default=min(start + RUN, len(text)))
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
