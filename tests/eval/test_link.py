"""Linking against coded incidents, on texts made by hand."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval.link import fit, growth
from eval.link.__main__ import main
from eval.link.growth import grown
from eval.link.measure import linked, main_incidents, measure, pair_f1, read_rows, with_facts
from eval.link.outlines import path, simplified
from tests.light.test_link import _again, _market, _strike
from waqia.bulk import link as link_module
from waqia.bulk.clues import Tables
from waqia.bulk.index import Index
from waqia.bulk.likeness import NAMES, Weights
from waqia.bulk.link import Linker
from waqia.errors import RecordError
from waqia.frame import packaged_labels

TABLES = Tables.packaged(packaged_labels())
WORDS = Weights(**{**dict.fromkeys(NAMES, 0.0), "same_place": 1.0, "threshold": 1.0})


def _coded(row: dict[str, Any], incident: str) -> dict[str, Any]:
    return {**row, "facts": {"incident": incident}}


ROWS = [
    _coded(_strike("a"), "qastun"),
    _coded(_again("b", date="2021-08-10"), "qastun"),  # another day: not one with "same day, same place"
    _coded(_market("c"), "idlib"),
    _coded(_market("d", date="2021-08-08"), "idlib-2"),  # coded apart, one for both
    _coded({"id": "e", "date": "", "text": "بيان عام", "incidents": []}, "idlib"),
]


def test_pairs_of_a_partition_by_hand() -> None:
    gold = [{"facts": {"incident": name}} for name in "xxxyy"]  # 4 pairs
    assert pair_f1(gold, ["1", "1", "2", "2", "2"]) == 2 * 2 / (4 + 4)  # x1-x2 and y-y of 1 + 3 found
    assert pair_f1(gold, list("12345")) == 0.0


def test_linking_and_the_baseline_on_five_texts() -> None:
    result = measure(ROWS, resamples=20)
    assert {name: result[name] for name in ("texts", "events", "pairs", "texts with an incident", "texts with day and place")} == {
        "texts": 5,
        "events": 3,
        "pairs": 2,
        "texts with an incident": 4,
        "texts with day and place": 4,
    }
    values = {name: {key: figure["value"] for key, figure in result[name].items()} for name in ("linking", "same day, same place")}
    assert (values["linking"]["pair precision"], values["linking"]["pair recall"], values["linking"]["pair F1"]) == (0.5, 0.5, 0.5)
    assert (values["same day, same place"]["pair precision"], values["same day, same place"]["pair F1"]) == (0.0, 0.0)
    # B3 of linking, {a b} {c d} {e} against {a b} {c e} {d}: recall (1 + 1 + .5 + .5 + 1) / 5, precision the same
    assert values["linking"]["B3"] == pytest.approx(0.8)
    # LEA: 2 links found of {a b}, none of {c e} and d's own none of {c d}: recall 2 / 5, precision 2 / 5
    assert values["linking"]["LEA"] == pytest.approx(0.4)


def test_a_text_stands_for_the_incident_that_tells_most_of_who_was_hurt() -> None:
    row = _strike("a")
    arrest = {**row["incidents"][0], "type": "arrest", "participants": []}
    (only,) = main_incidents([{**row, "incidents": [arrest, *row["incidents"]]}])
    assert [incident["type"] for incident in only["incidents"]] == ["shelling"]


def test_facts_are_added_once_and_linking_takes_them_as_they_stand() -> None:
    rows = list(main_incidents(with_facts(ROWS, TABLES)))
    assert rows[2]["incidents"][0]["facts"]["places"][0]["name"] == "Idlib"
    assert linked(rows, TABLES, WORDS) == ["a#0", "a#0", "c#0", "c#0", "text e"]


def test_weights_are_fitted_on_the_pairs_that_linking_compares() -> None:
    rows = list(main_incidents(with_facts(ROWS, TABLES)))
    found, same = fit.pairs(rows, TABLES)
    assert same == [True, False]  # b with a, d with c; the others share neither a place nor a rare word
    assert [clues["same_place"] for clues in found] == [1.0, 1.0]
    weights = fit.fit(rows, TABLES)
    assert all(math.isfinite(getattr(weights, name)) for name in NAMES)
    assert weights.threshold in fit.THRESHOLDS


def test_common_words_stand_in_two_texts_at_least_the_most_common_first() -> None:
    assert fit.common_words(["قصف حلب", "القصف في حلب", "قصف قصف", "حلب"]) == "# texts\t4\nحلب\t3\nقصف\t3\n"


def test_the_command_writes_figures_and_refuses_rows_without_a_coded_incident(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.json"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    main([str(rows), "--out", str(out)])
    assert json.loads(out.read_text("utf-8")) == json.loads(capsys.readouterr().out)
    rows.write_text(json.dumps(_strike("a")) + "\n", "utf-8")
    with pytest.raises(RecordError, match=r"rows\.jsonl: a: expected id, text, date and facts with the coded incident"):
        read_rows(rows)


def test_outlines_keep_corners_and_drop_what_lies_on_a_line() -> None:
    assert simplified([(30.0, 30.0), (31.0, 30.01), (32.0, 30.0), (32.0, 31.0)]) == [(30.0, 30.0), (32.0, 30.0), (32.0, 31.0)]


def test_a_country_is_one_ring_of_relative_steps_in_hundredths_of_a_degree() -> None:
    square = {"type": "Polygon", "arcs": [[0, ~1]]}
    arcs = [[[30, 30], [1, 0], [0, 1]], [[30, 30], [0, 1], [1, 0]]]  # right and up; up and right, walked backwards
    topology = {"objects": {"countries": {"geometries": [square]}}, "arcs": arcs, "transform": {"scale": [1, 1], "translate": [0, 0]}}
    assert path(topology) == "M3000-3000l100 0 0-100-100 0 0 100z"


def test_growth_counts_events_and_pairs_of_made_up_incidents() -> None:
    figures = grown(40)
    assert figures["incidents"] == 40
    assert set(figures) == {"incidents", "events", "ms an incident", "peak memory MB", "s to add a day", "pair precision", "pair recall"}
    assert figures["pair precision"] == 25 / 29
    assert figures["pair recall"] > 0.8


def test_what_is_at_hand_and_where_a_run_ends_change_no_event(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link_module, "TOGETHER", 8)
    monkeypatch.setattr(growth, "PER_DAY", 6)
    rows = list(_mixed(54))
    whole = _in_parts(rows, 1, tmp_path / "whole")
    assert any(event["sources"][0]["date"] is None for event in map(json.loads, whole.splitlines()) if len(event["sources"]) > 1)
    monkeypatch.setattr(link_module, "AT_HAND", 10)
    for parts in (1, 6):
        assert _in_parts(rows, parts, tmp_path / str(parts)) == whole


def _mixed(size: int) -> Iterator[dict[str, Any]]:
    """Made-up rows in the order of their days, but for some without a day, some late and some that tell of another day."""
    chance = random.Random(1)
    for row, _ in growth.archive(size, TABLES):
        other = f"2000-01-{chance.randint(1, 15):02d}"
        kind = chance.choice(("plain", "plain", "plain", "undated", "late", "told"))
        if kind == "told":
            date = {"start": other, "end": other, "time_precision": 1, "span": {"start": 0, "end": 3, "text": row["text"][:3]}}
            row["incidents"][0]["facts"]["date"] = {**date, "grain": "day", "anchored": "text date"}
        yield row if kind in ("plain", "told") else {**row, "date": "" if kind == "undated" else other}


def _in_parts(rows: list[dict[str, Any]], parts: int, folder: Path) -> bytes:
    """The events file of rows linked in so many runs, each onto the one before."""
    folder.mkdir()
    events, part = folder / "events.jsonl", folder / "part"
    for start in range(0, len(rows), len(rows) // parts):
        index = Index.beside(events)
        assert (index is None) == (start == 0)
        linker = Linker(TABLES, index=index)
        for row in rows[start : start + len(rows) // parts]:
            linker.add(row)
        with part.open("wb") as out:
            linker.write(out)
        linker.index.save(part, events)
        part.replace(events)
    return events.read_bytes()
