from __future__ import annotations

import json

import pytest

from waqia import RecordError, Span, read_records, write_records
from waqia.records import dump_row, parse_record


def fault(row, labels) -> str:
    with pytest.raises(RecordError) as caught:
        parse_record(row, labels, "f.jsonl:7")
    message = str(caught.value)
    assert message.startswith("f.jsonl:7")
    return message


def test_records_written_and_read_again_are_equal(tmp_path, row, labels):
    record = parse_record({**row, "source": "صحيفة", "annotated": ["armed_attack"]}, labels, "x")
    write_records(tmp_path / "r.jsonl", [record])
    assert list(read_records(tmp_path / "r.jsonl", labels)) == [record]
    assert record.extra == {"source": "صحيفة"}


def test_a_row_comes_out_as_it_went_in(row, labels):
    assert parse_record(row, labels, "x").to_dict() == row


def test_offsets_behind_an_emoji_count_code_points(row, labels):
    target = parse_record(row, labels, "x").incidents[0].participants[1]
    assert row["text"][target.start : target.end] == "دورية للشرطة"


def test_an_unknown_type_is_named_with_those_that_exist(row, labels):
    row["incidents"][0]["type"] = "war"
    assert "type is 'war', expected one of armed_clash" in fault(row, labels)


def test_an_unknown_status_is_named(row, labels):
    row["incidents"][0]["status"] = "maybe"
    assert "status is 'maybe', expected one of actual" in fault(row, labels)


def test_an_actor_needs_a_known_sector(row, labels):
    row["incidents"][0]["participants"][0]["sector"] = "ARMY"
    assert "initiator has sector 'ARMY', expected one of GOV" in fault(row, labels)


def test_a_place_takes_no_sector(row, labels):
    row["incidents"][0]["participants"][2]["sector"] = "GOV"
    assert "place has sector 'GOV', expected null" in fault(row, labels)


def test_a_span_past_the_end_of_the_text_is_an_error(row, labels):
    row["incidents"][0]["trigger"]["end"] = 500
    assert "lies outside the text of" in fault(row, labels)


def test_an_empty_span_is_an_error(row, labels):
    row["incidents"][0]["trigger"] = {"start": 3, "end": 3, "text": ""}
    assert "is empty" in fault(row, labels)


def test_a_text_that_does_not_match_its_offsets_shows_both_readings(row, labels):
    row["incidents"][0]["trigger"]["text"] = "قصف"
    assert "0:4 reads 'هاجم', labelled 'قصف'" in fault(row, labels)


def test_offsets_counted_in_utf16_are_recognised(row, labels):
    target = row["incidents"][0]["participants"][1]
    target["start"] += 1
    target["end"] += 1
    assert "UTF-16" in fault(row, labels)


def test_every_fault_of_a_row_is_reported(row, labels):
    row["incidents"][0]["type"] = "war"
    row["incidents"][0]["status"] = "maybe"
    assert len(fault(row, labels).splitlines()) == 2


def test_a_participant_may_not_stand_twice_in_a_role(row, labels):
    row["incidents"][0]["participants"].append(row["incidents"][0]["participants"][0])
    assert "twice" in fault(row, labels)


def test_two_incidents_alike_in_every_part_are_an_error(row, labels):
    row["incidents"].append(row["incidents"][0])
    assert "stands twice, the same in every part" in fault(row, labels)


@pytest.mark.parametrize("score", [float("nan"), 1.5, "high", True])
def test_a_score_is_a_number_from_0_to_1(row, labels, score):
    row["incidents"][0]["score"] = score
    assert "expected a number from 0 to 1" in fault(row, labels)


@pytest.mark.parametrize(("key", "value"), [("id", ""), ("text", None), ("incidents", {}), ("annotated", ["war"])])
def test_a_field_of_the_wrong_kind_is_named(row, labels, key, value):
    assert f"{key} is {value!r}" in fault({**row, key: value}, labels)


def test_a_broken_line_is_named_with_its_number(tmp_path, row, labels):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(row) + '\n\n{"id": \n', "utf-8")
    with pytest.raises(RecordError, match=r"r\.jsonl:3: no JSON"):
        list(read_records(path, labels))


def test_a_line_in_another_encoding_is_named(tmp_path, labels):
    path = tmp_path / "r.jsonl"
    path.write_bytes("قصف".encode("cp1256") + b"\n")
    with pytest.raises(RecordError, match=r"r\.jsonl:1: byte 0 is no UTF-8"):
        list(read_records(path, labels))


def test_an_id_may_stand_once_in_a_file(tmp_path, row, labels):
    path = tmp_path / "r.jsonl"
    path.write_text(2 * (json.dumps(row) + "\n"), "utf-8")
    with pytest.raises(RecordError, match="'t-1' stands already in line 1"):
        list(read_records(path, labels))


def test_lone_surrogates_survive_writing():
    assert json.loads(dump_row({"text": "قصف\ud800"}).encode("utf-8"))["text"] == "قصف\ud800"


def test_a_span_proves_itself():
    Span(0, 3, "قصف").check("قصف مدفعي", "here")
    with pytest.raises(RecordError, match="here"):
        Span(0, 2, "قصف").check("قصف مدفعي", "here")
