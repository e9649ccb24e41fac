"""From texts to readings: windows, the network in batches, decoding, merging; the same for torch and for the runtimes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.decode import borne_out, pick_mentions, pick_participants, sigmoid, softmax
from waqia.model.gather import told_once
from waqia.model.memory import HOLES
from waqia.model.merge import BACK, Mention, clusters, decide, join_types, pair_features, stem
from waqia.model.tensors import Backend, Encoded, Floats, Pairs, Participants, Triggers, batch
from waqia.model.windows import Window, WindowSettings, WordRange, cut
from waqia.schema import Incident, Participant, Reading, Span

_Owner = TypeVar("_Owner")

TOKENS_A_BATCH = 512  # padded tokens in one pass of the encoder; 1,024 take 25 MB more and are no faster
CELLS_A_BATCH = 40_000  # triggers x words x words in one pass of the participants graph; 100,000 take 30 MB more
WORDS_A_BATCH = 512  # triggers x words there
UNSEEN = -100.0  # logit of a span that no mention saw whole, as of one that ends before it begins
PAIRS_A_BATCH = 4096  # in one pass of the merging graph
WINDOWS_TOGETHER = 128  # of one text whose mentions are merged; in a longer text happenings do not reach further
ASKED = 3  # mentions of an incident, the most probable ones of a window, that are asked for its participants


@dataclass(frozen=True, slots=True)
class Model:
    """All that reading needs: the backend with its tokenizer, labels, windows and calibration."""

    name: str
    backend: Backend
    tokenizer: Tokenizer
    labels: LabelSet
    windows: WindowSettings
    calibration: Calibration
    keep: Callable[[Sequence[Window]], NDArray[np.bool_]] | None = None  # which windows are read; None: all of them


@dataclass(slots=True)
class Part:
    """Windows of one text that are read together: what the encoder said of them, as far as it is still needed."""

    text: int  # place among the texts of the call
    windows: Sequence[Window]
    types: Floats  # (K,) largest probability over the windows
    mentions: list[Mention] = field(default_factory=list)
    states: dict[int, Floats] = field(default_factory=dict)  # (W, D) of the windows that have mentions


class Happening(NamedTuple):
    """Mentions that tell the same happening, the most probable one first, and what it is."""

    mentions: tuple[Mention, ...]
    type: int
    score: float


def read_texts(texts: Sequence[str], model: Model) -> list[Reading]:
    """Read texts, windows of all of them batched together by length; one Reading a text, in order."""
    return read_windows(texts, cut_texts(texts, model), model)


def cut_texts(texts: Sequence[str], model: Model) -> list[Sequence[Window]]:
    """The windows of each text: the part of reading that needs no backend."""
    return [cut(text, model.tokenizer, model.windows) for text in texts]


def read_windows(texts: Sequence[str], windows: Sequence[Sequence[Window]], model: Model) -> list[Reading]:
    """Read texts already cut by `cut_texts`; one Reading a text, in order."""
    types = [np.zeros(len(model.labels.incident_types), np.float32) for _ in texts]  # largest probability over the windows
    found: list[list[Incident]] = [[] for _ in texts]
    truncated = [False for _ in texts]
    screened = [0 for _ in texts]
    for parts in _parts(windows, model):
        for part in parts:
            truncated[part.text] |= any(window.cut for window in part.windows)
        for part, left_out in zip(parts, _screen(parts, model), strict=True):
            screened[part.text] += left_out
        encode(parts, texts, model)
        happenings = merge([part.mentions for part in parts], model)
        kept = [[one for one in some if _likely(one, model)] for some in happenings]
        for part, incidents in zip(parts, _incidents(parts, kept, texts, model), strict=True):
            found[part.text] += incidents
            types[part.text] = np.maximum(types[part.text], part.types)
    counts = [len(of_text) for of_text in windows]
    return [_reading(*said, model) for said in zip(found, types, counts, truncated, screened, strict=True)]


def _screen(parts: Sequence[Part], model: Model) -> list[int]:
    """Take from the parts the windows that are not to be read; how many, by part."""
    if model.keep is None:
        return [0 for _ in parts]
    kept = iter(model.keep([window for part in parts for window in part.windows]).tolist())
    left_out = []
    for part in parts:
        before, part.windows = len(part.windows), [window for window in part.windows if next(kept)]
        left_out.append(before - len(part.windows))
    return left_out


def encode(parts: Sequence[Part], texts: Sequence[str], model: Model) -> None:
    """Run the encoder over all windows of the parts and keep their types, trigger mentions in text order, and states."""
    calibration = model.calibration
    for chosen in token_batches([((part, place), window) for part in parts for place, window in enumerate(part.windows)]):
        padded = batch([window for _, window in chosen], pad_id(model.tokenizer))
        encoded = model.backend.encode(padded)
        HOLES.after(padded.input_ids.size)
        for row, ((part, place), window) in enumerate(chosen):
            part.types = np.maximum(part.types, sigmoid(encoded.type_logits[row] / calibration.type_temperature))
            found = list(_mentions(encoded, row, place, window, texts[part.text], calibration))
            if found:
                part.mentions += found
                part.states[place] = encoded.word_states[row, : len(window.words)].copy()
    for part in parts:
        part.mentions.sort(key=lambda mention: (mention.start, mention.end))


def merge(mentions: Sequence[Sequence[Mention]], model: Model) -> list[list[Happening]]:
    """The happenings of each text from its mentions in text order."""
    calibration = model.calibration
    return [
        happenings(members, same, calibration.merge_threshold, calibration.same_type_threshold)
        for members, same in zip(mentions, likenesses(mentions, model), strict=True)
    ]


def happenings(members: Sequence[Mention], same: dict[tuple[int, int], float], threshold: float, of_a_type: float) -> list[Happening]:
    """The happenings of one text: mentions by their likeness first, then what has come out as one type by that type's lower threshold."""
    groups = clusters(len(members), same, threshold)
    types = [decide([members[place] for place in group])[0] for group in groups]
    return [happening([members[place] for place in group]) for group in join_types(groups, types, same, of_a_type)]


