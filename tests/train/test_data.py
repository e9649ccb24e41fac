from __future__ import annotations

import csv
import json

import pytest

from eval.analysis.gsr_import import document_of, import_gsr, split_of
from train.data import card, convert, main, validate
from waqia import LabelSet, RecordError, read_records

SPLITS = ("train", "dev", "test")


@pytest.fixture
def gsr(root):
    return LabelSet.load(root / "configs/labels/plover-gsr.yaml")


def test_every_fault_of_a_file_is_reported_with_its_line(tmp_path, row, labels, capsys):
    bad = json.loads(json.dumps(row))
    bad["incidents"][0]["type"] = "war"
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join([json.dumps(row), "{", json.dumps({**bad, "id": "t-2"}), json.dumps(row)]), "utf-8")
    assert validate([path], labels) == 3
    out = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0].removeprefix(str(path)) for line in out[:3]] == [":2", ":3", ":4"]
    assert out[-1] == "1 good records, 1 incidents, 3 participants; 3 faults"


def test_the_shipped_files_are_valid(root, labels, capsys):
    assert validate([root / f"data/{split}.jsonl" for split in SPLITS], labels) == 0


def test_validating_ends_with_3_where_there_is_a_fault(tmp_path):
    (tmp_path / "r.jsonl").write_text("{", "utf-8")
    assert main(["validate", str(tmp_path / "r.jsonl")]) == 3


def test_no_record_stands_in_two_splits_and_each_source_in_all_three(root, labels):
    records = {split: list(read_records(root / f"data/{split}.jsonl", labels)) for split in SPLITS}
    ids = [record.id for split in SPLITS for record in records[split]]
    assert len(ids) == len(set(ids)) == 762
    sources = [{record.extra["source"] for record in records[split]} for split in SPLITS]
    assert sources[0] == sources[1] == sources[2]


def test_the_data_card_tells_what_is_in_the_files(root, labels):
    text = (root / "data/README.md").read_text("utf-8")
    for split in SPLITS:
        table = "\n".join(card(list(read_records(root / f"data/{split}.jsonl", labels)), labels))
        assert table in text, f"python -m train.data card data/{split}.jsonl"


def authored(tmp_path, **changes):
    item = {"type": "shelling", "status": "actual", "trigger": "قصف#2", "args": [["place", None, "حلب"]], **changes}
    row = {"id": "a-1", "dateline": "2020-01-01", "text": "بعد قصف أمس تجدد قصف حلب", "incidents": [item]}
    (tmp_path / "a1.jsonl").write_text(json.dumps(row), "utf-8")


def test_a_quoted_span_may_name_its_occurrence(tmp_path, labels):
    authored(tmp_path)
    (record,) = [record for records in convert(tmp_path, labels).values() for record in records]
    assert record.incidents[0].trigger.start == record.text.rindex("قصف")


def test_a_quotation_that_does_not_stand_in_the_text_is_named(tmp_path, labels):
    authored(tmp_path, trigger="غارة")
    with pytest.raises(RecordError, match=r"a1\.jsonl:1: 'غارة' stands 0 times"):
        convert(tmp_path, labels)


MARKS = [
    {"verb": ["هاجم"], "source_actor": ["مسلحون"], "target_actor": ["دورية", "للشرطة"], "role": "COP"},
    {"verb": ["هاجم"], "source_actor": ["مسلحون", "ملثمون"], "target_actor": ["دورية"], "role": "COP"},
    {"verb": ["هاجم"], "source_actor": ["مسلحون"], "target_actor": ["دورية", "للشرطة", "غائب"], "role": "MIL"},
]


def raw_gsr(folder, sentences):
    """The gold standard's raw files; sentences maps a class to (id, text, label, accept, reject, marks)."""
    for name in ("assault", "protest"):
        rows = sentences.get(name, [])
        with (folder / f"{name}_gsr.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, ["", "accept", "event_type", "id", "label", "reject", "text", "total"])
            out.writeheader()
            for id_, text, label, accept, reject, _ in rows:
                out.writerow({"id": id_, "text": text, "label": label, "accept": accept, "reject": reject, "total": accept + reject})
        spans = [
            {
                "source": id_,
                "text": text,
                "spans": [
                    {
                        **{key: mark[key] for key in ("verb", "source_actor", "target_actor")},
                        "source_role": {"main": "None", "role": "UAF"},
                        "target_role": {"main": "None", "role": mark["role"]},
                    }
                    for mark in marks
                ],
            }
            for id_, text, _, _, _, marks in rows
            if marks
        ]
        (folder / f"{name}_spans.json").write_text(json.dumps(spans), "utf-8")
    return folder


SENTENCE = "هاجم مسلحون ملثمون دورية للشرطة قرب الجسر"


def imported(folder, gsr, sentences):
    splits, report = import_gsr(raw_gsr(folder, sentences), gsr)
    return [record for records in splits.values() for record in records], report


def test_words_that_most_coders_marked_become_spans(tmp_path, gsr):
    (record,), report = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
    (incident,) = record.incidents
    assert (incident.type, incident.trigger.text) == ("ASSAULT", "هاجم")
    assert [(p.role, p.sector, p.text) for p in incident.participants] == [
        ("initiator", "UAF", "مسلحون"), ("target", "COP", "دورية للشرطة")
    ]  # fmt: skip
    assert "1 ASSAULT target: marked words that do not stand in the text" in report


def test_a_yes_without_marks_still_answers_for_its_passage(tmp_path, gsr):
    (record,), _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, [])]})
    assert record.incidents == ()
    assert record.extra["answers"] == {"ASSAULT": "yes"}


def test_a_sentence_asked_of_one_class_says_nothing_of_the_other(tmp_path, gsr):
    (record,), _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "easy no", 0, 3, [])]})
    assert record.annotated == ("ASSAULT",)


def test_a_sentence_asked_of_both_classes_is_one_record(tmp_path, gsr):
    both = {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)], "protest": [("D-1", SENTENCE, "easy no", 0, 3, [])]}
    (record,), _ = imported(tmp_path, gsr, both)
    assert record.annotated == ("ASSAULT", "PROTEST")
    assert record.extra["answers"] == {"ASSAULT": "yes", "PROTEST": "no"}


def test_of_two_labels_of_a_text_the_one_with_more_votes_counts(tmp_path, gsr):
    rows = [("D-1", SENTENCE, "yes", 2, 1, []), ("D-2", SENTENCE, "easy no", 0, 5, [])]
    (record,), report = imported(tmp_path, gsr, {"protest": rows})
    assert record.extra["answers"] == {"PROTEST": "no"}
    assert "1 PROTEST texts stood twice, with different labels" in report


def test_rows_of_a_document_go_to_one_split():
    assert document_of("AAW_1-12") == document_of("AAW_1_3") == "AAW_1"
    assert {split_of(f"document-{n}") for n in range(60)} == set(SPLITS)


def test_a_missing_raw_file_is_named(tmp_path, gsr):
    with pytest.raises(RecordError, match=r"assault_spans\.json: no such file"):
        import_gsr(tmp_path, gsr)


def test_the_public_gold_standard_imports_without_a_fault(root, tmp_path, gsr):
    folder = root.parent / "shared/data/gsr"
    if not folder.exists():
        pytest.skip("the gold standard is not part of the project")
    main(["import-gsr", str(folder), str(tmp_path)])
    assert validate(sorted(tmp_path.glob("*.jsonl")), gsr) == 0
