"""Round trips through every tool's form, on texts with emoji, CRLF, diacritics and tatweel."""

from __future__ import annotations

import json

import pytest

from waqia.errors import RecordError
from waqia.formats import brat, conll, doccano, label_studio, prodigy
from waqia.formats.convert import find_format, read_file, write_file
from waqia.formats.graph import counted
from waqia.formats.offsets import UTF16, Mark, settle, to_unit
from waqia.records import parse_record

TEXT = "🔴 عاجل 🚨\r\nقَصَفَ الطيرانُ الحربيّ بلدة سـرمين 💥\r\nوأدى القصف إلى مقتل مدنيين، واتهم ناشطون الجيش بقتلهم"


def part(said, nth=1):
    start = -1
    for _ in range(nth):
        start = TEXT.index(said, start + 1)
    return {"start": start, "end": start + len(said), "text": said}


@pytest.fixture
def record(labels):
    actor = {"role": "initiator", "sector": "MIL", **part("الطيرانُ الحربيّ"), "mentions": [part("الجيش")]}
    strike = {
        "type": "air_strike",
        "status": "actual",
        "trigger": part("قَصَفَ"),
        "mentions": [part("القصف")],
        "date": "2021-03-04",
        "killed": 2,
        "participants": [actor, {"role": "place", "sector": None, **part("بلدة سـرمين 💥\r\nوأدى")}],
    }
    killing = {
        "type": "armed_attack",
        "status": "alleged",
        "trigger": part("بقتلهم"),
        "mentions": [],
        "participants": [actor, {"role": "reporter", "sector": "CVL", **part("ناشطون")}],
    }
    row = {"id": "سرمين/١", "date": "2021-03-05", "text": TEXT, "annotated": ["air_strike", "armed_attack"], "incidents": [strike, killing]}
    return parse_record(row, labels, "here")


@pytest.fixture
def plain(record, labels):
    """The same without what tools with labels alone cannot express."""
    row = record.to_dict()
    del row["incidents"][0]["date"], row["incidents"][0]["killed"]
    return parse_record(row, labels, "here")


def test_label_studio_gives_back_what_it_was_given(record, labels):
    tasks, lost = label_studio.write([record], labels)
    back, remarks = label_studio.read(json.loads(json.dumps(tasks)), labels, "file")
    assert back == [record]
    assert (lost, remarks) == ([], [])


def test_label_studio_is_given_code_points_as_its_page_counts(record, labels):
    tasks, _ = label_studio.write([record], labels)
    value = tasks[0]["annotations"][0]["result"][0]["value"]
    assert (value["start"], value["end"]) == (part("قَصَفَ")["start"], part("قَصَفَ")["end"])
    assert TEXT[value["start"] : value["end"]] == value["text"] == "قَصَفَ"


def test_label_studio_files_that_count_utf16_units_are_read(record, labels):
    tasks, _ = label_studio.write([record], labels)
    for item in tasks[0]["annotations"][0]["result"]:
        for end in ("start", "end") if "value" in item else ():
            item["value"][end] = to_unit(TEXT, item["value"][end], UTF16)
    back, remarks = label_studio.read(tasks, labels, "file")
    assert back == [record]
    assert counted(remarks) == ["7 × offsets counted in utf-16, repaired (first: file task 0)"]


def test_label_studio_predictions_carry_the_least_score(record, labels):
    row = record.to_dict()
    row["incidents"][0]["score"], row["incidents"][1]["score"] = 0.9, 0.6
    (task,), _ = label_studio.write([parse_record(row, labels, "here")], labels, prelabel=True)
    assert "annotations" not in task
    assert task["predictions"][0]["score"] == 0.6


def test_who_corrects_a_reading_without_incidents_is_asked_for_other_mentions(labels):
    (task,), _ = label_studio.write(
        [parse_record({"id": "a", "text": "قصف على إدلب", "incidents": []}, labels, "here")], labels, prelabel=True
    )
    trigger = {"id": "r", "type": "labels", "from_name": "label", "value": {"start": 0, "end": 3, "text": "قصف", "labels": ["shelling"]}}
    (record,), _ = label_studio.read([{**task, "annotations": [{"result": [trigger]}]}], labels, "file")
    assert record.incidents[0].mentions == ()


