"""Events across texts: which incidents join, what an event says of itself, and runs that go on from an earlier file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from waqia.bulk import link as link_module
from waqia.bulk.clues import Tables
from waqia.bulk.events import read_by_day
from waqia.bulk.index import Index
from waqia.bulk.likeness import NAMES, Weights
from waqia.bulk.link import Linker, link
from waqia.cli import main
from waqia.errors import RecordError
from waqia.frame import packaged_labels

TABLES = Tables.packaged(packaged_labels())
STRIKE = "قتل أربعة أطفال وأصيب خمسة آخرون، السبت 7 آب، بقصف مدفعي على بلدة قسطون"
AGAIN = "مقتل أربعة أطفال بقصف مدفعي استهدف منزلاً في بلدة قسطون بسهل الغاب يوم السبت"
MARKET = "قتل مدنيان بغارة جوية على سوق في مدينة إدلب"
ONLY = {**dict.fromkeys(NAMES, 0.0), "threshold": 1.0}  # weights that a test sets by name


def _row(
    name: object, text: str = STRIKE, date: str = "2021-08-08", kind: str = "shelling", trigger: str = "قصف مدفعي", **roles: str
) -> dict[str, Any]:
    def span(part: str) -> dict[str, Any]:
        return {"start": text.index(part), "end": text.index(part) + len(part), "text": part}

    participants = [{**span(part), "role": role, "sector": "CVL" if role == "target" else None} for role, part in roles.items()]
    incident = {"type": kind, "status": "actual", "trigger": span(trigger), "participants": participants}
    return {"id": name, "date": date, "source": f"outlet-{name}", "text": text, "incidents": [incident]}


def _strike(name: object, **more: Any) -> dict[str, Any]:
    return _row(name, **{"place": "بلدة قسطون", "casualties": "قتل أربعة أطفال وأصيب خمسة آخرون", **more})


def _again(name: object, **more: Any) -> dict[str, Any]:
    return _row(name, AGAIN, **{"place": "بلدة قسطون", "casualties": "مقتل أربعة أطفال", **more})


def _market(name: object, **more: Any) -> dict[str, Any]:
    return _row(name, MARKET, **{"kind": "air_strike", "trigger": "غارة جوية", "place": "مدينة إدلب", **more})


def _events(*rows: dict[str, Any], weights: Weights | None = None) -> list[dict[str, Any]]:
    linker = Linker(TABLES, weights)
    for row in rows:
        linker.add(row)
    return list(linker.lines())


def _ids(*rows: dict[str, Any]) -> list[list[str]]:
    return [[source["id"] for source in event["sources"]] for event in _events(*rows)]


def test_events_of_other_years_that_share_more_words_do_not_keep_out_one_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "NEAREST", 4)
    more = f"{STRIKE} في حي الزعفران"
    old = [_row(f"old{n}", more, date=f"{1990 + n}-08-08") for n in range(5)]
    events = _events(*old, _row("a", AGAIN), _row("b", more), weights=Weights(**{**ONLY, "rarest": 1.0}))
    assert [[source["id"] for source in event["sources"]] for event in events[5:]] == [["a", "b"]]


def test_two_outlets_on_one_strike_are_one_event_and_another_strike_is_its_own() -> None:
    assert _ids(_strike("a"), _market("m"), _again("b")) == [["a", "b"], ["m"]]


def test_a_merge_names_its_shares_and_the_rare_words_that_carried_it() -> None:
    weights = Weights(**{**ONLY, "rarest": 0.5, "same_place": 1.0, "same_killed": 0.5})
    (event,) = _events(_strike("a"), _again("b"), weights=weights)
    (merge,) = event["merges"]
    assert (merge["id"], merge["number"], merge["with"]) == ("b", 0, {"id": "a", "number": 0})
    words = next(name for name in merge["clues"] if name.startswith("words"))
    assert "«قسطون»" in words
    assert merge["clues"][words] == 3.078  # half of log(1180 / 2.5): seen in both of 1177 + 2 texts
    assert (merge["clues"]["same place"], merge["clues"]["same killed"], merge["score"]) == (1.0, 0.5, 4.578)


def test_a_score_below_the_threshold_is_no_merge() -> None:
    weights = {**ONLY, "same_place": 1.0}
    assert [len(_events(_strike("a"), _again("b"), weights=Weights(**{**weights, "threshold": t}))) for t in (1.0, 1.01)] == [1, 2]


def test_an_event_is_scored_by_its_best_member_and_the_mean_of_all() -> None:
    weights = Weights(**{**ONLY, "same_killed": 3.0, "same_place": 1.5, "threshold": 1.4})
    quiet = _row("q", "قصف مدفعي على بلدة قسطون", place="بلدة قسطون")  # says nothing of the killed: 1.5 with both
    assert [len(e["sources"]) for e in _events(_strike("a"), quiet, _again("b"), weights=weights)] == [3]
    (event,) = _events(_strike("a"), quiet, _again("b"), weights=weights)
    assert [merge["score"] for merge in event["merges"]] == [1.5, 3.75]  # (4.5 + (4.5 + 1.5) / 2) / 2


def test_two_incidents_of_one_text_are_never_merged() -> None:
    row = _strike("a")
    row["incidents"] *= 2
    assert [event["id"] for event in _events(row)] == ["a#0", "a#1"]


def test_a_text_in_which_nothing_was_read_joins_the_event_that_it_tells_and_makes_none() -> None:
    silent = {"id": "s", "date": "2021-08-08", "text": AGAIN + " وفق الدفاع المدني", "incidents": []}
    other = {"id": "o", "date": "2021-08-08", "text": "عقد مجلس الوزراء جلسته الأسبوعية", "incidents": []}
    linker = link([silent, other, _strike("a")], TABLES)
    (event,) = linker.lines()
    assert [(source["id"], source["number"], source["incident"] is None) for source in event["sources"]] == [
        ("a", 0, False),
        ("s", None, True),
    ]
    assert linker.attached == 1


def test_an_event_says_what_its_sources_tell_and_which_words_told_it() -> None:
    (event,) = _events(_strike("a", time="السبت 7 آب"), _again("b", place="بلدة قسطون", casualties="مقتل أربعة أطفال"))
    assert (event["type"], event["start"], event["end"], event["time_precision"]) == ("shelling", "2021-08-07", "2021-08-07", 1)
    assert (event["killed"], event["injured"]) == ({"min": 4, "max": 4}, {"min": 5, "max": 5})
    (date,), (injured,) = event["told_by"]["date"], event["told_by"]["injured"]
    assert (date["id"], STRIKE[date["start"] : date["end"]]) == ("a", "السبت 7 آب")
    assert (injured["value"], injured["text"]) == (5, "قتل أربعة أطفال وأصيب خمسة آخرون")


def test_counts_that_differ_reach_from_the_least_to_the_most_each_with_its_words() -> None:
    more = _row("b", AGAIN.replace("أربعة", "ستة"), place="بلدة قسطون", casualties="مقتل ستة أطفال")
    (event,) = _events(_strike("a"), more, weights=Weights(**{**ONLY, "same_place": 1.0}))
    assert event["killed"] == {"min": 4, "max": 6}
    assert [(span["id"], span["value"]) for span in event["told_by"]["killed"]] == [("a", 4), ("b", 6)]


def test_the_day_of_publication_is_given_as_such_where_no_text_tells_one() -> None:
    (event,) = _events(_market("m"))
    assert (event["start"], event["time_precision"], "date" in event["told_by"]) == ("2021-08-08", None, False)
    (event,) = _events(_market("m", date=""))
    assert (event["start"], event["end"]) == (None, None)


def test_a_place_that_the_gazetteer_knows_has_its_point_and_country() -> None:
    (event,) = _events(_market("m"))
    assert (event["place"], event["at"], event["where"]["country"]) == ("Idlib", {"latitude": 35.93, "longitude": 36.63}, "SY")


def test_a_new_row_joins_the_events_of_an_earlier_run_and_old_rows_are_skipped() -> None:
    old = [json.loads(json.dumps(event)) for event in link([_strike("a"), _market("m")], TABLES).lines()]
    linker = link([_strike("a"), _again("b")], TABLES, old=old)
    assert [[source["id"] for source in event["sources"]] for event in linker.lines()] == [["a", "b"], ["m"]]
    assert linker.skipped == 1


def test_a_run_in_two_parts_gives_what_one_run_gives() -> None:
    rows = [_strike("a"), _market("m"), _again("b"), _market("n", date="2021-08-09")]
    old = [json.loads(json.dumps(event)) for event in link(rows[:2], TABLES).lines()]
    assert [e["id"] for e in link(rows[2:], TABLES, old=old).lines()] == [e["id"] for e in link(rows, TABLES).lines()]


def test_an_id_given_twice_is_refused() -> None:
    linker = Linker(TABLES)
    linker.add(_strike("a"))
    with pytest.raises(RecordError, match="'a' stands on two rows"):
        linker.add(_strike("a"))


def test_rows_that_batch_did_not_write_are_refused() -> None:
    with pytest.raises(RecordError, match="it has no incidents; expected rows as `waqia batch` writes"):
        Linker(TABLES).add({"id": "a", "text": "قصف"})
    with pytest.raises(RecordError, match="2021-02-30"):
        Linker(TABLES).add(_strike("a", date="2021-02-30"))
    with pytest.raises(RecordError, match="type 'siege' is not in the label set"):
        Linker(TABLES).add(_strike("a", kind="siege"))


def test_the_command_links_onto_its_output_and_says_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, events = tmp_path / "rows.jsonl", tmp_path / "events.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in (_strike("a"), _market("m", date=""))), "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    rows.write_text("".join(json.dumps(row) + "\n" for row in (_strike("a"), _again("b"))), "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("2 events, 0 of several sources, 1 without day or place; ")
    assert (
        second
        == "2 events, 1 of several sources, 1 without day or place; 0 texts without an incident joined them, 1 rows were there already"
    )
    assert list(tmp_path.glob("*.part")) == []


def test_a_higher_threshold_merges_less(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in (_strike("a"), _again("b"))), "utf-8")
    for threshold, events in ((-2, 1), (50, 2)):
        out = tmp_path / f"{threshold}.jsonl"
        assert main(["link", str(rows), str(out), f"--threshold={threshold}"]) == 0
        assert len(out.read_text("utf-8").splitlines()) == events


def test_events_of_another_form_are_refused_with_the_command_that_makes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text('{"id": "a#0"}\n', "utf-8")
    assert main(["page", str(events), str(tmp_path / "out.html")]) == 3
    assert "events.jsonl:1: no event: it has no type; make the file again: waqia link" in capsys.readouterr().err


def test_a_guessed_day_is_no_clue_and_an_event_is_dated_by_publication() -> None:
    guess = {"start": "2021-08-08", "end": "2021-08-08", "grain": "day", "time_precision": 2, "anchored": "text date", "source": "text day"}
    plain, guessed = _market("a"), _market("a")
    plain["incidents"][0]["facts"] = {"actors": []}
    guessed["incidents"][0] |= {"date": "2021-08-08", "facts": {"date": guess, "actors": []}}
    (event,), (other,) = _events(guessed), _events(plain)
    assert event["sources"][0]["clue"] == other["sources"][0]["clue"]
    assert (event["start"], event["time_precision"], "date" in event["told_by"]) == ("2021-08-08", None, False)


def test_texts_more_than_two_weeks_apart_are_one_event_only_where_they_tell_of_a_common_day() -> None:
    weights = Weights(**{**ONLY, "same_place": 2.0})
    quiet = {"kind": "air_strike", "trigger": "غارة جوية", "place": "مدينة إدلب"}
    for date, count in (("2021-08-22", 1), ("2021-08-23", 2)):
        assert len(_events(_row("a", MARKET, "2021-08-08", **quiet), _row("b", MARKET, date, **quiet), weights=weights)) == count
    told = MARKET + " يوم 7 آب 2021"
    both = [_row(name, told, date, time="7 آب 2021", **quiet) for name, date in (("a", "2021-08-08"), ("b", "2021-09-30"))]
    assert len(_events(*both, weights=weights)) == 1


@pytest.mark.parametrize(("kind", "other", "count"), [("air_strike", "shelling", 1), ("arrest", "smuggling", 2), ("arrest", "arrest", 1)])
def test_one_strike_may_have_several_types_but_an_arrest_and_a_smuggling_are_two_events(kind: str, other: str, count: int) -> None:
    weights = Weights(**{**ONLY, "same_place": 2.0})
    roles = {"trigger": "غارة جوية", "place": "مدينة إدلب"}
    assert len(_events(_row("a", MARKET, kind=kind, **roles), _row("b", MARKET, kind=other, **roles), weights=weights)) == count


def test_incidents_are_looked_up_by_rare_words_alone() -> None:
    linker = Linker(TABLES)
    linker.add(_strike("a"))
    clue = linker.event(0).members[0].clue
    words = [key for key, _ in linker._keys(clue, linker.bag(clue)) if isinstance(key, str)]
    assert "قسطون" in words
    assert "قتل" not in words  # one text in ninety at most has a rare word


def test_an_index_of_another_state_of_the_events_is_left_aside_and_made_again(tmp_path: Path) -> None:
    rows, events = tmp_path / "rows.jsonl", tmp_path / "events.jsonl"
    rows.write_text(json.dumps(_strike("a")) + "\n", "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    assert Index.beside(events) is not None
    before = events.read_bytes()
    events.write_bytes(before.replace(b"outlet-a", b"outlet-b"))
    os.utime(events, ns=(0, 0))
    assert Index.beside(events) is None
    rows.write_text(json.dumps(_again("b")) + "\n", "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    (event,) = map(json.loads, events.read_text("utf-8").splitlines())
    assert [(source["id"], source["source"]) for source in event["sources"]] == [("a", "outlet-b"), ("b", "outlet-b")]
    Path(f"{events}.index").write_bytes(b"no index")
    assert Index.beside(events) is None


def test_a_line_that_changed_unseen_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, events = tmp_path / "rows.jsonl", tmp_path / "events.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in (_strike("a"), _market("m", date="2020-01-01"))), "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    now, damaged = events.stat(), events.read_bytes().replace(b"outlet-a", b"outlet-x")
    events.write_bytes(damaged)
    os.utime(events, ns=(now.st_atime_ns, now.st_mtime_ns))
    rows.write_text(json.dumps(_market("n")) + "\n", "utf-8")
    assert main(["link", str(rows), str(events)]) == 3
    assert f"{events}:2: not the line that was written; to link onto it as it is, remove {events}.index" in capsys.readouterr().err
    assert events.read_bytes() == damaged


def test_a_text_without_incident_is_looked_at_once_and_one_that_could_not_be_read_again(tmp_path: Path) -> None:
    rows, events = tmp_path / "rows.jsonl", tmp_path / "events.jsonl"
    silent = {"id": "s", "date": "2021-08-08", "text": "عقد مجلس الوزراء جلسته الأسبوعية", "incidents": []}
    rows.write_text("".join(json.dumps(row) + "\n" for row in (silent, {**silent, "id": "e", "text": None, "error": "x"})), "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    index = Index.beside(events)
    assert index is not None
    assert (index.knows("s"), index.knows("e"), index.texts) == (True, False, 1)


def test_rows_are_linked_in_the_order_of_their_days_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    dates = {"a": "2021-08-09", "b": "", "c": "2021-08-08", "d": "2021-08-09"}
    rows.write_text("".join(json.dumps({"id": name, "date": date}) + "\n" for name, date in dates.items()), "utf-8")
    assert [row["id"] for row in read_by_day(rows)] == ["c", "a", "b", "d"]


def test_the_words_of_the_killed_are_not_those_of_the_injured() -> None:
    text = "قتل أربعة أطفال، وأصيب خمسة آخرون بقصف مدفعي على بلدة قسطون"
    row = _row("a", text, place="بلدة قسطون", casualties="قتل أربعة أطفال")
    start = text.index("وأصيب")
    row["incidents"][0]["participants"].append(
        {"start": start, "end": start + 16, "text": text[start : start + 16], "role": "casualties", "sector": None}
    )
    (event,) = _events(row)
    told = {kind: [(span["text"], span["value"]) for span in event["told_by"][kind]] for kind in ("killed", "injured")}
    assert told == {"killed": [("قتل أربعة أطفال", 4)], "injured": [("وأصيب خمسة آخرون", 5)]}
