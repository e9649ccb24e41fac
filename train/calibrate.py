"""Calibration on dev: a temperature a head by likelihood (Guo et al. 2017), a threshold a label by F1, both kept in the artefact."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

from eval.analysis.probabilities import calibration as judge
from eval.score.match import best_overlap
from train.features import Collator, read_windows
from train.model import mention_pairs
from waqia.model.align import Reach
from waqia.model.calibration import Calibration
from waqia.model.merge import Mention
from waqia.model.pipeline import Happening, Part, cut_texts, encode, happenings, likenesses, pad_id, read_texts
from waqia.model.tensors import ends
from waqia.schema import Incident, Participant, Record, Span

if TYPE_CHECKING:
    from train.run import Run

log = logging.getLogger("train.calibrate")

LEAST = 0.05  # no threshold is looked for below this probability

Likeness = dict[tuple[int, int], float]  # of pairs of mentions (earlier, later) of a text
Judged = tuple[int, list[tuple[float, bool]]]  # gold items of a label; (probability, right or wrong) of each predicted one


@dataclass(frozen=True, slots=True)
class Fit:
    """A head's temperature, and ECE and Brier score before and after it over the decisions that were at least LEAST probable before."""

    temperature: float
    decisions: int
    ece: tuple[float, float]
    brier: tuple[float, float]


def calibrate(run: Run, records: Sequence[Record]) -> tuple[Calibration, dict[str, Fit]]:
    """Temperatures and thresholds fitted on dev records with the pipeline that ships; what is tried stands in the configuration.

    In order: a temperature a head; the thresholds of mentions and of merging, together, by the F1 of incidents by happening; of those one
    threshold an incident type; one a role; the least probability that a text reports anything; and the one from which an actor named
    elsewhere is a participant of its own.
    """
    settings = run.config.calibration
    fits = temperatures(run, records)
    fitted: dict[str, Any] = {name: fit.temperature for name, fit in fits.items()}
    fitted |= {"apart_threshold": settings.tried.apart[0], "side_by_side": settings.side_by_side, "around": settings.around}
    calibration = replace(Calibration.plain(run.labels, LEAST), **fitted)
    gold = [record.incidents for record in records]
    calibration = fit_merging(run, records, calibration)
    found = [_asked(incidents, record) for incidents, record in zip(_read(run, records, calibration), records, strict=True)]
    triggers = thresholds(run.labels.incident_types, _hits(gold, found, _incident_items, _same_incident), settings.shrink)
    kept = [[i for i in incidents if (i.score or 0) >= triggers[i.type]] for incidents in found]
    roles = thresholds(run.labels.roles, _hits(gold, kept, _participant_items, _same_participant), settings.shrink)
    result = replace(calibration, trigger_thresholds=triggers, role_thresholds=roles)
    result = replace(result, reports=fit_reports(run, records, result))
    result = replace(result, apart_threshold=fit_apart(run, records, result))
    log.info("calibration: %s; %s", result.to_dict(), fits)
    return result, fits


def _read(run: Run, records: Sequence[Record], calibration: Calibration) -> list[Sequence[Incident]]:
    return [reading.incidents for reading in read_texts([record.text for record in records], run.reader(calibration))]


def fit_merging(run: Run, records: Sequence[Record], calibration: Calibration) -> Calibration:
    """The calibration with the three thresholds of mentions and merging that give the best F1 of incidents, one threshold for all types."""
    tried = run.config.calibration.tried
    model = run.reader(replace(calibration, mention_threshold=min(tried.mentions)))
    texts = [record.text for record in records]
    none = np.zeros(len(run.labels.incident_types), np.float32)
    parts = [Part(place, windows, none) for place, windows in enumerate(cut_texts(texts, model))]
    for part in parts:
        encode([part], texts, model)
        part.states.clear()
    mentions = [part.mentions for part in parts]
    same = likenesses(mentions, model)
    names = list(run.labels.incident_types)
    thresholds_tried = [(a, b) for a in tried.merging for b in (1.0, *tried.same_type) if b < a or b == 1]
    best, chosen = -1.0, calibration
    for least in tried.mentions:
        kept = [_kept(members, known, least) for members, known in zip(mentions, same, strict=True)]
        for threshold, of_a_type in thresholds_tried:
            found = [[_bare(one, names) for one in happenings(*some, threshold, of_a_type)] for some in kept]
            asked = [_asked(incidents, record) for incidents, record in zip(found, records, strict=True)]
            judged = _hits([record.incidents for record in records], asked, _incident_items, _same_incident)
            f1 = best_f1(sum(n for n, _ in judged.values()), [item for _, items in judged.values() for item in items])
            if f1 > best:
                best = f1
                chosen = replace(calibration, mention_threshold=least, merge_threshold=threshold, same_type_threshold=of_a_type)
    log.info("%s: incidents F1 %.4f", [chosen.mention_threshold, chosen.merge_threshold, chosen.same_type_threshold], best)
    return chosen


def _kept(mentions: Sequence[Mention], same: Likeness, least: float) -> tuple[list[Mention], Likeness]:
    """The mentions that are at least so probable, and their likenesses."""
    kept = [n for n, mention in enumerate(mentions) if mention.score >= least]
    pairs = {(a, b): same[kept[a], kept[b]] for b in range(len(kept)) for a in range(b) if (kept[a], kept[b]) in same}
    return [mentions[n] for n in kept], pairs


def _asked(incidents: Iterable[Incident], record: Record) -> list[Incident]:
    """The incidents of types that the annotators of a record were asked about: of the others nobody knows whether they are right."""
    return [incident for incident in incidents if record.annotated is None or incident.type in record.annotated]