def test_label_studio_reads_the_crlf_of_a_text_counted_as_one(labels):
    text = "عاجل\r\nقصف على إدلب"
    result = [{"id": "a", "type": "labels", "from_name": "label", "value": {"start": 5, "end": 8, "text": "قصف", "labels": ["shelling"]}}]
    records, remarks = label_studio.read([{"id": 7, "data": {"text": text}, "annotations": [{"result": result}]}], labels, "file")
    assert (records[0].id, records[0].incidents[0].trigger.start) == (7, 6)
    assert counted(remarks) == [
        "1 × offsets counted in code-points-crlf-as-one, repaired (first: file task 0)",
        "1 × no status chosen, taken as actual (first: file task 0)",
    ]


def test_label_studio_turns_a_relation_that_runs_to_the_trigger(labels):
    result = [
        {"id": "a", "type": "labels", "from_name": "label", "value": {"start": 0, "end": 3, "text": "قصف", "labels": ["shelling"]}},
        {"id": "b", "type": "labels", "from_name": "label", "value": {"start": 4, "end": 8, "text": "إدلب", "labels": ["place"]}},
        {"type": "relation", "from_id": "b", "to_id": "a", "direction": "right"},
    ]
    records, remarks = label_studio.read([{"id": 1, "data": {"text": "قصف إدلب"}, "annotations": [{"result": result}]}], labels, "file")
    assert [p.text for p in records[0].incidents[0].participants] == ["إدلب"]
    assert "relation drawn from participant to trigger, turned" in [remark.what for remark in remarks]


def test_a_task_nobody_finished_is_left_out_and_counted(labels):
    records, remarks = label_studio.read([{"data": {"text": "لا شيء"}, "annotations": [{"was_cancelled": True}]}], labels, "file")
    assert records == []
    assert counted(remarks) == ["1 × task without a finished annotation, left out (first: file task 0)"]


def test_the_template_has_every_label_once(labels):
    import xml.etree.ElementTree as ET

    view = ET.fromstring(label_studio.template(labels))
    assert [label.get("value") for label in view.iter("Label")] == [*labels.incident_types, *labels.roles]
    assert [choice.get("value") for choice in view.iter("Choice")] == [*labels.statuses, *labels.sectors]


def test_doccano_gives_back_all_but_facts(record, plain, labels):
    rows, lost = doccano.write([record], labels)
    back, _ = doccano.read([(1, {"id": 93, "Comments": [], **rows[0]})], labels, "file")
    assert back == [plain]
    assert sorted(remark.what.split()[0] for remark in lost) == ["date", "killed"]


def test_doccano_rows_all_have_the_same_fields_since_it_reads_them_as_a_table(record, labels):
    bare = parse_record({"id": 7, "text": "سلام", "incidents": []}, labels, "here")
    rows, _ = doccano.write([record, bare], labels)
    assert [list(row) for row in rows] == [["text", "entities", "relations", "waqia"]] * 2
    assert all(isinstance(row["waqia"], str) for row in rows)
    assert doccano.read([(1, rows[1])], labels, "file")[0] == [bare]


def test_doccano_files_of_before_are_read(labels):
    row = {"id": 93, "text": "🔴 قصف", "entities": [{"id": 1, "label": "shelling", "start_offset": 3, "end_offset": 6}], "relations": []}
    row |= {"record_id": "a", "offsets": "utf-16", "mentions_asked": True, "url": "u"}
    (record,), _ = doccano.read([(1, row)], labels, "file")
    assert (record.id, record.extra, record.incidents[0].trigger.text) == ("a", {"url": "u"}, "قصف")


