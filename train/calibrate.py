"""Calibration on dev: a temperature a head by likelihood (Guo et al. 2017), a threshold a label by F1, both kept in the artefact."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from eval.analysis.probabilities import calibration as judge
from train.features import Collator, read_windows
from waqia.model.align import Reach
from waqia.model.calibration import Calibration
from waqia.model.pipeline import pad_id, read_texts
from waqia.schema import Incident, Participant, Record, Span

if TYPE_CHECKING:
    from train.run import Run

log = logging.getLogger("train.calibrate")

LEAST = 0.05  # no threshold is looked for below this probability
TOLD_AGAIN = 0.9  # annotators rarely find two acts of a type on one target in a passage: 25 of 3,893 incidents of news
REPORTS = 0.3  # on news dev one more of the 48 passages without incidents is kept free, and F1 moves by a thousandth
SHRINK = 40  # gold items at which a label's own threshold counts as much as that of all labels together


@dataclass(frozen=True, slots=True)
class Fit:
    """A head's temperature, and ECE and Brier score before and after it over the decisions that were at least LEAST probable before."""

    temperature: float
    decisions: int
    ece: tuple[float, float]
    brier: tuple[float, float]


def calibrate(run: Run, records: Sequence[Record]) -> tuple[Calibration, dict[str, Fit]]:
    """Temperatures and thresholds fitted on dev records, of which a label's incidents and participants must be whole."""
    fits = temperatures(run, records)
    calibration = replace(Calibration.plain(run.labels, LEAST), **{name: fit.temperature for name, fit in fits.items()})
    gold = [record.incidents for record in records]
    found = [reading.incidents for reading in read_texts([record.text for record in records], run.reader(calibration))]
    asked = [record.annotated for record in records]
    found = [[i for i in incidents if names is None or i.type in names] for incidents, names in zip(found, asked, strict=True)]
    triggers = thresholds(run.labels.incident_types, _hits(gold, found, _incident_items, _same_incident))
    kept = [[i for i in incidents if (i.score or 0) >= triggers[i.type]] for incidents in found]
    roles = thresholds(run.labels.roles, _hits(gold, kept, _participant_items, _same_participant))
    result = replace(calibration, trigger_thresholds=triggers, role_thresholds=roles, told_again=TOLD_AGAIN, reports=REPORTS)
    log.info("calibration: %s; %s", result.to_dict(), fits)
    return result, fits


def temperatures(run: Run, records: Sequence[Record]) -> dict[str, Fit]:
    """One temperature for each head: types, triggers (given all words), roles (given the gold triggers)."""
    kinds: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
    collator = Collator(pad_id(run.tokenizer))
    features = list(read_windows(records, run.tokenizer, run.labels, run.reader().windows, Reach()))
    for start in range(0, len(features), 16):
        for name, pair in _logits(run, collator(features[start : start + 16])).items():
            kinds[name].append(pair)
    return {name: _fit(name, *(torch.cat(part) for part in zip(*pairs, strict=True))) for name, pairs in kinds.items()}


def thresholds(labels: Iterable[str], found: dict[str, tuple[int, list[tuple[float, bool]]]]) -> dict[str, float]:
    """For every label the least probability that gives the best F1; rare labels lean on the threshold of all labels together.

    `found` maps a label to its number of gold items and to (probability, right or wrong) for each predicted item.
    """
    every = _best(sum(n for n, _ in found.values()), [item for _, items in found.values() for item in items])
    result = {}
    for label in labels:
        gold, items = found.get(label, (0, []))
        own = gold / (gold + SHRINK)
        result[label] = round(float(own * _best(gold, items) + (1 - own) * every), 4) if items else round(every, 4)
    return result


def _best(gold: int, items: list[tuple[float, bool]]) -> float:
    """The threshold with the best F1 over items (probability, right), half-way to the next probability below."""
    if not items or not gold:
        return 0.5
    ordered = sorted(items, reverse=True)
    scores = np.array([score for score, _ in ordered])
    hits = np.cumsum([right for _, right in ordered])
    best = int(np.argmax(2 * hits / (gold + np.arange(1, len(ordered) + 1))))
    below = scores[best + 1] if best + 1 < len(scores) else LEAST
    return float((scores[best] + below) / 2)


Item = tuple[str, float, Incident, Span]  # label, probability, its incident, its span


def _incident_items(incidents: Iterable[Incident]) -> list[Item]:
    return [(i.type, i.score or 0.0, i, i.trigger) for i in incidents]


