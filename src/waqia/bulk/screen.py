"""The screen: a small model that decides, window by window, whether the encoder is worth running.

Each token is known by a vector of its own (the encoder's word embeddings, narrowed) and looked at with its neighbours and with the mean of
the window; the likeliest token stands for the window, which is read where that reaches a threshold. Whatever is computed is a whole number
below 2^24, so that float32 is exact: a window passes or not whatever else is read with it, on any machine. How many incidents may be lost
is bounded, see `Bound` and docs/screen.md; `python -m train.screening` makes a screen.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waqia.errors import ArtefactError, ConfigError
from waqia.model.artefact import PACKAGED
from waqia.model.tensors import Floats
from waqia.model.windows import Ints, Window

FORMAT = 1
DEFAULT = "waqia-mini-screen"
LOST = 0.01  # share of incidents that may be lost, where nothing else is asked for
TOKENS_A_BATCH = 4096  # looked at in one product
HIGHEST = 255  # of a hidden number; with weights of 8 bits, sums stay below 2^24

Bytes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Bound:
    """A promise: at most a share `lost` of the incidents of texts like those it was proved on, and that with probability `confidence`."""

    lost: float
    confidence: float
    threshold: int  # least score of a window that is read
    documents: int  # that it was proved on, each with one incident drawn from it
    misses: int  # of these incidents


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """V tokens of D numbers, N neighbours (the token itself in the middle), H hidden numbers."""

    vectors: Bytes  # (V, D), zeros for [PAD], which also stands beyond both ends of a window
    first: Bytes  # (N * D + D, H): the neighbours in their order, then the mean of the window
    bias: Ints  # (H,)
    scale: Floats  # (H,) what a sum is multiplied by, to become a whole number from 0 to HIGHEST
    second: Bytes  # (H,)

    def __post_init__(self) -> None:
        arrays = {name: getattr(self, name) for name in self.__slots__}
        (_, depth), (width, hidden) = self.vectors.shape, self.first.shape
        kinds = {"vectors": np.int8, "first": np.int8, "bias": np.int64, "scale": np.float32, "second": np.int8}
        sound = all(array.dtype == kinds[name] for name, array in arrays.items()) and width % depth == 0 and width // depth % 2 == 0
        sound = sound and width * 127**2 < 1 << 24  # so that the sums are exact
        if not (sound and self.bias.shape == self.scale.shape == self.second.shape == (hidden,)):
            raise ValueError(f"arrays are {', '.join(f'{name} {array.dtype} {array.shape}' for name, array in arrays.items())}")


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """Weights with a threshold; `vocabulary` is that of the tokenizer whose tokens it knows (as in the manifest of an artefact)."""

    name: str
    vocabulary: str
    model: str  # digest of the artefact whose incidents the bound counts
    weights: Weights
    bound: Bound
    digest: str

    def keep(self, windows: Sequence[Window]) -> NDArray[np.bool_]:
        """Which of N windows (N,) are to be read."""
        kept: NDArray[np.bool_] = scores(windows, self.weights) >= self.bound.threshold
        return kept

    @property
    def identity(self) -> str:
        """All that it decides by."""
        return f"{self.name} {self.digest[:16]}, from {self.bound.threshold}, at most {self.bound.lost:g} lost"


def load(name: str | Path = DEFAULT, *, lost: float = LOST) -> Screen:
    """A screen from its folder, or by its name in the package, with the threshold proved for a share of incidents lost.

    ArtefactError where a file is missing or damaged, ConfigError where no such bound was proved.
    """
    folder = Path(name)
    if len(folder.parts) == 1 and not folder.exists():
        folder = PACKAGED / folder
    try:
        told: dict[str, Any] = json.loads((folder / "screen.json").read_text("utf-8"))
        data = (folder / "weights.npz").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if (told["format"], told["sha256"]) != (FORMAT, digest):
            raise ValueError(f"format {told['format']} and sha256 {digest}, expected {FORMAT} and {told['sha256']}")
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            weights = Weights(**{key: held[key] for key in held.files})
        bounds = [Bound(**one) for one in told["bounds"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{folder}: is no whole screen ({error}); copy it again, or make one: python -m train.screening") from error
    bound = next((one for one in bounds if one.lost == lost), None)
    if bound is None:
        proved = ", ".join(f"{one.lost:g}" for one in bounds) or "none"
        raise ConfigError(f"{folder}: no threshold was proved for a share of {lost:g} lost; proved: {proved}")
    return Screen(told["name"], told["vocabulary"], told["model"], weights, bound, digest)


def write(
    folder: Path, *, name: str, vocabulary: str, model: str, weights: Weights, bounds: Sequence[Bound], card: Mapping[str, Any]
) -> None:
    """Write a screen; `card` says how it was made and what it was seen to lose, for people to read."""
    folder.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    np.savez(held, **{key: getattr(weights, key) for key in weights.__slots__})
    data = held.getvalue()
    told = {"format": FORMAT, "name": name, "vocabulary": vocabulary, "model": model, "sha256": hashlib.sha256(data).hexdigest()}
    told |= {"bounds": [asdict(one) for one in bounds], "card": dict(card)}
    (folder / "weights.npz").write_bytes(data)
    (folder / "screen.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


def scores(windows: Sequence[Window], weights: Weights) -> Ints:
    """The score of each window (N,): that of its likeliest token."""
    if not windows:
        return np.zeros(0, np.int64)
    ids, lengths = np.concatenate([window.ids for window in windows]), np.array([len(window.ids) for window in windows])
    begins = np.cumsum(lengths) - lengths
    of = np.repeat(np.arange(len(windows)), lengths)
    first, bias, second = (array.astype(np.float32) for array in (weights.first, weights.bias, weights.second))
    means = mean(ids, lengths, weights.vectors)
    found = np.empty(len(ids), np.int64)
    beside = neighbours(ids, of, len(first) // weights.vectors.shape[1] - 1)
    for start in range(0, len(ids), TOKENS_A_BATCH):
        some = slice(start, start + TOKENS_A_BATCH)
        around = weights.vectors[beside[some]].reshape(len(of[some]), -1)
        seen = np.concatenate([around, means[of[some]]], 1, dtype=np.float32, casting="unsafe")
        hidden = np.clip(np.floor((seen @ first + bias) * weights.scale), 0, HIGHEST)
        found[some] = hidden @ second
    return np.maximum.reduceat(found, begins)


def neighbours(ids: Ints, of: Ints, count: int) -> Ints:
    """The ids (T, count) around each of T tokens, itself in the middle, [PAD] (0) beyond its window; `of` says which that is (T,)."""
    places = np.arange(len(ids))[:, None] + np.arange(count) - count // 2
    inside = (places >= 0) & (places < len(ids))
    places = np.where(inside, places, 0)
    return np.where(inside & (of[places] == of[:, None]), ids[places], 0)


def mean(ids: Ints, lengths: Ints, vectors: Bytes) -> Bytes:
    """The mean vector (N, D) of the tokens of each of N windows, four times as large, in whole numbers of 8 bits."""
    begins = np.cumsum(lengths) - lengths
    sums = np.add.reduceat(vectors[ids].astype(np.int32), begins, axis=0)
    return np.clip(4 * sums // lengths[:, None], -127, 127).astype(np.int8)