def likenesses(mentions: Sequence[Sequence[Mention]], model: Model) -> list[dict[tuple[int, int], float]]:
    """For each text the probability of each pair of mentions (earlier, later) that they tell the same; see merge.BACK."""
    pairs = [(text, a, b) for text, found in enumerate(mentions) for b in range(len(found)) for a in range(max(0, b - BACK), b)]
    same: list[dict[tuple[int, int], float]] = [{} for _ in mentions]
    for start in range(0, len(pairs), PAIRS_A_BATCH):
        some = pairs[start : start + PAIRS_A_BATCH]
        logits = model.backend.merge(_pairs([(mentions[text][a], mentions[text][b]) for text, a, b in some]))
        probabilities = sigmoid(logits / model.calibration.merge_temperature)
        for (text, a, b), probability in zip(some, probabilities.tolist(), strict=True):
            same[text][a, b] = probability
    return same


def happening(mentions: Iterable[Mention]) -> Happening:
    """One happening from its mentions."""
    ordered = tuple(sorted(mentions, key=lambda mention: (-mention.score, mention.start)))
    return Happening(ordered, *decide(ordered))


def token_batches(items: list[tuple[_Owner, Window]]) -> Iterator[list[tuple[_Owner, Window]]]:
    """(owner, window) pairs, windows of like length together, in batches of at most TOKENS_A_BATCH padded tokens."""
    chosen: list[tuple[_Owner, Window]] = []
    for item in sorted(items, key=lambda item: len(item[1].ids)):
        if chosen and (len(chosen) + 1) * len(item[1].ids) > TOKENS_A_BATCH:
            yield chosen
            chosen = []
        chosen.append(item)
    if chosen:
        yield chosen


class _Job(NamedTuple):
    """A mention asked for the participants of its incident."""

    part: int
    incident: int
    mention: Mention
    type: int
    words: WordRange  # of its window: those that are read for it, see `around` of the calibration


def _parts(of_texts: Sequence[Sequence[Window]], model: Model) -> Iterator[list[Part]]:
    """All texts in parts of at most WINDOWS_TOGETHER windows; parts that come together hold as many at most, or are one."""
    none = np.zeros(len(model.labels.incident_types), np.float32)
    together: list[Part] = []
    for text, windows in enumerate(of_texts):
        for start in range(0, len(windows), WINDOWS_TOGETHER):
            part = Part(text, windows[start : start + WINDOWS_TOGETHER], none)
            if together and sum(len(one.windows) for one in together) + len(part.windows) > WINDOWS_TOGETHER:
                yield together
                together = []
            together.append(part)
    if together:
        yield together


def _mentions(encoded: Encoded, row: int, place: int, window: Window, text: str, calibration: Calibration) -> Iterator[Mention]:
    n = len(window.words)
    logits, inside = encoded.trigger_logits[row, :n], encoded.inside_logits[row, :n]
    for words, score in pick_mentions(logits, inside, window.owned, calibration.mention_threshold, calibration.trigger_temperature):
        yield _mention(encoded, row, place, window, text, words, score)


