"""Measuring facts: figures of phrases and of coded texts, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eval.facts import airwars, values
from eval.facts.__main__ import main
from eval.facts.geo import Meant
from waqia.document.facts import add_facts
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Span

TEXT = "قتل ثلاثة مدنيين وأصيب خمسة في قصف أمس"


def rows(path: Path, *items: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), "utf-8")
    return path


def time(phrase: str = "أمس", **fields: Any) -> dict[str, Any]:
    gold = {"date": "2023-05-12", "start": "2023-05-11", "end": "2023-05-11", "grain": "day"}
    return {"id": phrase, "phrase": phrase, "context": f"وقع القصف [{phrase}] في البلدة", **gold, **fields}


def count(phrase: str, gold: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": phrase, "phrase": phrase, "context": f"ما أسفر عن [{phrase}]", "values": gold, **fields}


def participant(role: str, text: str) -> Participant:
    start = TEXT.index(text)
    return Participant(start, start + len(text), text, role, None)


def reading() -> Reading:
    people = (participant("casualties", "ثلاثة مدنيين"), participant("casualties", "وأصيب خمسة"), participant("time", "أمس"))
    return Reading((Incident("shelling", "actual", Span(31, 34, "قصف"), people),))


def test_time_phrases_are_exact_or_wrong(tmp_path: Path) -> None:
    result = values.measure(rows(tmp_path / "t.jsonl", time(), time("أول أمس")))
    assert result["figures"]["time exact"]["value"] == 0.5
    assert result["errors"] == [
        {
            "kind": "day read as day, other days",
            "id": "أول أمس",
            "phrase": "أول أمس",
            "gold": ["2023-05-11", "2023-05-11", "day"],
            "read": ["2023-05-10", "2023-05-10", "day"],
        }
    ]


def test_casualties_phrases_need_every_kind_and_about(tmp_path: Path) -> None:
    gold = {"killed": [2, 2], "injured": [7, 7]}
    file = rows(tmp_path / "c.jsonl", count("مقتل اثنين وإصابة سبعة", gold), count("مقتل نحو 40", {"killed": [40, 40]}))
    result = values.measure(file)
    assert result["figures"]["counts exact"] == {"value": 0.5, "interval": (0.0, 1.0), "of": 2}
    assert result["error_kinds"] == {"about": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a", "phrase": "أمس"}, "t.jsonl:1: expected an object with the texts id, phrase, context"),
        (time(grain="noon"), "t.jsonl:1: أمس: grain is 'noon', expected one of hour"),
        (time(date="2023-02-30"), "t.jsonl:1: أمس: date is '2023-02-30', expected \"YYYY-MM-DD\" or null"),
        (time(context="لا شيء"), "the context does not hold"),
        (count("مقتل 3", {"dead": [3, 3]}), "expected \\[min, max or null\\] for some of killed"),
    ],
)
def test_an_odd_row_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        values.measure(rows(tmp_path / "t.jsonl", row))


def test_a_file_without_rows_or_with_an_id_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="has no rows"):
        values.measure(rows(tmp_path / "t.jsonl"))
    with pytest.raises(RecordError, match=r"t\.jsonl:2: id 'أمس' twice"):
        values.measure(rows(tmp_path / "t.jsonl", time(), time()))


def test_the_command_prints_figures_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["values", str(rows(tmp_path / "t.jsonl", time())), "--out", str(tmp_path / "out.json")])
    assert "time exact" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["figures"]["time exact"]["value"] == 1.0


def test_coded_text_is_right_within_a_day_and_within_bounds(labels: LabelSet) -> None:
    coded = airwars.Coded("a", TEXT, date(2023, 5, 12), "i", date(2023, 5, 10), (2, 3), (1, 4))
    tally, errors = airwars.score(coded, reading(), Meant.of(labels))
    assert (tally["date within 1 day"].hits, tally["killed within bounds"].hits, tally["injured within bounds"].hits) == (1, 1, 0)
    assert errors == [{"kind": "injured: another", "id": "a", "coded": [1, 4], "read": 5}]


@pytest.mark.parametrize(
    ("said", "coded", "within", "overlap"),
    [("وأصيب آخرون", (3, 5), 0, 1), ("وأصيب آخرون", (1, 1), 0, 0), ("وأصيب خمسة", (1, 4), 0, 0), ("وأصيب خمسة", (4, 6), 1, 1)],
)
def test_an_open_bound_stands_for_its_least_but_leaves_room_for_more(
    labels: LabelSet, said: str, coded: tuple[int, int], within: int, overlap: int
) -> None:
    text = f"قصف {said}"
    people = (Participant(4, len(text), said, "casualties", None),)
    read = Reading((Incident("shelling", "actual", Span(0, 3, "قصف"), people),))
    tally, _ = airwars.score(airwars.Coded("a", text, None, "i", None, None, coded), read, Meant.of(labels))
    assert (tally["injured within bounds"].hits, tally["injured bounds overlap"].hits) == (within, overlap)


@pytest.mark.parametrize(("status", "right"), [("actual", 1), ("unrealised", 0), (None, 0)])
def test_a_reading_carries_the_day_of_the_text_only_with_an_incident_that_happened(
    labels: LabelSet, status: str | None, right: int
) -> None:
    incidents = () if status is None else (Incident("shelling", status, Span(0, 3, "قصف")),)
    coded = airwars.Coded("a", "قصف", date(2023, 5, 12), "i", date(2023, 5, 12), None, None)
    tally, _ = airwars.score(coded, Reading(incidents), Meant.of(labels))
    told, rule, asked = (tally[f"date within 1 day{name}"].hits for name in ("", ", else the text's day", ", Facts(text_day=True)"))
    assert (told, rule, asked) == (0, 1, right)


def test_a_fact_that_was_not_coded_is_not_asked(labels: LabelSet) -> None:
    tally, errors = airwars.score(airwars.Coded("a", TEXT, None, "i", date(2023, 5, 10), None, None), reading(), Meant.of(labels))
    assert (tally, errors) == ({}, [])


def test_a_coded_row_with_odd_bounds_is_named(tmp_path: Path) -> None:
    row = {"id": "a", "text": TEXT, "date": "", "facts": {"incident": "i", "date": "2023-05-10", "killed": [3, 1], "injured": None}}
    with pytest.raises(RecordError, match=r"a.jsonl:1: a: killed is \[3, 1\], expected \[min, max\] or null"):
        list(airwars.read_coded(rows(tmp_path / "a.jsonl", row)))


def test_facts_fill_the_incident_and_carry_their_spans() -> None:
    incident = add_facts(TEXT, reading(), date(2023, 5, 12)).incidents[0]
    assert (incident.date, incident.killed, incident.injured) == ("2023-05-11", 3, 5)
    assert incident.facts is not None
    assert incident.facts["date"]["span"] == {"start": 35, "end": 38, "text": "أمس"}
