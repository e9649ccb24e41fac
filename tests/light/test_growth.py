"""What a long text costs grows with its length and no faster: steps are counted, not seconds."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import waqia
from tests.light.test_facts_totals import incident
from waqia.document import places
from waqia.document.facts import Claimed, add_facts
from waqia.document.options import Facts
from waqia.document.sentences import FURTHEST, sentence_around
from waqia.frame import packaged_labels
from waqia.model.merge import BACK, clusters, join_types
from waqia.schema import Reading, Span

HOME = str(Path(waqia.__file__).parent)


def steps(work: Callable[[], object]) -> int:
    """How many lines of waqia a call runs; each turn of a comprehension is one."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not frame.f_code.co_filename.startswith(HOME):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def likenesses(count: int) -> dict[tuple[int, int], float]:
    draw = random.Random(1)
    return {(a, b): draw.random() for b in range(count) for a in range(max(0, b - BACK), b)}


@pytest.mark.parametrize(("threshold", "of_a_type"), [(0.5, 0.4), (0.9, 0.6), (1.0, 0.5), (1.0, 0.9)])
def test_merging_twice_the_mentions_takes_twice_the_steps(threshold, of_a_type):
    def merging(count: int) -> int:
        same = likenesses(count)

        def work() -> None:
            groups = clusters(count, same, threshold)
            join_types(groups, [0] * len(groups), same, of_a_type)

        return steps(work)

    assert merging(400) < 2.6 * merging(200)


def told(times: int) -> tuple[str, Reading]:
    """A long report of incidents with places and casualties."""
    towns = ["إدلب", "حلب", "حمص", "درعا", "منبج", "سرمين", "أريحا", "كفرنبل"]
    text, incidents = "", []
    for number in range(times):
        part = f"قصف مدفعي على مدينة {towns[number % 8]} {number} أوقع ثلاثة قتلى ظهر الجمعة. "
        one = incident(part, "قصف", ("place", f"مدينة {towns[number % 8]} {number}"), ("casualties", "ثلاثة قتلى"))
        incidents.append(moved(one, len(text)))
        text += part
    return text, Reading(tuple(incidents))


def moved(one, by: int):
    trigger = Span(one.trigger.start + by, one.trigger.end + by, one.trigger.text)
    return replace(one, trigger=trigger, participants=tuple(replace(p, start=p.start + by, end=p.end + by) for p in one.participants))


def test_facts_of_twice_the_incidents_take_twice_the_steps(monkeypatch):
    monkeypatch.setattr(places, "AROUND", 3)
    monkeypatch.setattr(places, "STRETCH", 300)
    tables = Facts().open(packaged_labels())

    def facts(times: int) -> int:
        text, reading = told(times)
        return steps(lambda: add_facts(text, reading, None, tables=tables))

    facts(1)
    assert facts(48) < 2.3 * facts(24)


def test_a_sentence_without_an_end_is_looked_for_within_2000_characters():
    assert FURTHEST == 2000
    text = "كلمة " * 2000
    assert sentence_around(text, 5000) == (3000, 7000)
    assert sentence_around(text, 100) == (0, 2100)
    assert sentence_around("قصف. " + text, 1000) == (4, 3000)


def test_a_claimed_span_is_found_however_far_a_longer_one_before_it_reaches():
    claimed = Claimed.of([Span(10, 100, ""), Span(20, 30, ""), Span(200, 210, "")])
    assert [claimed.overlap(Span(a, b, "")) for a, b in ((50, 60), (100, 200), (0, 10), (0, 11), (209, 300), (210, 211))] == [
        True, False, False, True, True, False,
    ]  # fmt: skip
    assert not Claimed.of([]).overlap(Span(0, 5, ""))
