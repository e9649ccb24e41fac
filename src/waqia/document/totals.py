"""Which of several counts of one incident stands for it: «مقتل ثلاثة», «ارتفع العدد إلى خمسة», «مقتل 160 منذ بداية العام».

News tells the incident first and what came before it last, so the first sentence that gives a number decides, there the larger one; a
later one that says that the number rose is taken, what sums up a longer time is not. All others are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from waqia.document.counts import Bound, Counts
from waqia.document.numbers import fold, split_words
from waqia.document.peoplewords import fate
from waqia.document.sentences import sentence_around
from waqia.schema import Span

_SUMS_UP = re.compile(
    r"منذ|خلال (?:ال)?(?:عام|سنه|شهر|اشهر|اسبوع|ايام|اسابيع)|(?:ال)?(?:عام|شهر|سنه) (?:ال)?(?:حالي|جاري|ماضي)|استجاب|وثق|تعداد|اجمالي"
    r"|(?:بداي[هة]|مطلع) (?:ال)?(?:عام|سن|شهر)"
)
_ROSE = re.compile(r"\b[وف]?(?:ب|ل)?(?:ال)?(?:ارتفع\w{0,2}|[يت]رتفع|ارتفاع)\b")
_LIST = 60  # characters between two counts that one sentence adds up («خمسة من الجيش، وستة من الهيئة»)


@dataclass(frozen=True, slots=True)
class Told:
    """A phrase and what it counts; `source` is "sentence" where no participant tells it."""

    span: Span
    counts: Counts
    source: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts that stand for an incident, the phrases that tell them, and per kind every other count that its text gives."""

    counts: Counts = field(default_factory=Counts)
    told: Mapping[str, Told] = field(default_factory=dict)
    others: Mapping[str, tuple[Bound, ...]] = field(default_factory=dict)


def totals(text: str, phrases: Sequence[Told]) -> Totals:
    """What several phrases about one incident tell together; of each kind the number over the vague word, then as the module says."""
    ordered = _added(text, sorted(phrases, key=lambda told: told.span.start))
    chosen: dict[str, Told] = {}
    others: dict[str, tuple[Bound, ...]] = {}
    for kind in (kind.name for kind in fields(Counts)):
        telling = [told for told in ordered if kind in told.counts.bounds]
        if telling:
            chosen[kind] = _choose(text, telling, kind)
            best = chosen[kind].counts.bounds[kind]
            others[kind] = tuple(dict.fromkeys(bound for told in telling if (bound := told.counts.bounds[kind]) != best))
    counts = Counts(**{kind: told.counts.bounds[kind] for kind, told in chosen.items()})
    return Totals(counts, chosen, {kind: bounds for kind, bounds in others.items() if bounds})


def sums_up(sentence: str) -> bool:
    """Whether a sentence counts what happened in a longer time («منذ بداية العام»), not in one incident."""
    return bool(_SUMS_UP.search(fold(sentence)))


def _choose(text: str, telling: Sequence[Told], kind: str) -> Told:
    exact = [told for told in telling if not told.counts.bounds[kind].word] or telling
    sentences = {told.span.start: sentence_around(text, told.span.start) for told in exact}
    own = [told for told in exact if not sums_up(text[slice(*sentences[told.span.start])])] or exact
    first = sentences[own[0].span.start]
    best = max((told for told in own if sentences[told.span.start] == first), key=lambda told: told.counts.bounds[kind].min)
    for told in own:
        more = told.span.start > best.span.start and told.counts.bounds[kind].min > best.counts.bounds[kind].min
        best = told if more and _ROSE.search(fold(text[slice(*sentences[told.span.start])])) else best
    return best


def _added(text: str, ordered: Sequence[Told]) -> list[Told]:
    """The phrases with those added up that go on with a list: «خمسة من الجيش», «وستة من الهيئة»."""
    merged: list[Told] = []
    for told in ordered:
        last = merged[-1] if merged else None
        if last is not None and _goes_on(text, last, told):
            counts = {kind: bound + told.counts.bounds[kind] for kind, bound in last.counts.bounds.items() if kind in told.counts.bounds}
            span = Span(last.span.start, told.span.end, text[last.span.start : told.span.end])
            merged[-1] = Told(span, Counts(**{**last.counts.bounds, **counts}), last.source)
        else:
            merged.append(told)
    return merged


def _goes_on(text: str, last: Told, told: Told) -> bool:
    listed = 0 <= told.span.start - last.span.end <= _LIST and sentence_around(text, last.span.start)[1] >= told.span.end
    counted = not any(bound.word for bound in (*told.counts.bounds.values(), *last.counts.bounds.values()))
    if not (listed and counted and told.span.text.startswith("و") and told.counts.bounds.keys() & last.counts.bounds.keys()):
        return False
    between = text[last.span.end : told.span.start]
    return all(fate(word) is None for word in split_words(fold(f"{between} {told.span.text}")))