def test_doccano_offsets_that_can_be_read_two_ways_are_refused(labels):
    row = {"id": 1, "text": "🔴 قصف مدفعي", "label": [[3, 6, "shelling"]]}
    with pytest.raises(RecordError, match=r"صف .*at 3 \(code-points\).*قصف.*at 2 \(utf-16\).*--offsets"):
        doccano.read([(1, row)], labels, "file")
    records, _ = doccano.read([(1, row)], labels, "file", unit=UTF16)
    assert records[0].incidents[0].trigger.text == "قصف"


def test_prodigy_gives_back_all_but_facts(record, plain, labels):
    rows, lost = prodigy.write([record], labels)
    back, remarks = prodigy.read([(1, json.loads(json.dumps(rows[0])))], labels, "file")
    assert back == [plain]
    assert remarks == []
    assert len(lost) == 2


def test_prodigy_leaves_out_what_was_rejected(labels):
    records, remarks = prodigy.read([(1, {"text": "قصف", "answer": "reject"})], labels, "file")
    assert (records, [remark.what for remark in remarks]) == ([], ["answer reject, left out"])


def test_brat_gives_back_all_but_the_fields_beside_the_text(record, labels):
    documents, lost = brat.write([record], labels)
    back, remarks = brat.read([(name, text, notes) for name, (text, notes) in documents.items()], labels)
    row = record.to_dict()
    del row["date"], row["annotated"]
    assert back == [parse_record(row, labels, "here")]
    assert remarks == []
    assert sorted(remark.what for remark in lost) == ["annotated cannot be expressed, lost", "field date cannot be expressed, lost"]


def test_brat_joins_triggers_as_events_since_its_page_draws_no_line_to_a_trigger_alone(record, labels):
    ((_, notes),) = brat.write([record], labels)[0].values()
    lines = [line.split("\t") for line in notes.splitlines()]
    events = {line[0]: line[1] for line in lines if line[0].startswith("E")}
    assert [kind.split(" ")[0].split(":")[0] for kind in events.values()] == ["air_strike", "air_strike", "armed_attack"]
    ends = [line[1].split(" ")[1:] for line in lines if line[0].startswith("R")]
    assert ["Arg1:E1", "Arg2:E2"] in ends
    assert all(end[5:] in events or f"{end[5:]}\t" in notes for pair in ends for end in pair)


@pytest.mark.parametrize("name", ["سرمين/١", "%41", "a=20", "what? #1.txt", "..", "قَصف 2"])
def test_brat_files_have_names_that_its_page_can_open_and_ids_come_back(name, labels):
    ((file, (text, notes)),) = brat.write([parse_record({"id": name, "text": "سلام", "incidents": []}, labels, "here")], labels)[0].items()
    assert not set(file) & set("%/?#.")
    assert brat.read([(file, text, notes)], labels)[0][0].id == name


def test_brat_files_named_as_before_are_read(labels):
    (record,), _ = brat.read([("%D8%A5%D8%AF%D9%84%D8%A8%2F1%3D20", "سلام", "")], labels)
    assert record.id == "إدلب/1=20"


def test_brat_reads_mentions_joined_by_their_text_bounds_too(labels):
    notes = "T1\tshelling 0 3\tقصف\nT2\tshelling 4 9\tالقصف\nE1\tshelling:T1\nA1\tstatus E1 actual\nR1\tmention Arg1:T1 Arg2:T2\n"
    (record,), _ = brat.read([("a", "قصف القصف", notes)], labels)
    assert [span.text for span in record.incidents[0].mentions] == ["القصف"]


def test_brat_cuts_a_span_at_the_line_end(record, labels):
    ((_, notes),) = brat.write([record], labels)[0].values()
    line = next(line for line in notes.splitlines() if "\tplace " in line)
    assert line.split("\t")[2] == "بلدة سـرمين 💥 وأدى"
    assert ";" in line.split("\t")[1]


def test_conll_gives_back_all_but_mentions_of_participants(record, plain, labels):
    text, lost = conll.write([record], labels)
    back, _ = conll.read(text, labels, "file")
    row = plain.to_dict()
    for incident in row["incidents"]:
        incident["participants"][0].pop("mentions")
    assert back == [parse_record(row, labels, "here")]
    assert "other mention of a participant cannot be expressed, lost" in [remark.what for remark in lost]


