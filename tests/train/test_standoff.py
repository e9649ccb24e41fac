from __future__ import annotations

import json
from dataclasses import replace

import pytest

from train.data import main
from train.standoff import Letters, make, rebuild
from waqia.errors import RecordError
from waqia.records import parse_record, read_records, write_records
from waqia.schema import Span

TEXT = "وقال المرصد: «قصفت» الطائرات بلدة التين.\n🔴\nوأسفر القصف عن مقتل 3 مدنيين في البلدة!"


def span(said, nth=0):
    start = [place for place in range(len(TEXT)) if TEXT.startswith(said, place)][nth]
    return {"start": start, "end": start + len(said), "text": said}


@pytest.fixture
def record(labels):
    actor = {"role": "initiator", "sector": "MIL", **span("الطائرات")}
    place = {"role": "place", "sector": None, **span("بلدة التين"), "mentions": [span("البلدة")]}
    incident = {"type": "air_strike", "status": "actual", "trigger": span("قصفت"), "participants": [actor, place], "killed": 3}
    incidents = [{**incident, "mentions": [span("القصف")]}]
    row = {"id": "own:1", "source": "own", "date": "2020-05-01", "text": TEXT, "incidents": incidents}
    return parse_record(row, labels, "x")


def test_a_standoff_row_holds_no_word_of_the_text(record):
    said = json.dumps(make(record), ensure_ascii=False)
    assert not any(word in said for word in ("قصف", "المرصد", "الطائرات", "التين", "مدنيين"))
    row = make(record)
    assert [line.get("letters") for line in row["lines"]] == [31, None, 31]
    assert row["incidents"][0]["trigger"] == [10, 14]


def test_from_the_source_the_very_same_record_is_built(record, labels):
    source = "عنوان الصفحة\n" + TEXT + "\nاقرأ أيضا: قصف آخر"
    (built,), counts = rebuild([make(record)], ["نص آخر", source], labels)
    assert built.to_dict() == record.to_dict()
    assert counts == {"the same": 1, "other signs": 0, "not found": 0}


def test_another_cleaning_of_the_source_moves_no_label(record, labels):
    other = TEXT.replace("«قصفت»", '"قَصَفت"').replace("المرصد", "المـرصد").replace(" ", "  ").replace("\n", "\n\n")
    (built,), counts = rebuild([make(record)], [other], labels)
    assert counts == {"the same": 0, "other signs": 1, "not found": 0}
    assert built.incidents[0].trigger.text == "قَصَفت"
    assert built.incidents[0].participants[1].text == "بلدة  التين"
    assert built.incidents[0].participants[1].mentions[0].text == "البلدة"
    assert built.incidents[0].killed == 3


def test_of_two_copies_the_very_same_one_counts(record, labels):
    (built,), counts = rebuild([make(record)], [TEXT.replace("!", "."), TEXT], labels)
    assert built.text == TEXT
    assert counts["the same"] == 1


@pytest.mark.parametrize("source", [TEXT.replace("البلدة", "المدينة"), TEXT.split("\n")[0], ""])
def test_a_text_with_other_letters_is_not_found(record, labels, source):
    assert rebuild([make(record)], [source], labels) == ([], {"the same": 0, "other signs": 0, "not found": 1})


def test_a_span_without_letters_is_refused():
    with pytest.raises(RecordError, match="the span '🔴' holds no letter; label a word"):
        Letters.of(TEXT).range(Span(**span("🔴")))


def test_files_are_made_and_rebuilt_and_what_is_missing_ends_with_3(record, labels, tmp_path, capsys):
    absent = replace(record, id="own:2", text=TEXT + " تتمة")
    write_records(tmp_path / "labelled.jsonl", [record, absent])
    assert main(["standoff", str(tmp_path / "labelled.jsonl"), str(tmp_path / "standoff.jsonl")]) == 0
    (tmp_path / "source.txt").write_text(TEXT, "utf-8")
    command = ["rebuild", str(tmp_path / "standoff.jsonl"), "--sources", str(tmp_path / "source.txt"), "--out", str(tmp_path / "out")]
    assert main(command) == 3
    assert capsys.readouterr().out == "1 the same, 0 other signs, 1 not found\n"
    assert [one.to_dict() for one in read_records(tmp_path / "out" / "standoff.jsonl", labels)] == [record.to_dict()]


def test_the_authored_passages_come_back_from_their_own_texts(root, labels):
    records = list(read_records(root / "data" / "dev.jsonl", labels))
    built, counts = rebuild([make(record) for record in records], [record.text for record in records], labels)
    assert counts == {"the same": len(records), "other signs": 0, "not found": 0}
    assert [one.incidents for one in built] == [record.incidents for record in records]


def test_a_row_that_is_no_standoff_row_is_named_with_what_writes_them(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"id": 1, "text": "قصف"}\n', "utf-8")
    command = ["rebuild", str(tmp_path / "x.jsonl"), "--sources", str(tmp_path / "x.jsonl"), "--out", str(tmp_path / "out")]
    with pytest.raises(RecordError, match=r"x\.jsonl:1: no stand-off row, .* python -m train\.data standoff writes them"):
        main(command)