def _participant_items(incidents: Iterable[Incident]) -> list[Item]:
    return [(p.role, p.score or 0.0, i, p) for i in incidents for p in i.participants]


def _same_incident(a: Item, b: Item) -> bool:
    return a[0] == b[0] and _overlap(a[3], b[3]) > 0


def _same_participant(a: Item, b: Item) -> bool:
    longer = max(a[3].end - a[3].start, b[3].end - b[3].start)
    return a[0] == b[0] and a[2].type == b[2].type and 2 * _overlap(a[3], b[3]) >= longer


def _overlap(a: Span | Participant, b: Span | Participant) -> int:
    return min(a.end, b.end) - max(a.start, b.start)


def _hits(
    gold: Iterable[Iterable[Incident]],
    found: Iterable[Iterable[Incident]],
    items: Callable[[Iterable[Incident]], list[Item]],
    same: Callable[[Item, Item], bool],
) -> dict[str, tuple[int, list[tuple[float, bool]]]]:
    """Match predicted to gold items, most probable first, and sort them by label."""
    counts: dict[str, int] = defaultdict(int)
    judged: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for gold_incidents, found_incidents in zip(gold, found, strict=True):
        free = items(gold_incidents)
        for item in free:
            counts[item[0]] += 1
        for item in sorted(items(found_incidents), key=lambda item: -item[1]):
            match = next((other for other in free if same(item, other)), None)
            if match is not None:
                free.remove(match)
            judged[item[0]].append((item[1], match is not None))
    return {label: (counts[label], judged[label]) for label in counts.keys() | judged.keys()}


@torch.inference_mode()
def _logits(run: Run, batch: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Logits and targets of a batch, one row an independent decision, for each temperature."""
    model = run.model.eval()
    batch = {name: tensor.to(next(model.parameters()).device) for name, tensor in batch.items()}
    type_logits, trigger_logits, _, states = model.encode(*(batch[n] for n in ("input_ids", "attention_mask", "word_starts", "word_ends")))
    asked, marked = batch["type_asked"] > 0, batch["trigger_targets"] >= 0
    pairs = {
        "type_temperature": (type_logits[asked], batch["type_targets"][asked]),
        "trigger_temperature": (trigger_logits[marked], batch["trigger_targets"][marked]),
    }
    if len(batch["triggers"]):
        rows, first, last, type_, _ = batch["triggers"].unbind(1)
        mask = (batch["word_ends"] > batch["word_starts"]).long()[rows]
        role_logits = model.participants_head(states[rows], mask, first, last, type_)[0]
        targets = torch.zeros_like(role_logits)
        trigger, role, first, last, _ = batch["spans"].unbind(1)
        targets[trigger, first, last, role] = 1
        # Only pairs within reach of a decision say anything of the temperature; the rest is a sea of certain noes.
        near = (role_logits > -6) | (targets > 0)
        pairs["role_temperature"] = (role_logits[near], targets[near])
    return {name: (logits.float().cpu(), wanted.cpu()) for name, (logits, wanted) in pairs.items()}


def _fit(name: str, logits: Tensor, targets: Tensor) -> Fit:
    temperature = _temperature(name, logits, targets)
    before, after = (_probabilities(name, logits / t) for t in (1.0, temperature))
    truth = F.one_hot(targets, logits.shape[-1])[..., 1:] if name == "trigger_temperature" else targets
    kept = before >= LEAST
    right = (truth[kept] > 0).tolist()
    judged = [judge(list(zip(p[kept].tolist(), right, strict=True))) for p in (before, after)]
    ece, brier = (tuple(round(j[figure], 4) if j else 0.0 for j in judged) for figure in ("ece", "brier"))
    return Fit(temperature, len(right), ece, brier)  # type: ignore[arg-type]


def _probabilities(name: str, logits: Tensor) -> Tensor:
    """Of a type, a trigger of a type that begins at a word, a role over a span."""
    return logits.softmax(-1)[..., 1:] if name == "trigger_temperature" else logits.sigmoid()


def _temperature(name: str, logits: Tensor, targets: Tensor) -> float:
    def loss(log_temperature: float) -> float:
        scaled = logits / float(np.exp(log_temperature))
        if name == "trigger_temperature":
            return float(F.cross_entropy(scaled, targets))
        return float(F.binary_cross_entropy_with_logits(scaled, targets))

    return round(float(np.exp(minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x)), 4)
