"""Texts for pretraining: any mix of JSONL and text files, deduplicated, tokenised once and packed into rows of equal length."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import zstandard
from numpy.typing import NDArray
from pydantic import Field
from tokenizers import Tokenizer

from train.checkpoints import file_is_whole, seal_file
from train.config import Count, Part
from waqia.errors import ConfigError, RecordError

log = logging.getLogger("train.pretrain.corpus")

Rows = NDArray[np.int32]
DOCUMENTS_AT_ONCE = 1000
FIRST_WORDS = 250  # of a document, which tell what it is about


class Selection(Part):
    """Documents about a subject: those of whose first FIRST_WORDS words at least `share` as many stems are found as there are words.

    A stem may stand anywhere in a word; documents of fewer than `words` words are left out.
    """

    stems: Annotated[tuple[str, ...], Field(min_length=1)]
    share: float = Field(gt=0, le=1)
    words: Count

    def keeps(self, text: str) -> bool:
        """Whether the document is about the subject."""
        words = text.split()
        first = words[:FIRST_WORDS]
        found = re.findall("|".join(map(re.escape, self.stems)), " ".join(first))
        return len(words) >= self.words and len(found) > self.share * len(first)


class TextSource(Part):
    """A file of documents: .jsonl (field `text`) or plain text (a document a line), each also as .xz, .gz or .zst.

    `where` keeps the rows whose field has one of the given values, `about` those about a subject; `repeat` and `final_repeat` say how often
    an epoch shows them before and during the decay of the learning rate (0: not at all).
    """

    path: Path
    where: dict[str, tuple[str | None, ...]]
    about: Selection | None = None
    repeat: int = Field(ge=0)
    final_repeat: int = Field(ge=0)


class CorpusConfig(Part):
    """Which texts, how long the rows, and which share of the documents is held out for the held-out loss."""

    sources: tuple[TextSource, ...]
    row_tokens: Count
    held_out: float = Field(gt=0, lt=0.5)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Packed rows of token ids (rows, row_tokens) by source; `held_out` is never trained on."""

    sources: tuple[Rows, ...]
    held_out: Rows
    tokens: int

    def stream(self, repeats: Sequence[int], seed: int) -> Iterator[Rows]:
        """Endless shuffled rows, epoch after epoch, each source shown `repeats` times an epoch; a pure function of the seed."""
        everything = np.concatenate([rows for rows, times in zip(self.sources, repeats, strict=True) for _ in range(times)])
        epoch = 0
        while True:
            for row in np.random.default_rng((seed, epoch)).permutation(len(everything)):
                yield everything[row]
            epoch += 1


def check_sources(config: CorpusConfig) -> None:
    """ConfigError where a file is not there."""
    for source in config.sources:
        if not source.path.is_file():
            raise ConfigError(f"{source.path}: no such file; name existing .jsonl or text files (also .xz, .gz, .zst) under corpus.sources")


def documents(source: TextSource) -> Iterator[str]:
    """The texts of a source, those of `where` only; RecordError names the line that cannot be read."""
    plain = source.path.suffix if source.path.suffix not in {".xz", ".gz", ".zst"} else Path(source.path.stem).suffix
    with _open(source.path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if plain != ".jsonl":
                text = line.decode("utf-8").strip()
                if source.about is None or source.about.keeps(text):
                    yield text
                continue
            row = _row(line, f"{source.path}:{number}")
            kept = all(row.get(field) in values for field, values in source.where.items())
            if kept and (source.about is None or source.about.keeps(row["text"])):
                yield row["text"]


def distinct(sources: Sequence[TextSource]) -> list[list[str]]:
    """The documents of each source without those seen before, compared by their letters alone; what was dropped is logged."""
    seen: set[bytes] = set()
    result = []
    for source in sources:
        kept, total = [], 0
        for text in documents(source):
            total += 1
            letters = "".join(filter(str.isalpha, text))
            key = hashlib.blake2b(letters[:400].encode("utf-8", "replace"), digest_size=12).digest()
            if letters and key not in seen:
                seen.add(key)
                kept.append(text)
        log.info("%s %s: %d documents, %d of them repeated or empty", source.path, dict(source.where), total, total - len(kept))
        result.append(kept)
    return result


def pack(config: CorpusConfig, tokenizer: Tokenizer, cache: Path) -> Corpus:
    """Tokenise and pack the documents, or take them from the cache, which is named by its contents."""
    path = cache / f"{_fingerprint(config, tokenizer)}.npz"
    if not file_is_whole(path):
        cache.mkdir(parents=True, exist_ok=True)
        packed = _pack(config, tokenizer)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **packed)  # type: ignore[arg-type]  # numpy's own `allow_pickle` stands among the names
        seal_file(partial, path)
    with np.load(path) as stored:
        sources = tuple(stored[f"source{n}"] for n in range(len(config.sources)))
        return Corpus(sources, stored["held_out"], sum(rows.size for rows in sources))


def _pack(config: CorpusConfig, tokenizer: Tokenizer) -> dict[str, Rows]:
    held_out: list[str] = []
    packed = {}
    for number, texts in enumerate(distinct(config.sources)):
        kept: list[str] = []
        for text in texts:
            share = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).digest(), "big") / 2**32
            (held_out if share < config.held_out else kept).append(text)
        packed[f"source{number}"] = _rows(kept, tokenizer, config.row_tokens)
    return {**packed, "held_out": _rows(held_out, tokenizer, config.row_tokens)}


def _rows(texts: Sequence[str], tokenizer: Tokenizer, row_tokens: int) -> Rows:
    """Rows that begin with [CLS], documents parted by [SEP], full but for the last, which is left out; nothing is padded."""
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    ids: list[NDArray[np.int32]] = []
    for start in range(0, len(texts), DOCUMENTS_AT_ONCE):
        encodings = tokenizer.encode_batch_fast(texts[start : start + DOCUMENTS_AT_ONCE], add_special_tokens=False)
        ids += [np.array([*encoding.ids, sep], np.int32) for encoding in encodings]
    flat = np.concatenate(ids) if ids else np.zeros(0, np.int32)
    body = row_tokens - 1
    whole = flat[: len(flat) // body * body].reshape(-1, body)
    return np.concatenate([np.full((len(whole), 1), cls, np.int32), whole], axis=1)


def _fingerprint(config: CorpusConfig, tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(config.model_dump_json().encode() + tokenizer.to_str().encode())
    for source in config.sources:
        digest.update(f"{source.path.stat().st_size}".encode() + source.path.read_bytes())
    return digest.hexdigest()[:24]


def _open(path: Path) -> IO[Any] | gzip.GzipFile:
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return io.BufferedReader(zstandard.open(path, "rb")) if path.suffix == ".zst" else path.open("rb")


def _row(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RecordError(f"{where}: no JSON ({error})") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise RecordError(f"{where}: expected an object with a field `text`")
    return row
