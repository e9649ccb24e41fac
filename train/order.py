"""In which order an epoch shows the windows: a function of (seed, epoch) alone, so that a resumed run goes on with the very same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from datasets import Dataset

MEGA = 50  # batches sorted by length together, or a quarter of all where there are few: as in transformers' LengthGroupedSampler


class EpochOrder(torch.utils.data.Dataset):  # type: ignore[type-arg, misc, unused-ignore]
    """Windows in the order of an epoch, to be read from front to back; every row says its `window` and `epoch` besides.

    A batch's windows are of about one length. The DataLoader says when an epoch begins (`set_epoch`); it reads ahead, which moves nothing.
    """

    def __init__(self, windows: Dataset, batch: int, seed: int) -> None:
        self.windows, self.batch, self.seed = windows, batch, seed
        self.lengths = np.array(windows["length"], np.int64)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch."""
        self.epoch = epoch
        self.order = grouped_by_length(self.lengths, self.batch, (self.seed, epoch))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        window = int(self.order[place])
        return {**self.windows[window], "window": window, "epoch": self.epoch}


def grouped_by_length(lengths: np.ndarray, batch: int, key: tuple[int, ...]) -> np.ndarray:
    """A permutation in which every `batch` windows are of about one length; the longest comes first, so that memory runs out at once."""
    order = np.random.default_rng(key).permutation(len(lengths))
    mega = batch * max(1, min(MEGA, len(lengths) // (4 * batch)))
    groups = [order[start : start + mega] for start in range(0, len(order), mega)]
    order = np.concatenate([group[np.argsort(-lengths[group], kind="stable")] for group in groups])
    longest = int(np.argmax(lengths[order]))
    order[[0, longest]] = order[[longest, 0]]
    return order
