from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.analysis.errors import CLASSES, Mark, analyse, classify, classify_incidents, main
from tests.conftest import span
from waqia import Incident, Participant, Record, Span, write_records

TEXT = "هاجم مسلحون دورية للشرطة في تعز واعتقلوا جنديين"


def mark(label, start, end, group=""):
    return Mark(group, label, Span(start, end, "x" * (end - start)))


def kinds(gold, predicted):
    return Counter(verdict.kind for verdict in classify(gold, predicted))


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([mark("a", 0, 4)], [mark("a", 0, 4)], {"right": 1}),
        ([mark("a", 0, 4)], [mark("a", 0, 6)], {"boundary": 1}),
        ([mark("a", 0, 4)], [mark("b", 0, 4)], {"wrong": 1}),
        ([mark("a", 0, 4)], [], {"missed": 1}),
        ([], [mark("a", 0, 4)], {"spurious": 1}),
        ([mark("a", 0, 4), mark("a", 6, 9)], [mark("a", 0, 9)], {"boundary": 1, "merged": 1}),
        ([mark("a", 0, 9)], [mark("a", 0, 4), mark("a", 6, 9)], {"boundary": 1, "split": 1}),
        ([mark("a", 0, 9)], [mark("a", 0, 4), mark("b", 6, 9)], {"boundary": 1, "spurious": 1}),
        ([mark("a", 0, 4, "shelling")], [mark("a", 0, 4, "arrest")], {"missed": 1, "spurious": 1}),
    ],
)
def test_each_kind_of_error_has_its_name(gold, predicted, expected):
    assert kinds(gold, predicted) == expected


MARK = st.builds(lambda label, start, size: mark(label, start, start + size), st.sampled_from("ab"), st.integers(0, 12), st.integers(1, 4))
MARKS = st.lists(MARK, max_size=5)


@settings(max_examples=80, deadline=None)
@given(MARKS, MARKS)
def test_every_mark_is_in_exactly_one_verdict(gold, predicted):
    counts = kinds(gold, predicted)
    paired = counts["right"] + counts["boundary"] + counts["wrong"]
    assert set(counts) <= set(CLASSES)
    assert paired + counts["merged"] + counts["missed"] == len(gold)
    assert paired + counts["split"] + counts["spurious"] == len(predicted)
    assert kinds(gold, gold) == Counter({"right": len(gold)} if gold else {})


def passage(type_, role, sector):
    actor = Participant(**span(TEXT, "مسلحون"), role=role, sector=sector)
    return Record("x", TEXT, (Incident(type_, "actual", Span(**span(TEXT, "هاجم")), (actor,)),))


REPEATED = "اعتقلت الشرطة ثلاثة في تعز. جاءت الاعتقالات بعد هجوم."


def told(type_, *words):
    first, *others = (Span(**span(REPEATED, word)) for word in words)
    return Incident(type_, "actual", first, mentions=tuple(others))


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ([told("arrest", "الاعتقالات")], {"right": 1}),
        ([told("arrest", "اعتقلت"), told("arrest", "الاعتقالات")], {"right": 1, "repeated": 1}),
        ([told("arrest", "اعتقلت"), told("abduction", "الاعتقالات")], {"right": 1, "repeated": 1}),
        ([told("abduction", "اعتقلت"), told("abduction", "الاعتقالات")], {"wrong": 1, "repeated": 1}),
        ([told("arrest", "اعتقلت", "الاعتقالات"), told("armed_attack", "هجوم")], {"right": 1, "spurious": 1}),
    ],
)
def test_a_happening_told_twice_is_a_class_of_its_own_whatever_its_type(predicted, expected):
    gold = [told("arrest", "اعتقلت", "الاعتقالات")]
    assert Counter(verdict.kind for verdict in classify_incidents(gold, predicted)) == expected


def test_confusions_name_what_was_taken_for_what(labels):
    result = analyse([(passage("armed_attack", "initiator", "UAF"), passage("armed_attack", "initiator", "REB"))], labels)
    assert result["confusion"]["sectors"] == [{"gold": "UAF", "predicted": "REB", "count": 1}]
    result = analyse([(passage("armed_attack", "initiator", "UAF"), passage("armed_clash", "initiator", "UAF"))], labels)
    assert result["confusion"]["types"] == [{"gold": "armed_attack", "predicted": "armed_clash", "count": 1}]
    assert result["participants"]["counts"]["missed"] == 1


def test_a_wrong_role_comes_with_record_and_span(labels):
    result = analyse([(passage("armed_attack", "initiator", "UAF"), passage("armed_attack", "target", "UAF"))], labels)
    (example,) = result["participants"]["examples"]["wrong"]
    where = span(TEXT, "مسلحون")
    assert example == {"id": "x", "gold": {"label": "initiator", **where}, "predicted": {"label": "target", **where}}


def test_the_command_prints_and_writes(tmp_path, capsys):
    write_records(tmp_path / "gold.jsonl", [passage("armed_attack", "initiator", "UAF")])
    main([str(tmp_path / "gold.jsonl"), str(tmp_path / "gold.jsonl"), "--out", str(tmp_path / "e.json")])
    assert "participants" in capsys.readouterr().out
    assert json.loads((tmp_path / "e.json").read_text("utf-8"))["triggers"]["counts"]["right"] == 1