def _bare(one: Happening, names: Sequence[str]) -> Incident:
    """A happening without participants."""
    trigger, *others = (Span(mention.start, mention.end, mention.text) for mention in one.mentions)
    return Incident(names[one.type], "", trigger, (), one.score, tuple(others))


def fit_reports(run: Run, records: Sequence[Record], calibration: Calibration) -> float:
    """The largest probability tried that costs no more than allowed of the F1 of incidents: it keeps passages that report nothing free."""
    settings = run.config.calibration
    texts = [record.text for record in records]
    readings = read_texts(texts, run.reader(calibration))
    figures = {}
    for least in (0.0, *settings.tried.reports):
        free = [() if max((r.types[i.type] for i in r.incidents), default=0.0) < least else r.incidents for r in readings]
        kept = [_asked(incidents, record) for incidents, record in zip(free, records, strict=True)]
        judged = _hits([record.incidents for record in records], kept, _incident_items, _same_incident)
        figures[least] = _f1(judged)
    return max(least for least, f1 in figures.items() if f1 >= figures[0.0] - settings.reports_cost)


def fit_apart(run: Run, records: Sequence[Record], calibration: Calibration) -> float:
    """The probability tried from which an actor named elsewhere is a participant of its own: the one with the best F1 of participants."""
    tried = run.config.calibration.tried.apart
    if len(tried) == 1:
        return tried[0]
    figures = {}
    for least in tried:
        found = _read(run, records, replace(calibration, apart_threshold=least))
        asked = [_asked(incidents, record) for incidents, record in zip(found, records, strict=True)]
        figures[least] = _f1(_hits([record.incidents for record in records], asked, _participant_items, _same_participant))
    return max(tried, key=figures.__getitem__)


def _f1(judged: Mapping[str, Judged]) -> float:
    """F1 over the items of all labels; 0 where there are none."""
    hits = sum(right for _, items in judged.values() for _, right in items)
    counts = sum(count for count, _ in judged.values()) + sum(len(items) for _, items in judged.values())
    return 2 * hits / max(1, counts)


def temperatures(run: Run, records: Sequence[Record]) -> dict[str, Fit]:
    """One temperature for each head: types, triggers (given all words), roles (given the gold triggers)."""
    kinds: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
    collator = Collator(pad_id(run.tokenizer))
    features = list(read_windows(records, run.tokenizer, run.labels, run.reader().windows, Reach()))
    for start in range(0, len(features), 16):
        for name, pair in _logits(run, collator(features[start : start + 16])).items():
            kinds[name].append(pair)
    return {name: _fit(name, *(torch.cat(part) for part in zip(*pairs, strict=True))) for name, pairs in kinds.items()}


def thresholds(labels: Iterable[str], found: Mapping[str, Judged], shrink: float) -> dict[str, float]:
    """For every label the least probability that gives the best F1; rare labels lean on the threshold of all labels together.

    At `shrink` gold items a label's own threshold counts half.
    """
    every = _best(sum(n for n, _ in found.values()), [item for _, items in found.values() for item in items])
    result = {}
    for label in labels:
        gold, items = found.get(label, (0, []))
        own = gold / (gold + shrink)
        result[label] = round(float(own * _best(gold, items) + (1 - own) * every), 4) if items else round(every, 4)
    return result


def best_f1(gold: int, items: list[tuple[float, bool]]) -> float:
    """The best F1 that any threshold gives over items (probability, right)."""
    hits = np.cumsum([right for _, right in sorted(items, reverse=True)])
    return float((2 * hits / (gold + np.arange(1, len(items) + 1))).max()) if items else 0.0


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
    return a[0] == b[0] and best_overlap(a[2].all_mentions, b[2].all_mentions) > 0


def _same_participant(gold: Item, found: Item) -> bool:
    """Whether a found participant's span shares half with any mention of a gold one."""
    spans = (gold[3], *(gold[3].mentions if isinstance(gold[3], Participant) else ()))
    return gold[0] == found[0] and gold[2].type == found[2].type and best_overlap(spans, (found[3],)) >= 0.5


def _hits(
    gold: Iterable[Iterable[Incident]],
    found: Iterable[Iterable[Incident]],
    items: Callable[[Iterable[Incident]], list[Item]],
    same: Callable[[Item, Item], bool],
) -> dict[str, Judged]:
    """Match predicted to gold items, most probable first, and sort them by label."""
    counts: dict[str, int] = defaultdict(int)
    judged: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for gold_incidents, found_incidents in zip(gold, found, strict=True):
        free = items(gold_incidents)
        for item in free:
            counts[item[0]] += 1
        for item in sorted(items(found_incidents), key=lambda item: -item[1]):
            match = next((other for other in free if same(other, item)), None)
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
        rows, start, stop, type_, _ = batch["triggers"].unbind(1)
        mask = (batch["word_ends"] > batch["word_starts"]).long()[rows]
        role_logits = model.participants_head(states[rows], mask, start, stop, type_)[0]
        targets = torch.zeros_like(role_logits)
        trigger, role, start, stop, _ = batch["spans"].unbind(1)
        targets[trigger, *ends(start, stop), role] = 1
        # Only pairs within reach of a decision say anything of the temperature; the rest are certain noes.
        near = (role_logits > -6) | (targets > 0)
        pairs["role_temperature"] = (role_logits[near], targets[near])
    if len(batch["pairs"]):
        mentions = mention_pairs(states, trigger_logits, batch["triggers"], batch["pairs"])
        pairs["merge_temperature"] = (model.merge_head(*mentions, batch["pair_features"]), batch["pairs"][:, 2].float())
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
