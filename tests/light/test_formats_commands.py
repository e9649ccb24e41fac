"""convert, validate and labels, and frames of readings."""

from __future__ import annotations

import csv
import json

import pytest

from waqia import codes, to_frame
from waqia.cli import main
from waqia.errors import ConfigError
from waqia.records import parse_record


@pytest.fixture
def records(tmp_path, row):
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    return path


def test_records_go_to_label_studio_and_come_back_the_same(records, tmp_path, capsys):
    assert main(["convert", str(records), str(tmp_path / "tasks.json"), "--to", "label-studio"]) == 0
    assert main(["convert", str(tmp_path / "tasks.json"), str(tmp_path / "back.jsonl")]) == 0
    assert json.loads((tmp_path / "back.jsonl").read_text("utf-8")) == json.loads(records.read_text("utf-8"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("1 records, 1 incidents\n")


def test_validate_tells_every_fault_and_ends_with_3(records, tmp_path, row, capsys):
    row["incidents"][0]["type"] = row["incidents"][0]["status"] = "boom"
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps(row) + "\n", "utf-8")
    assert main(["validate", str(records), str(bad)]) == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{records}: records, 1 good records, 1 incidents, 3 participants; 0 faults"
    assert out[-1] == f"{bad}: 2 faults"


def test_a_table_is_no_annotation_and_that_is_told_in_one_line(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n", "utf-8")
    assert main(["convert", str(path), str(tmp_path / "out")]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_labels_are_printed_with_codes(capsys):
    assert main(["labels"]) == 0
    out = capsys.readouterr().out
    assert "shelling  قصف مدفعي أو صاروخي" in out
    assert "ACLED: Explosions/Remote violence/Shelling/artillery/missile attack\n    PLOVER: ASSAULT/heavy-weapons" in out


def test_readings_become_tasks_to_correct(tmp_path, capsys):
    path = tmp_path / "news.csv"
    path.write_text("n,body\n5,قتل ثلاثة مدنيين في قصف مدفعي على مدينة إدلب مساء أمس.\n", "utf-8")
    out = tmp_path / "tasks.json"
    assert main(["convert", str(path), str(out), "--prelabel", "--to", "label-studio", "--id-field", "n", "--text-field", "body"]) == 0
    (task,) = json.loads(out.read_text("utf-8"))
    assert task["data"]["id"] == "5"
    assert "shelling" in [label for part in task["predictions"][0]["result"] for label in part.get("value", {}).get("labels", ())]


def test_codes_are_those_of_the_label_set(labels, row):
    incident = parse_record(row, labels, "here").incidents[0]
    assert codes(incident, labels) == {"acled": ["Violence against civilians/Attack"], "plover": "ASSAULT"}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_has_a_row_an_incident(library, labels, row):
    pytest.importorskip(library)
    row["incidents"][0]["killed"] = 3
    frame = to_frame([parse_record(row, labels, "here")], labels, library=library)
    assert frame.shape == (1, 25)
    first = frame.to_dict("records")[0] if library == "pandas" else frame.to_dicts()[0]
    assert (first["id"], first["type"], first["killed"], first["initiator"], first["initiator_sector"]) == (
        "t-1",
        "armed_attack",
        3,
        "مسلحون",
        "UAF",
    )
    assert (first["plover"], first["acled"]) == ("ASSAULT", "Violence against civilians/Attack")


def test_a_frame_is_refused_where_one_reading_or_too_few_ids_are_given(labels, row):
    record = parse_record(row, labels, "here")
    with pytest.raises(TypeError, match=r"many readings, found one Record; use to_frame\(\[reading\]\)"):
        to_frame(record, labels)
    for ids in ([], ["a", "b"]):
        with pytest.raises(ConfigError, match=f"found {len(ids)} ids for 1 readings"):
            to_frame([record], labels, ids=ids)


def test_incidents_are_written_as_a_table(records, tmp_path):
    out = tmp_path / "out.csv"
    assert main(["convert", str(records), str(out), "--to", "csv"]) == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["id"], line["type"], line["initiator"], line["plover"]) == ("t-1", "armed_attack", "مسلحون", "ASSAULT")


@pytest.mark.parametrize("name", [7, 1.5, "7", True])
@pytest.mark.parametrize("form", ["label-studio", "doccano", "prodigy", "conll", "records"])
def test_an_id_of_any_json_scalar_comes_back_as_it_is(form, name, row, tmp_path):
    row["id"] = name
    paths = [tmp_path / part for part in ("in.jsonl", "there.conll" if form == "conll" else "there", "back.jsonl")]
    paths[0].write_text(json.dumps(row) + "\n", "utf-8")
    assert main(["validate", str(paths[0])]) == 0
    assert main(["convert", str(paths[0]), str(paths[1]), "--to", form]) == 0
    assert main(["convert", str(paths[1]), str(paths[2]), "--from", form]) == 0
    back = json.loads(paths[2].read_text("utf-8"))["id"]
    assert (back, type(back)) == (name, type(name))


def test_a_number_and_the_same_as_text_are_two_ids(row, tmp_path, capsys):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({**row, "id": name}) + "\n" for name in (1, "1", 1)), "utf-8")
    assert main(["validate", str(path)]) == 3
    out = capsys.readouterr().out
    assert "in.jsonl:3: id 1 stands already in line 1" in out
    assert out.count("stands already") == 1
    path.write_text("".join(json.dumps({**row, "id": name}) + "\n" for name in (1, "1")), "utf-8")
    assert main(["convert", str(path), str(tmp_path / "folder"), "--to", "brat"]) == 3
    assert "brat names files by the id" in capsys.readouterr().err


def test_a_text_cannot_bring_a_formula_into_a_table(row, tmp_path, capsys):
    text = "=1+2 هجوم"
    row.update(text=text, incidents=[{**row["incidents"][0], "trigger": {"start": 0, "end": 9, "text": text}, "participants": []}])
    path, out = tmp_path / "in.jsonl", tmp_path / "out.csv"
    path.write_text(json.dumps(row) + "\n", "utf-8")
    assert main(["convert", str(path), str(out)]) == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["trigger"] == "'=1+2 هجوم"
    assert "1 × cell that a spreadsheet takes for a formula" in capsys.readouterr().err


def test_a_frame_has_the_coordinates_of_the_most_exact_place_and_of_no_inferred_one(labels, row):
    pytest.importorskip("pandas")
    inferred = {"latitude": 1.0, "longitude": 2.0, "inferred": True}
    row["incidents"][0]["facts"] = {"places": [{"latitude": 13.58, "longitude": 44.02, "inferred": False}, inferred]}
    with_place = parse_record(row, labels, "here")
    row["incidents"][0]["facts"] = {"places": [inferred]}
    frame = to_frame([with_place, parse_record(row, labels, "here")], labels)
    assert frame["latitude"].tolist()[0] == 13.58
    assert frame["longitude"].isna().tolist() == [False, True]
