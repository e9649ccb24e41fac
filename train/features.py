"""Features: records to windows with targets, and batches of them; labels that cannot be reached are counted by cause."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from tokenizers import Tokenizer
from torch import Tensor

from train.checkpoints import is_whole, seal
from waqia.labels import LabelSet
from waqia.model.align import IGNORE, Reach, count, targets
from waqia.model.merge import BACK, PAIR_FEATURES, pair_features, stem
from waqia.model.tensors import batch
from waqia.model.windows import Window, WindowSettings, WordRange, split
from waqia.schema import Record

log = logging.getLogger("train.features")

WHOLE = Value("int64")
COLUMNS = Features(  # said, not guessed from the first rows: there a list may be empty in every one
    {
        "ids": List(WHOLE),
        "length": WHOLE,
        "word_starts": List(WHOLE),
        "word_ends": List(WHOLE),
        "type_targets": List(Value("float64")),
        "type_asked": List(Value("float64")),
        "trigger_targets": List(WHOLE),
        "inside_targets": List(WHOLE),
        "triggers": List(List(WHOLE)),
        "spans": List(List(WHOLE)),
        "told": List(WHOLE),
        "pairs": List(List(WHOLE)),
        "pair_features": List(List(Value("float64"))),
    }
)
FEATURES = 3  # raised when what is kept of a window changes, or how texts are cut, so that older caches serve no more


def read_windows(
    records: Iterable[Record], tokenizer: Tokenizer, labels: LabelSet, settings: WindowSettings, reach: Reach
) -> Iterator[dict[str, Any]]:
    """Features of every window of the records, in order: plain lists that `datasets` stores and `collate` batches."""
    for record in records:
        windows = split(record.text, tokenizer, settings)
        count(record, windows, labels, reach)
        for window in windows:
            yield _features(record, window, labels)


def dataset(
    records: Sequence[Record], tokenizer: Tokenizer, labels: LabelSet, settings: WindowSettings, cache: Path
) -> tuple[Dataset, Reach]:
    """The windows of the records as a `datasets.Dataset`, their number of tokens in the column `length`, and which labels they reach.

    Kept in `cache` under a digest of all that they follow from, so that runs over the same texts cut them once.
    """
    said = [*(record.to_dict() for record in records), tokenizer.to_str(), labels.to_dict(), asdict(settings), FEATURES]
    digest = hashlib.sha256()
    for one in said:
        digest.update(json.dumps(one, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    path = cache / digest.hexdigest()[:24]
    if not is_whole(path, digest.hexdigest()):
        if path.exists():
            log.warning("%s is not whole: the windows are cut again", path)
            shutil.rmtree(path)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            partial = _cut(lambda reach: read_windows(records, tokenizer, labels, settings, reach), Path(folder), digest.hexdigest())
            try:
                partial.rename(path)
            except OSError:
                if not is_whole(path, digest.hexdigest()):  # else another process was quicker
                    raise
    counts = json.loads((path / "reach.json").read_text("utf-8"))
    return Dataset.load_from_disk(path), Reach(**{name: Counter(found) for name, found in counts.items()})


def _cut(windows: Callable[[Reach], Iterator[dict[str, Any]]], folder: Path, digest: str) -> Path:
    """Stream windows to disk, never all in memory, with what they reach beside; sealed."""
    reach, partial = Reach(), folder / "windows"
    stream = Dataset.from_generator(lambda: windows(reach), COLUMNS, cache_dir=str(folder / "stream"), fingerprint=digest[:24])
    stream.save_to_disk(partial)
    (partial / "reach.json").write_text(json.dumps({"reached": reach.reached, "lost": reach.lost}), "utf-8")
    seal(partial, digest)
    return partial


class Collator:
    """Pads features into the arguments of `IncidentModel.forward`.

    A share `hidden` of the words becomes `mask_id`: what happened must then be read off the words around. Of each incident in a window
    `asked` mentions are asked for participants, 0 for all. Which words and which mentions follows from the seed and a row's `epoch` and
    `window` (`train.order`).
    """

    def __init__(self, pad_id: int, mask_id: int = 0, hidden: float = 0.0, seed: int = 0, asked: int = 0) -> None:
        self.pad_id, self.mask_id, self.hidden, self.seed, self.asked = pad_id, mask_id, hidden, seed, asked

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """B windows, T tokens, W words, K types, N triggers, P participants.

        type_targets, type_asked (B, K); trigger_targets (B, W), inside_targets (B, W), both -100 where nothing was annotated;
        triggers (N, 5), every mention: row, start, stop, type, status, words half-open; asked (A,): the triggers asked for participants;
        spans (P, 5): place in asked, role, start, stop, sector or -100; pairs (Q, 3): trigger, trigger, 1 where both tell the same
        happening; pair_features (Q, F).
        """
        windows = [_window(row) for row in rows]
        padded = batch(windows, self.pad_id)
        words = padded.word_starts.shape[1]
        triggers = [[place, *trigger] for place, row in enumerate(rows) for trigger in row["triggers"]]
        first_trigger = [sum(len(row["triggers"]) for row in rows[:place]) for place in range(len(rows))]
        asked = [first_trigger[place] + trigger for place, row in enumerate(rows) for trigger in self._asked(row)]
        place_of = {trigger: place for place, trigger in enumerate(asked)}
        told = [(first_trigger[place] + span[0], span[1:]) for place, row in enumerate(rows) for span in row["spans"]]
        spans = [[place_of[trigger], *span] for trigger, span in told if trigger in place_of]
        pairs = [[first_trigger[n] + a, first_trigger[n] + b, same] for n, row in enumerate(rows) for a, b, same in row["pairs"]]
        features = [pair for row in rows for pair in row["pair_features"]]
        ids, mask, starts, ends = map(torch.from_numpy, (padded.input_ids, padded.attention_mask, padded.word_starts, padded.word_ends))
        if self.hidden:
            chosen = hidden_words([(self.seed, row["epoch"], row["window"]) for row in rows], words, self.hidden)
            ids = hide_words(ids, starts, ends, self.mask_id, chosen)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "word_starts": starts,
            "word_ends": ends,
            "type_targets": torch.tensor([row["type_targets"] for row in rows], dtype=torch.float32),
            "type_asked": torch.tensor([row["type_asked"] for row in rows], dtype=torch.float32),
            "trigger_targets": torch.tensor([_pad(row["trigger_targets"], words) for row in rows]),
            "inside_targets": torch.tensor([_pad(row["inside_targets"], words) for row in rows], dtype=torch.float32),
            "triggers": torch.tensor(triggers, dtype=torch.long).view(-1, 5),
            "asked": torch.tensor(asked, dtype=torch.long),
            "spans": torch.tensor(spans, dtype=torch.long).view(-1, 5),
            "pairs": torch.tensor(pairs, dtype=torch.long).view(-1, 3),
            "pair_features": torch.tensor(features, dtype=torch.float32).view(-1, PAIR_FEATURES),
            "labels": torch.zeros(len(rows), dtype=torch.long),  # Trainer counts these to know how many windows a step has
        }

    def _asked(self, row: dict[str, Any]) -> list[int]:
        """The triggers of a row that are asked for participants, in order."""
        triggers = range(len(row["triggers"]))
        if not self.asked:
            return list(triggers)
        order = np.random.default_rng((self.seed, row["epoch"], row["window"], 1)).permutation(len(triggers))
        of_incident: Counter[int] = Counter()
        chosen = []
        for trigger in order.tolist():
            of_incident[row["told"][trigger]] += 1
            if of_incident[row["told"][trigger]] <= self.asked:
                chosen.append(trigger)
        return sorted(chosen)


def hidden_words(keys: Sequence[tuple[int, ...]], words: int, share: float) -> Tensor:
    """Which words (B, W) are hidden, 1 or 0: of each row a share of its words, drawn from its key alone; a wider batch changes none."""
    return torch.from_numpy(np.stack([np.random.default_rng(key).random(words) < share for key in keys]).astype(np.int64))


def hide_words(ids: Tensor, starts: Tensor, ends: Tensor, mask_id: int, chosen: Tensor) -> Tensor:
    """Token ids (B, T) with all tokens of the chosen words (B, W; 1 or 0) become mask_id; bounds (B, W)."""
    steps = torch.zeros(len(ids), ids.shape[1] + 1, dtype=torch.long)
    steps.scatter_add_(1, starts, chosen).scatter_add_(1, ends, -chosen)
    return ids.masked_fill(steps.cumsum(1)[:, :-1] > 0, mask_id)


def _window(row: dict[str, Any]) -> Window:
    ids, starts, ends = (np.array(row[name], np.int64) for name in ("ids", "word_starts", "word_ends"))
    return Window(ids, starts, ends, np.zeros((len(starts), 2), np.int64), WordRange(0, len(starts)))


def _pad(values: list[int], width: int) -> list[int]:
    return values + [IGNORE] * (width - len(values))


def _features(record: Record, window: Window, labels: LabelSet) -> dict[str, Any]:
    types = list(labels.incident_types)
    asked = set(types if record.annotated is None else record.annotated)
    answers = {name for name, answer in record.extra.get("answers", {}).items() if answer == "yes"}
    found = targets(record, window, labels, Counter())
    told = [(stem(target.span.text), target.span.start) for target in found]
    pairs = [(a, b, int(found[a].incident == found[b].incident)) for a, b in combinations(range(len(found)), 2) if b - a <= BACK]
    # A passage may be known to report a type while nobody marked where: then its words teach nothing of triggers.
    unmarked = answers - {incident.type for incident in record.incidents}
    words = len(window.words)
    trigger_targets = [IGNORE if unmarked else 0] * words
    inside_targets = [IGNORE if unmarked else 0] * words
    for target in found:
        first, *others = range(*target.words)
        trigger_targets[first], inside_targets[first] = 1 + target.type, 0
        for word in others:
            trigger_targets[word], inside_targets[word] = 0, 1
    present = {types[target.type] for target in found} | answers
    return {
        "ids": window.ids.tolist(),
        "length": len(window.ids),
        "word_starts": window.word_starts.tolist(),
        "word_ends": window.word_ends.tolist(),
        "type_targets": [float(name in present) for name in types],
        "type_asked": [float(name in asked) for name in types],
        "trigger_targets": trigger_targets,
        "inside_targets": inside_targets,
        "triggers": [[*target.words, target.type, target.status] for target in found],
        "spans": [[place, one.role, *one.words, one.sector] for place, target in enumerate(found) for one in target.participants],
        "told": [target.incident for target in found],  # of which incident of the record each trigger tells
        "pairs": [list(pair) for pair in pairs],
        "pair_features": [list(pair_features(told[a], told[b])) for a, b, _ in pairs],
    }