def _mention(encoded: Encoded, row: int, place: int, window: Window, text: str, words: WordRange, score: float) -> Mention:
    span, state = _span(window, words, text), encoded.word_states[row, slice(*words)].mean(0)
    return Mention(place, words, span.start, span.end, span.text, score, softmax(encoded.trigger_logits[row, words.start, 1:]), state)


def merge_given(texts: Sequence[str], given: Sequence[Sequence[Span]], model: Model) -> list[list[Happening]]:
    """The happenings of each text made of trigger mentions that are given, not found: what judges merging alone.

    Spans that no window holds as whole words are left out.
    """
    mentions: list[list[Mention]] = [[] for _ in texts]
    of_texts = cut_texts(texts, model)
    for chosen in token_batches([((text, place), window) for text, windows in enumerate(of_texts) for place, window in enumerate(windows)]):
        encoded = model.backend.encode(batch([window for _, window in chosen], pad_id(model.tokenizer)))
        for row, ((text, place), window) in enumerate(chosen):
            for span in given[text]:
                words = window.find(span.start, span.end, texts[text])
                if words is not None and window.owned[0] <= words.start < window.owned[1]:
                    none = softmax(encoded.trigger_logits[row, words.start] / model.calibration.trigger_temperature)[0]
                    mentions[text].append(_mention(encoded, row, place, window, texts[text], words, float(1 - none)))
    for found in mentions:
        found.sort(key=lambda mention: (mention.start, mention.end))
    return merge(mentions, model)


def _pairs(pairs: Sequence[tuple[Mention, Mention]]) -> Pairs:
    told = [pair_features((stem(a.text), a.start), (stem(b.text), b.start)) for a, b in pairs]
    first, second = zip(*pairs, strict=True)
    states = [np.stack([one.state for one in side]) for side in (first, second)]
    types = [np.stack([one.types for one in side]) for side in (first, second)]
    return Pairs(states[0], states[1], types[0], types[1], np.array(told, np.float32))


def _likely(one: Happening, model: Model) -> bool:
    return one.score >= model.calibration.trigger_thresholds[list(model.labels.incident_types)[one.type]]


def _incidents(parts: Sequence[Part], found: Sequence[Sequence[Happening]], texts: Sequence[str], model: Model) -> list[list[Incident]]:
    """The incidents of each part, with what all their mentions say of participants and status."""
    jobs = _jobs(found, parts, model.calibration.around)
    left = Counter((job.part, job.incident, job.mention.window) for job in jobs)
    waiting: dict[tuple[int, int, int], list[tuple[WordRange, Participants]]] = defaultdict(list)
    statuses: dict[tuple[int, int], list[Floats]] = defaultdict(list)
    told: dict[tuple[int, int], list[tuple[int, list[Participant]]]] = defaultdict(list)
    for job, one in _asked(jobs, parts, model):
        key, whole = (job.part, job.incident, job.mention.window), (job.part, job.incident)
        statuses[whole].append(one.status_logits)
        waiting[key].append((job.words, one))
        if len(waiting[key]) == left[key]:  # at once: kept for all incidents, the answers would be most of what reading takes of memory
            part = parts[job.part]
            picked = list(_participants(part.windows[job.mention.window], waiting.pop(key), texts[part.text], model))
            told[whole].append((job.mention.window, picked))
    return [
        [_incident(one, statuses[place, number], told[place, number], texts[part.text], model) for number, one in enumerate(happenings)]
        for place, (part, happenings) in enumerate(zip(parts, found, strict=True))
    ]


def _jobs(found: Sequence[Sequence[Happening]], parts: Sequence[Part], around: int) -> list[_Job]:
    """Up to ASKED mentions of every incident in every window."""
    jobs = []
    for place, happenings in enumerate(found):
        for number, one in enumerate(happenings):
            asked: dict[int, int] = {}
            for mention in one.mentions:
                asked[mention.window] = asked.get(mention.window, 0) + 1
                if asked[mention.window] <= ASKED:
                    last = len(parts[place].windows[mention.window].words)
                    words = WordRange(max(0, mention.words.start - around), min(last, mention.words.stop + around))
                    jobs.append(_Job(place, number, mention, one.type, words))
    return jobs


def _asked(jobs: Sequence[_Job], parts: Sequence[Part], model: Model) -> Iterator[tuple[_Job, Participants]]:
    """What the participants graph says of mentions, those of which like many words are read together."""
    words = [job.words.length for job in jobs]
    order = sorted(range(len(jobs)), key=lambda n: words[n])
    chosen: list[int] = []
    for n in order:
        together = (len(chosen) + 1) * words[n]
        if chosen and (together > WORDS_A_BATCH or together * words[n] > CELLS_A_BATCH):
            yield from _ask([jobs[m] for m in chosen], parts, model)
            chosen = []
        chosen.append(n)
    if chosen:
        yield from _ask([jobs[m] for m in chosen], parts, model)


