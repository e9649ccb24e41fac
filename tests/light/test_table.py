"""Events as tables: ACLED's columns, plain ones, PLOVER, GeoJSON, Parquet, a workbook; pinned on an event made by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from waqia.cli import main
from waqia.errors import RecordError
from waqia.formats.table import ACLED, ACLED_TYPES, COLUMNS, OWN, defused, named_format, sentence, table, write
from waqia.frame import packaged_labels

LABELS = packaged_labels()
TEXT = "قصفت قوات النظام بلدة قسطون السبت. قتل أربعة مدنيين وأصيب خمسة."


def _span(part: str) -> dict[str, Any]:
    return {"start": TEXT.index(part), "end": TEXT.index(part) + len(part), "text": part}


def _event(**more: Any) -> dict[str, Any]:
    regime = {
        "role": "initiator",
        "id": "sy_army",
        "name": "Syrian army",
        "name_ar": "قوات النظام السوري",
        "sector": "MIL",
        "country": "SY",
    }
    people = {"role": "target", "id": None, "name": "أربعة مدنيين", "name_ar": None, "sector": "CVL", "country": None}
    participants = [
        {"role": "initiator", "sector": "MIL", **_span("قوات النظام")},
        {"role": "target", "sector": "CVL", **_span("أربعة مدنيين")},
        {"role": "place", "sector": None, **_span("بلدة قسطون")},
    ]
    incident = {"type": "shelling", "status": "actual", "trigger": _span("قصفت"), "participants": participants}
    source = {
        "id": "a",
        "number": 0,
        "source": "outlet",
        "date": "2021-08-08",
        "passages": [{"start": 0, "text": TEXT}],
        "incident": incident,
        "clue": {"row": "a"},
    }
    silent = {
        "id": "b",
        "number": None,
        "source": "other",
        "date": None,
        "passages": [{"start": 0, "text": "نص"}],
        "incident": None,
        "clue": {"row": "b"},
    }
    return {
        "id": "a#0",
        "type": "shelling",
        "start": "2021-08-07",
        "end": "2021-08-07",
        "time_precision": 1,
        "place": "Qastun",
        "at": {"latitude": 35.7, "longitude": 36.37},
        "where": {
            "name": "Qastun",
            "name_ar": "قسطون",
            "kind": "village",
            "country": "SY",
            "admin": "Hama",
            "exact": True,
            "inferred": False,
        },
        "killed": {"min": 4, "max": 5},
        "injured": {"min": 5, "max": 5},
        "actors": [regime, people],
        "told_by": {"date": [{"id": "a", "number": 0, **_span("السبت")}]},
        "sources": [source, silent],
        "merges": [],
        **more,
    }


def _acled(**more: Any) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(table([_event(**more)], "acled", LABELS)))
    return row


def test_an_acled_row_by_hand() -> None:
    row = _acled()
    assert tuple(row) == (*ACLED, *OWN)
    assert {name: row[name] for name in ACLED} == {
        "event_date": "2021-08-07",
        "year": "2021",
        "time_precision": "1",
        "event_type": "Explosions/Remote violence",
        "sub_event_type": "Shelling/artillery/missile attack",
        "actor1": "Syrian army",
        "assoc_actor_1": "",
        "inter1": "State forces",
        "actor2": "أربعة مدنيين",
        "assoc_actor_2": "",
        "inter2": "Civilians",
        "civilian_targeting": "Civilian targeting",
        "country": "Syria",
        "admin1": "Hama",
        "admin2": "",
        "admin3": "",
        "location": "Qastun",
        "latitude": "35.7",
        "longitude": "36.37",
        "geo_precision": "1",
        "source": "outlet; other",
        "notes": "قصفت قوات النظام بلدة قسطون السبت.",
        "fatalities": "4",
    }
    assert (row["event_id"], row["date_from"], row["killed_max"]) == ("a#0", "text", "5")
    assert json.loads(row["offsets"]) == [{"id": "a", "number": 0, "start": 0, "end": 4}]
    assert [(role["role"], TEXT[role["start"] : role["end"]]) for role in json.loads(row["roles"])] == [
        ("initiator", "قوات النظام"),
        ("target", "أربعة مدنيين"),
        ("place", "بلدة قسطون"),
    ]


def test_what_is_not_known_is_empty_and_never_a_guess() -> None:
    unknown = {
        "start": None,
        "end": None,
        "time_precision": None,
        "place": None,
        "at": None,
        "where": None,
        "killed": None,
        "injured": None,
    }
    row = _acled(**unknown, actors=[], told_by={})
    empty = ("event_date", "year", "time_precision", "actor1", "inter1", "actor2", "civilian_targeting", "country", "latitude")
    assert [row[name] for name in (*empty, "geo_precision", "fatalities", "date_from")] == [""] * 12


def test_a_day_of_publication_is_told_from_a_day_of_the_text() -> None:
    assert (_acled(told_by={}, time_precision=None)["date_from"], _acled()["date_from"]) == ("publication", "text")


@pytest.mark.parametrize(
    ("kind", "exact", "inferred", "code"),
    [
        ("town", True, False, "1"),
        ("town", False, False, "2"),
        ("town", True, True, "2"),
        ("governorate", True, False, "3"),
        ("country", True, False, "3"),
    ],
)
def test_geo_precision_is_acleds_code(kind: str, exact: bool, inferred: bool, code: str) -> None:
    where = {**_event()["where"], "kind": kind, "exact": exact, "inferred": inferred}
    assert _acled(where=where)["geo_precision"] == code


def test_both_sides_of_a_clash_are_actors_and_protesters_are_no_civilians() -> None:
    sides = [{**_event()["actors"][0], "name": name, "sector": sector} for name, sector in (("A", "MIL"), ("B", "REB"))]
    row = _acled(type="armed_clash", actors=sides)
    assert [row[name] for name in ("actor1", "inter1", "actor2", "inter2", "civilian_targeting")] == [
        "A",
        "State forces",
        "B",
        "Rebel group",
        "",
    ]
    crowd = [{**_event()["actors"][1], "role": "initiator"}]
    assert [_acled(type=kind, actors=crowd)["inter1"] for kind in ("protest", "riot")] == ["Protesters", "Rioters"]


@pytest.mark.parametrize("name", list(LABELS.incident_types))
def test_every_type_has_an_event_type_of_acled_though_their_names_hold_slashes(name: str) -> None:
    row = _acled(type=name)
    assert row["event_type"] in ACLED_TYPES
    assert f"{row['event_type']}/{row['sub_event_type']}" == LABELS.incident_types[name].acled[0]


def test_plover_names_event_mode_and_both_sides() -> None:
    (event,) = json.loads(table([_event()], "plover", LABELS))
    assert (event["event_type"], event["event_mode"]) == ("ASSAULT", "heavy-weapons")
    assert event["actor"] == [{"name": "Syrian army", "id": "sy_army", "sector": "MIL", "country": "SY"}]
    assert event["recipient"] == [{"name": "أربعة مدنيين", "id": None, "sector": "CVL", "country": None}]


def test_geojson_has_longitude_first_and_no_point_where_none_is_known() -> None:
    features = json.loads(table([_event(), _event(at=None, where=None)], "geojson", LABELS))["features"]
    assert [feature["geometry"] for feature in features] == [{"type": "Point", "coordinates": [36.37, 35.7]}, None]
    assert [source["id"] for source in features[0]["properties"]["sources"]] == ["a", "b"]


def test_cells_that_begin_like_formulas_are_defused_and_numbers_stay() -> None:
    assert [defused("=1+1"), defused(-3), defused("إدلب")] == ["'=1+1", -3, "إدلب"]
    assert _acled(place="=HYPERLINK(1)")["location"] == "'=HYPERLINK(1)"


def test_parquet_has_numbers_as_numbers(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path / "out.parquet", [_event(), _event(killed=None)], "parquet", LABELS)
    read = parquet.read_table(tmp_path / "out.parquet")
    assert tuple(read.column_names) == COLUMNS
    assert read.column("killed_min").to_pylist() == [4, None]
    assert read.column("latitude").to_pylist() == [35.7, 35.7]


def test_a_workbook_has_events_and_their_sources_and_no_formulas(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    write(tmp_path / "out.xlsx", [_event(place="=1+1\x07")], "xlsx", LABELS)
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    names, cells = ([cell.value for cell in row] for row in book["events"].iter_rows())
    row = dict(zip(names, cells, strict=True))
    assert (row["location"], row["killed_min"], row["latitude"]) == ("=1+1\ufffd", 4, 35.7)
    assert next(cell for cell in list(book["events"].iter_rows())[1] if cell.value == "=1+1\ufffd").data_type == "s"
    _, told, silent = ([cell.value for cell in row] for row in book["sources"].iter_rows())
    assert told == ["a#0", "a", 0, "outlet", "2021-08-08", "shelling", "actual", "قصفت", 0, 4, "قصفت قوات النظام بلدة قسطون السبت."]
    assert silent[:4] == ["a#0", "b", None, "other"]
    book.close()


@pytest.mark.parametrize(
    ("form", "library", "extra"), [("parquet", "pyarrow", "waqia\\[files\\]"), ("xlsx", "openpyxl", "waqia\\[xlsx\\]")]
)
def test_a_format_without_its_library_names_the_extra(
    form: str, library: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from waqia.errors import ConfigError

    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(ConfigError, match=extra):
        write(tmp_path / "out", [_event()], form, LABELS)


def test_the_sentence_of_an_offset_is_found_in_its_passage() -> None:
    passages = [{"start": 0, "text": "أولى. "}, {"start": 100, "text": "ثانية\nهنا. ثالثة."}]
    assert [sentence(passages, at) for at in (2, 101, 112, 50)] == ["أولى.", "ثانية", "ثالثة.", ""]


def test_a_type_of_another_label_set_is_refused() -> None:
    with pytest.raises(RecordError, match="event 'a#0': type 'siege' is not in the label set"):
        table([_event(type="siege")], "csv", LABELS)


@pytest.mark.parametrize(
    ("name", "form"), [("a.csv", "csv"), ("a.PARQUET", "parquet"), ("a.xlsx", "xlsx"), ("a.geojson", "geojson"), ("a.json", "csv")]
)
def test_the_ending_of_the_output_names_its_format(name: str, form: str) -> None:
    assert named_format(Path(name)) == form


def test_the_command_writes_what_the_ending_says_and_keeps_the_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(_event()) + "\n", "utf-8")
    assert main(["table", str(events), "--out", str(tmp_path / "out.geojson")]) == 0
    assert json.loads((tmp_path / "out.geojson").read_text("utf-8"))["features"][0]["id"] == "a#0"
    assert main(["table", str(events), "--out", str(events)]) == 2
    assert "is the input itself" in capsys.readouterr().err
