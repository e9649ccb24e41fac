from __future__ import annotations

import json
import re

import pytest

from waqia import RecordError, Span, read_records, write_records
from waqia.records import dump_row, each_row, parse_line, parse_record, prove


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


def bad_line(line: str) -> str:
    with pytest.raises(RecordError) as caught:
        parse_line(line.encode(), "f.jsonl:7")
    message = str(caught.value)
    assert message.startswith("f.jsonl:7: ")
    return message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "a", "text": "x", "id": "b"}', "key 'id' stands twice in one object"),
        ('{"id": "a", "of": {"k": 1, "k": 1}}', "key 'k' stands twice in one object"),
        ('{"score": NaN}', "found NaN, which is no finite number; write null"),
        ('{"score": -Infinity}', "found -Infinity"),
        ('{"score": 1e999}', "found 1e999"),
        (f'{{"id": {"9" * 5000}}}', "a whole number with thousands of digits; put it in quotes"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"id": "a"', "no JSON"),
    ],
)
def test_a_line_that_json_or_python_would_let_through_is_refused(line, message):
    assert message in bad_line(line)


def test_numbers_are_read_as_ever():
    assert parse_line(b'{"a": 1.5, "b": 3, "c": -2e3, "d": null}', "x") == {"a": 1.5, "b": 3, "c": -2000.0, "d": None}


@pytest.mark.parametrize("label", [[], {}, ["armed_attack"], 7, None, True])
@pytest.mark.parametrize("key", ["type", "status", "role", "sector"])
def test_what_is_no_text_where_a_label_belongs_is_named(row, labels, key, label):
    incident = row["incidents"][0]
    (incident if key in incident else incident["participants"][0])[key] = label
    assert re.search(rf"{key} (is )?{re.escape(repr(label))}, expected", fault(row, labels))


@pytest.mark.parametrize("annotated", [[[]], [{}], "armed_attack", {"armed_attack": 1}, [None]])
def test_annotated_of_another_shape_is_named(row, labels, annotated):
    assert f"annotated is {annotated!r}, expected a list" in fault({**row, "annotated": annotated}, labels)


def test_an_incident_outside_annotated_is_named(row, labels):
    assert "incident 0: armed_attack stands not among annotated (protest, riot)" in fault({**row, "annotated": ["protest", "riot"]}, labels)


@pytest.mark.parametrize("name", [7, 1.5])
def test_an_id_may_be_a_number_and_stays_one(row, labels, name):
    assert parse_record({**row, "id": name}, labels, "here").id == name


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\u2028", "", None, {"a": 7}, ["a"]])
def test_an_id_is_text_on_one_line_or_a_number(row, labels, name):
    assert "id is" in fault({**row, "id": name}, labels)


@pytest.mark.parametrize(
    ("path", "wrong", "right"),
    [
        (["incidents", 0], "statuss", "status"),
        (["incidents", 0], "Type", "type"),
        (["incidents", 0], "mention", "mentions"),
        (["incidents", 0, "trigger"], "strat", "start"),
        (["incidents", 0, "participants", 0], "sectors", "sector"),
        ([], "anotated", "annotated"),
        ([], "answer", "answers"),
    ],
)
def test_a_misspelt_field_gets_the_right_one_suggested(row, labels, path, wrong, right):
    item = row
    for step in path:
        item = item[step]
    item[wrong] = item.pop(right, None)
    assert f"unknown field {wrong!r}; did you mean {right!r}?" in fault(row, labels)


def test_a_field_of_its_own_belongs_to_the_record_only(row, labels):
    row["colour"] = "red"
    assert parse_record(row, labels, "x").extra == {"colour": "red"}
    row["incidents"][0]["colour"] = "red"
    assert "unknown field 'colour'; expected type, status, trigger" in fault(row, labels)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("answers", ["yes"], "expected yes or no for each incident type"),
        ("answers", {"protest": ["yes"]}, "expected yes or no"),
        ("answers", {"protest": True}, "expected yes or no"),
        ("answers", {"war": "yes"}, "incident types ['war'] are not in"),
        ("types", {"protest": float("nan")}, "expected a probability"),
        ("types", [0.5], "expected a probability"),
        ("passage_types", "protest", "expected a list of incident types"),
        ("passage_types", [["protest"]], "expected a list of incident types"),
    ],
)
def test_what_a_row_says_of_its_text_as_a_whole_is_proved(row, labels, key, value, message):
    assert message in fault({**row, key: value}, labels)


def test_utf16_is_recognised_where_the_span_lies_beyond_the_text(row, labels):
    row["text"] = "🔴🔴🔴 قصف"
    row["incidents"][0].update(participants=[], trigger={"start": 7, "end": 10, "text": "قصف"})
    message = fault(row, labels)
    assert "lies outside the text of 7 characters" in message
    assert "counted in UTF-16 units it would read right" in message


@pytest.mark.parametrize(
    ("text", "start", "counted"),
    [("عاجل\r\nقصف عنيف", 5, "one character"), ("عاجل\nقصف عنيف", 6, "two characters"), ("عاجل\nقصف", 6, "two characters")],
)
def test_line_ends_counted_otherwise_are_recognised(row, labels, text, start, counted):
    row["text"] = text
    row["incidents"][0].update(participants=[], trigger={"start": start, "end": start + 3, "text": "قصف"})
    assert f"with every line end counted as {counted} it would read right" in fault(row, labels)


def test_wrong_offsets_without_a_reason_get_no_hint(row, labels):
    row["incidents"][0]["trigger"] = {"start": 5, "end": 9, "text": "هاجم"}
    assert "would read right" not in fault(row, labels)


def test_every_row_of_a_file_is_proved_and_a_bad_one_stops_nothing(tmp_path, row, labels):
    lines = [json.dumps(row), "{", json.dumps({**row, "id": None}), json.dumps(row), json.dumps({**row, "id": "t-2"})]
    (tmp_path / "r.jsonl").write_text("\n".join(lines), "utf-8")
    found = list(prove(each_row(tmp_path / "r.jsonl"), labels))
    assert [isinstance(one, RecordError) for one in found] == [False, True, True, True, False]
    assert "r.jsonl:4: id 't-1' stands already in line 1" in str(found[3])


def test_lone_surrogates_survive_writing():
    assert json.loads(dump_row({"text": "قصف\ud800"}).encode("utf-8"))["text"] == "قصف\ud800"


def test_a_span_proves_itself():
    Span(0, 3, "قصف").check("قصف مدفعي", "here")
    with pytest.raises(RecordError, match="here"):
        Span(0, 2, "قصف").check("قصف مدفعي", "here")


def test_null_is_what_a_row_leaves_out(row, labels):
    plain = parse_record(row, labels, "here")
    incident = row["incidents"][0]
    incident |= dict.fromkeys(("mentions", "date", "killed", "injured", "score", "facts"))
    for participant in incident["participants"]:
        participant |= dict.fromkeys(("mentions", "score"))
    assert parse_record(row, labels, "here").incidents == plain.incidents