def _ask(jobs: Sequence[_Job], parts: Sequence[Part], model: Model) -> Iterator[tuple[_Job, Participants]]:
    lengths = [job.words.length for job in jobs]
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    width = parts[jobs[0].part].states[jobs[0].mention.window].shape[1]
    states = np.zeros((*mask.shape, width), np.float32)
    for row, job in enumerate(jobs):
        states[row, : lengths[row]] = parts[job.part].states[job.mention.window][slice(*job.words)]
    triggers = np.array([(*(np.array(job.mention.words) - job.words.start), job.type) for job in jobs], np.int64)
    said = model.backend.participants(states, mask, Triggers(*(column.copy() for column in triggers.T)))
    HOLES.after(mask.size)
    for row, (job, n) in enumerate(zip(jobs, lengths, strict=True)):
        yield job, Participants(said.role_logits[row, :n, :n], said.status_logits[row], said.sector_logits[row, :n])


def _incident(
    one: Happening, statuses: Sequence[Floats], told: Sequence[tuple[int, list[Participant]]], text: str, model: Model
) -> Incident:
    labels = model.labels
    found = [participant for _, picked in sorted(told, key=itemgetter(0)) for participant in picked]
    status = list(labels.statuses)[int(np.mean(statuses, 0).argmax())]
    trigger, *others = (Span(mention.start, mention.end, mention.text) for mention in one.mentions)
    mentions = tuple(sorted(others, key=lambda span: span.start))
    order = {name: place for place, name in enumerate(labels.roles)}
    once = told_once(found, labels.actors, model.calibration)
    participants = tuple(sorted(once, key=lambda p: (order[p.role], p.start)))
    return Incident(list(labels.incident_types)[one.type], status, trigger, participants, one.score, mentions)


def _participants(window: Window, said: Sequence[tuple[WordRange, Participants]], text: str, model: Model) -> Iterator[Participant]:
    """Participants of an incident in one window: what the surest of its mentions there says of a span; their mean decides the sector."""
    labels, calibration = model.labels, model.calibration
    roles, sectors = list(labels.roles), list(labels.sectors)
    thresholds = np.array([calibration.role_thresholds[name] for name in roles], np.float32)
    first, role_logits, sector_logits = _together(said)
    for role, words, score in pick_participants(role_logits, thresholds, calibration.role_temperature):
        span = _span(window, WordRange(first + words.start, first + words.stop), text)
        sector = sectors[int(sector_logits[slice(*words)].mean(0).argmax())] if labels.roles[roles[role]].sector else None
        yield Participant(span.start, span.end, span.text, roles[role], sector, score)


def _together(said: Sequence[tuple[WordRange, Participants]]) -> tuple[int, Floats, Floats]:
    """The first word that a mention saw, and from there on the largest role logits and the mean sector logits of those that saw a word."""
    first, last = min(words.start for words, _ in said), max(words.stop for words, _ in said)
    (_, one), n = said[0], last - first
    if len(said) == 1:
        return first, one.role_logits, one.sector_logits
    roles = np.full((n, n, one.role_logits.shape[2]), UNSEEN, np.float32)
    sectors, seen = np.zeros((n, one.sector_logits.shape[1]), np.float32), np.zeros((n, 1), np.float32)
    for words, one in said:
        within = slice(words.start - first, words.stop - first)
        np.maximum(roles[within, within], one.role_logits, out=roles[within, within])
        sectors[within] += one.sector_logits
        seen[within] += 1
    return first, roles, np.asarray(sectors / np.maximum(seen, 1), np.float32)


def _span(window: Window, words: WordRange, text: str) -> Span:
    start, end = window.span(words)
    return Span(start, end, text[start:end])


def _reading(incidents: Sequence[Incident], types: Floats, windows: int, truncated: bool, screened: int, model: Model) -> Reading:
    scores = {name: round(float(p), 6) for name, p in zip(model.labels.incident_types, types, strict=True)}
    kept = borne_out(incidents, scores, model.calibration.reports)
    ordered = tuple(sorted(kept, key=lambda incident: (incident.trigger.start, incident.trigger.end)))
    label_set = f"{model.labels.name}/{model.labels.version}"
    return Reading(ordered, scores, windows, truncated, label_set, model.name, screened=screened)


def pad_id(tokenizer: Tokenizer) -> int:
    """The id that fills a batch up."""
    return int(tokenizer.token_to_id("[PAD]") or 0)