def test_two_columns_of_another_tool_are_read_and_roles_joined_to_the_one_trigger(labels):
    records, remarks = conll.read("قصف B-shelling\nعلى O\nإدلب B-place\n", labels, "file")
    incident = records[0].incidents[0]
    assert (records[0].text, incident.trigger.text, incident.participants[0].text) == ("قصف على إدلب", "قصف", "إدلب")
    assert [remark.what for remark in remarks] == ["no text beside the tokens, joined with spaces"]


def test_tags_that_begin_inside_are_refused(labels):
    with pytest.raises(RecordError, match=r"file:1: tag 'I-shelling' after 'O' is no IOB2"):
        conll.read("قصف I-shelling\n", labels, "file")


def test_spacy_gives_back_everything(record, labels):
    pytest.importorskip("spacy")
    from waqia.formats import spacy_docbin

    data, lost = spacy_docbin.write([record], labels)
    assert spacy_docbin.read(data, labels, "file") == ([record], [])
    assert lost == []


def test_spacy_entities_are_read_where_there_are_no_spans_and_what_is_left_out_is_counted(labels):
    spacy = pytest.importorskip("spacy")
    from waqia.formats import spacy_docbin

    nlp = spacy.blank("ar")
    entities, both = nlp("قصف على إدلب"), nlp("غارة على حلب")
    entities.ents = [spacy.tokens.Span(entities, 0, 1, label="shelling")]
    both.ents = [spacy.tokens.Span(both, 2, 3, label="place")]
    both.spans["sc"] = [spacy.tokens.Span(both, 0, 1, label="air_strike")]
    both.spans["draft"] = []
    records, remarks = spacy_docbin.read(spacy.tokens.DocBin(docs=[entities, both]).to_bytes(), labels, "file")
    assert [record.incidents[0].trigger.text for record in records] == ["قصف", "غارة"]
    assert {remark.what for remark in remarks} == {"span group draft is not read, left out", "entity beside a span group, left out"}


@pytest.mark.parametrize("form", ["records", "label-studio", "doccano", "brat", "prodigy", "conll"])
def test_the_format_of_a_written_file_is_found(form, record, labels, tmp_path):
    path = tmp_path / ("out.conll" if form == "conll" else "out")
    write_file(path, form, [record], labels)
    assert find_format(path) == form
    assert [r.id for r in read_file(path, form, labels)[0]] == [record.id]


def test_another_kind_of_file_is_named_in_one_line(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("id,text\n1,قصف\n", "utf-8")
    with pytest.raises(RecordError, match=r"table.csv: found 'id,text.*read are records \(JSONL\), Label Studio") as told:
        find_format(path)
    assert "\n" not in str(told.value)


def test_an_unknown_label_is_named_with_its_place(labels):
    with pytest.raises(RecordError, match=r"file:1: label 'boom' is neither an incident type nor a role of incidents"):
        doccano.read([(1, {"id": 1, "text": "قصف", "label": [[0, 3, "boom"]]})], labels, "file")


def test_words_that_offsets_read_nowhere_are_refused_with_both_readings():
    with pytest.raises(RecordError, match=r"read 'صف ع' \(code-points\), 'قصف ' \(utf-16\), labelled 'غارة'"):
        settle("🔴 قصف على", [Mark(3, 7, "غارة")], "here")


def test_units_that_differ_from_span_to_span_are_settled_one_by_one():
    text = "🔴 قصف على إدلب"
    settled = settle(text, [Mark(2, 5, "قصف"), Mark(11, 15, "إدلب")], "here")
    assert settled.units == ("code-points", "utf-16")
    assert [span.start for span in settled.spans] == [2, 10]


def test_places_are_counted_as_each_unit_does():
    assert [to_unit("🔴\r\nقصف", 3, unit) for unit in ("code-points", "utf-16", "code-points-crlf-as-one", "utf-16-crlf-as-one")] == [
        3,
        4,
        2,
        3,
    ]
