"""Events across texts and their tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from waqia.bulk.link import Linker, Tables, link
from waqia.cli import main
from waqia.errors import RecordError
from waqia.formats.table import ACLED_TYPES, defused, table
from waqia.frame import packaged_labels

LABELS = packaged_labels()
TABLES = Tables.packaged(LABELS)


def _row(name: str, place: str = "إدلب", date: str = "2020-01-05") -> dict[str, Any]:
    text = f"قصف {place}"
    where = {"start": 4, "end": len(text), "text": place, "role": "place", "sector": None}
    trigger = {"start": 0, "end": 3, "text": "قصف"}
    kind = next(t for t, entry in LABELS.incident_types.items() if entry.group == "explosions")
    return {
        "id": name,
        "date": date,
        "text": text,
        "incidents": [{"type": kind, "status": "actual", "trigger": trigger, "participants": [where]}],
    }


def test_two_texts_of_one_day_and_place_are_one_event_and_say_why() -> None:
    (event,) = link([_row("a"), _row("b")], TABLES).events
    assert event.merges[0]["clues"] == {"same day": 1.0, "same place": 1.5, "same type": 0.5}


def test_other_places_and_other_days_stay_apart() -> None:
    assert len(link([_row("a"), _row("b", "حمص"), _row("c", date="2020-02-05")], TABLES).events) == 3


def test_an_incident_without_a_date_is_an_event_of_its_own() -> None:
    assert len(link([_row("a", date=""), _row("b", date="")], TABLES).events) == 2


def test_a_new_row_joins_the_events_of_an_earlier_run_and_old_rows_are_skipped() -> None:
    old = [json.loads(json.dumps(event.to_dict())) for event in link([_row("a")], TABLES).events]
    linker = link([_row("a"), _row("b")], TABLES, old=old)
    assert (len(linker.events), linker.skipped, len(linker.events[0].sources)) == (1, 1, 2)


def test_an_id_given_twice_is_refused() -> None:
    linker = Linker(TABLES)
    linker.add(_row("a"))
    with pytest.raises(RecordError, match="stands on two rows"):
        linker.add(_row("a"))


def test_cells_that_begin_like_formulas_are_defused_and_numbers_stay() -> None:
    assert [defused("=1+1"), defused(-3), defused("إدلب")] == ["'=1+1", -3, "إدلب"]


def test_the_command_links_and_writes_a_point_with_its_sources(tmp_path: Path) -> None:
    rows, events, out = tmp_path / "rows.jsonl", tmp_path / "events.jsonl", tmp_path / "out.json"
    rows.write_text("".join(json.dumps(_row(name)) + "\n" for name in "ab"), "utf-8")
    assert main(["link", str(rows), str(events)]) == 0
    assert main(["table", str(events), "--format", "geojson", "--out", str(out)]) == 0
    (feature,) = json.loads(out.read_text("utf-8"))["features"]
    assert [each["id"] for each in feature["properties"]["sources"]] == ["a", "b"]


def test_acled_rows_have_fatalities_empty_where_unknown() -> None:
    lines = table([event.to_dict() for event in link([_row("a")], TABLES).events], "acled", LABELS).splitlines()
    assert lines[0].startswith("event_date,event_type,sub_event_type,location,latitude,longitude,fatalities,")
    date, kind, sub, _, _, _, fatalities, *_ = lines[1].split(",")
    assert (date, kind, sub, fatalities) == ("2020-01-05", "Explosions/Remote violence", "Chemical weapon", "")


@pytest.mark.parametrize("name", list(LABELS.incident_types))
def test_every_type_has_an_event_type_of_acled_though_their_names_hold_slashes(name: str) -> None:
    row = _row("a")
    row["incidents"][0]["type"] = name
    (cells,) = csv.DictReader(table([event.to_dict() for event in link([row], TABLES).events], "acled", LABELS).splitlines())
    assert cells["event_type"] in ACLED_TYPES
    assert f"{cells['event_type']}/{cells['sub_event_type']}" == LABELS.incident_types[name].acled[0]
