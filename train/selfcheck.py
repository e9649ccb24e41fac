"""Do windows and decoding lose any label? python -m train.selfcheck FILE… [--tokenizer TOKENIZER.json] [--labels LABELS]

Gold labels become targets as in training, the targets become the logits of a model that is always right, and these are decoded and scored
as in evaluation. Whatever is then missing is lost to windows, word bounds or decoding: it is listed by cause, and exit 1 if unexplained.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from eval.score.command import run as run_script
from eval.score.counts import Counts, add
from eval.score.scoring import Scores, score
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.model.align import Reach, count
from waqia.model.calibration import Calibration
from waqia.model.pipeline import Model, read_texts
from waqia.model.tensors import Batch, Encoded, Floats, Pairs, Participants, Triggers, ends
from waqia.model.windows import Ints, WindowSettings, split
from waqia.records import read_records
from waqia.schema import Record

if TYPE_CHECKING:
    from train.model import Sizes

SURE = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of the round trip, what could not be reached by cause, and how many lost items no cause explains."""

    scores: dict[str, float | None]
    reach: Reach
    unexplained: int


def check(records: Sequence[Record], tokenizer: Tokenizer, labels: LabelSet, settings: WindowSettings) -> Report:
    """Send gold through targets, decoding and scoring.

    Items that no cause explains are counted over texts of one window: between windows participants that read the same are taken for one.
    """
    from train.features import read_windows  # and with it torch, seconds to import
    from train.model import Sizes

    reach = Reach()
    oracle = Oracle(list(read_windows(records, tokenizer, labels, settings, reach)), Sizes.of(labels))
    plain = replace(Calibration.plain(labels), around=settings.max_tokens)  # whole windows: what lies further off is no fault of labels
    model = Model("oracle", oracle, tokenizer, labels, settings, plain)
    readings = read_texts([record.text for record in records], model)
    read = [Record(r.id, r.text, reading.incidents) for r, reading in zip(records, readings, strict=True)]
    scores = score(records, read, labels)
    whole = [n for n, reading in enumerate(readings) if reading.windows == 1]
    known = Reach()
    for n in whole:
        count(records[n], split(records[n].text, tokenizer, settings), labels, known)
    alone = score([records[n] for n in whole], [read[n] for n in whole], labels)
    return Report(scores.figures(), reach, _unexplained(alone, known, labels))


def _unexplained(scores: Scores, reach: Reach, labels: LabelSet) -> int:
    """Gold incidents and participants that are not found though nothing says that they are lost, and incidents found that are not gold."""
    total = add(scores.tallies)
    incidents, participants = total["incidents"], sum((total[f"participants/{role}/half"] for role in labels.roles), Counts())
    lost = {kind: sum(n for cause, n in reach.lost.items() if cause.startswith(kind)) for kind in ("incident", "participant")}
    missing = max(0, incidents.gold - incidents.hits - lost["incident"])
    return int(missing + max(0, participants.gold - participants.hits - lost["participant"]) + incidents.predicted - incidents.hits)


class Oracle:
    """A backend that knows the targets of every window by its token ids."""

    def __init__(self, features: Sequence[dict[str, list[Any]]], sizes: Sizes) -> None:
        self.sizes = sizes
        self.features = {tuple(row["ids"]): row for row in features}
        self.rows = list(self.features.values())

    def encode(self, batch: Batch) -> Encoded:
        """Logits that say the targets; a word's state is the number of its window, of the incident that it tells, and its own."""
        size, words = batch.word_starts.shape
        types = np.full((size, self.sizes.types), -SURE, np.float32)
        triggers = np.zeros((size, words, 1 + self.sizes.types), np.float32)
        triggers[..., 0] = SURE
        inside = np.full((size, words), -SURE, np.float32)
        states = np.zeros((size, words, 3), np.float32)
        states[..., 2] = np.arange(words)
        for place, (ids, mask) in enumerate(zip(batch.input_ids, batch.attention_mask, strict=True)):
            row = self.features[tuple(ids[mask == 1].tolist())]
            states[place, :, 0] = self.rows.index(row)
            types[place] = (np.array(row["type_targets"]) * 2 - 1) * SURE
            for (start, stop, type_, _), incident in zip(row["triggers"], row["told"], strict=True):
                states[place, start:stop, 1] = incident
                triggers[place, start, 1 + type_] = 2 * SURE
                inside[place, start + 1 : stop] = SURE
        return Encoded(types, triggers, inside, states)

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Logits that say the spans of each trigger, as far as they lie within the words that are read for it."""
        size, words = word_mask.shape
        roles = np.full((size, words, words, self.sizes.roles), -SURE, np.float32)
        statuses = np.zeros((size, self.sizes.statuses), np.float32)
        sectors = np.zeros((size, words, self.sizes.sectors), np.float32)
        for place in range(size):
            window, _, first = word_states[place, 0].astype(int)
            row, there = self.rows[window], int(word_mask[place].sum())
            wanted = (first + triggers.start[place], first + triggers.stop[place], triggers.type[place])
            number = next(n for n, trigger in enumerate(row["triggers"]) if tuple(trigger[:3]) == wanted)
            statuses[place, row["triggers"][number][3]] = SURE
            for trigger, role, start, stop, sector in row["spans"]:
                start, stop = start - first, stop - first
                if trigger != number or start < 0 or stop > there:
                    continue
                roles[place, *ends(start, stop), role] = SURE
                if sector >= 0:
                    sectors[place, start:stop, sector] += SURE / (stop - start)
        return Participants(roles, statuses, sectors)

    def merge(self, pairs: Pairs) -> Floats:
        """Logits that say which mentions tell the same incident."""
        same = pairs.first_states[:, 1] == pairs.second_states[:, 1]
        return np.where(same, SURE, -SURE).astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Check files and print what is lost."""
    parser = Parser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--tokenizer", type=Path, default=Path("models/waqia-mini/tokenizer.json"), help="(default: %(default)s)")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="(default: %(default)s)")
    args = parser.parse_args(argv)
    labels, tokenizer = LabelSet.load(args.labels), Tokenizer.from_file(str(args.tokenizer))
    reports = {path: check(list(read_records(path, labels)), tokenizer, labels, WindowSettings(256, 64)) for path in args.files}
    for path, report in reports.items():
        print(f"{path}: {', '.join(report.reach.lines())}; {report.unexplained} unexplained")
        print("  " + ", ".join(f"{name} {value:.4f}" for name, value in report.scores.items() if value is not None and value < 1))
    return int(any(report.unexplained for report in reports.values()))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    run_script(main)
