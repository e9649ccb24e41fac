from __future__ import annotations

import json
from dataclasses import replace

import pytest

from eval.analysis.gsr import judge, main, types_of
from tests.train.test_data import MARKS, SENTENCE, imported
from waqia import ConfigError, Incident, LabelSet, Participant, Record, Span, write_records

QUIET = "عقد المجلس اجتماعاً في العاصمة"


def read(*roles, p=0.9, sector="UAF"):
    """A reading of SENTENCE as an armed attack by the given (role, text)."""
    spans = [Participant(SENTENCE.index(text), SENTENCE.index(text) + len(text), text, role, sector) for role, text in roles]
    incident = Incident("armed_attack", "actual", Span(0, 4, "هاجم"), tuple(spans), p)
    return Record("D-1", SENTENCE, (incident,), extra={"types": {"armed_attack": p}})


@pytest.fixture
def gsr(root):
    return LabelSet.load(root / "configs/labels/plover-gsr.yaml")


def test_types_speak_for_their_plover_event(labels):
    assert types_of("PROTEST", labels) == {"protest", "riot"}
    assert {"air_strike", "protest_repression"} < types_of("ASSAULT", labels)
    assert "arrest" not in types_of("ASSAULT", labels)


def test_a_perfect_reading_is_perfect(tmp_path, gsr, labels):
    rows = [("D-1", SENTENCE, "yes", 3, 0, MARKS), ("D-2", QUIET, "easy no", 0, 3, [])]
    records, _ = imported(tmp_path, gsr, {"assault": rows})
    quiet = Record("D-2", QUIET, extra={"types": {"armed_attack": 0.1}})
    said = {"D-1": read(("initiator", "مسلحون"), ("target", "دورية للشرطة")), "D-2": quiet}
    figures = judge(records, [said[record.id] for record in records], gsr, labels)
    assault = figures["ASSAULT"]
    assert [assault[key] for key in ("average_precision", "f1", "initiator_token_f1", "target_token_f1")] == [1, 1, 1, 1]
    assert (assault["initiator_code_accuracy"], assault["target_code_accuracy"]) == (1, 0)
    assert assault["called_yes_by_label"] == {"easy no": 0, "yes": 1}
    assert figures["PROTEST"]["average_precision"] is None


def test_every_figure_has_an_interval_around_it_in_whatever_order_the_sentences_come(tmp_path, gsr, labels):
    two, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS), ("E-1", QUIET, "easy no", 0, 3, [])]})
    records = [replace(two[n % 2], id=f"r{n}", extra={**two[n % 2].extra, "document": f"d{n}"}) for n in range(24)]
    narrow, wide = read(("initiator", "مسلحون")), read(("initiator", "مسلحون ملثمون"), ("target", "دورية للشرطة"), p=0.6)
    quiet = Record("q", QUIET, extra={"types": {"armed_attack": 0.7}})
    said = [(narrow if n % 3 else wide) if record.text == SENTENCE else quiet for n, record in enumerate(records)]
    assault = judge(records, said, gsr, labels)["ASSAULT"]
    for figure in ("average_precision", "recall", "initiator_token_f1", "target_token_f1", "initiator_code_accuracy"):
        low, high = assault["intervals"][figure]
        assert low <= assault[figure] <= high, figure
    low, high = assault["intervals"]["target_token_f1"]
    assert low < high
    assert judge(records[::-1], said[::-1], gsr, labels)["ASSAULT"]["intervals"] == assault["intervals"]


def test_a_wider_span_costs_its_words(tmp_path, gsr, labels):
    records, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
    figures = judge(records, [read(("initiator", "مسلحون ملثمون"))], gsr, labels)
    assert figures["ASSAULT"]["initiator_token_f1"] == 2 / 3
    assert figures["ASSAULT"]["target_token_f1"] == 0
    assert figures["ASSAULT"]["initiator_code_accuracy"] == 1
    assert figures["ASSAULT"]["target_code_accuracy"] is None


def test_media_and_health_are_read_in_the_codes_of_the_other_taxonomy(tmp_path, gsr, labels):
    marks = [{**mark, "role": "HLH"} for mark in MARKS]
    records, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, marks)]})
    figures = judge(records, [read(("target", "دورية للشرطة"), sector="MED")], gsr, labels)
    assert figures["ASSAULT"]["target_code_accuracy"] == 1


def test_a_system_that_says_types_of_passages_alone_is_judged_on_them(tmp_path, gsr):
    records, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
    said = Record("D-1", SENTENCE, extra={"passage_types": ["ASSAULT"]})
    assert judge(records, [said], gsr, gsr)["ASSAULT"]["f1"] == 1


def test_the_command_judges_a_prediction_file(tmp_path, gsr, capsys):
    records, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
    write_records(tmp_path / "pred.jsonl", records)
    main([str(tmp_path / "pred.jsonl"), str(tmp_path), "--split", "all", "--out", str(tmp_path / "g.json")])
    figures = json.loads((tmp_path / "g.json").read_text("utf-8"))
    assert figures == json.loads(capsys.readouterr().out)
    assert figures["ASSAULT"]["target_code_accuracy"] == figures["ASSAULT"]["f1"] == 1


def test_roles_of_other_names_are_taken_from_the_label_sets(tmp_path, gsr, labels):
    data = json.loads(json.dumps(labels.to_dict()).replace('"initiator"', '"doer"').replace('"target"', '"sufferer"'))
    other = LabelSet.from_dict(data, "other")
    records, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
    assault = judge(records, [read(("doer", "مسلحون"), ("sufferer", "دورية للشرطة"))], gsr, other)["ASSAULT"]
    assert [assault["initiator_token_f1"], assault["target_token_f1"]] == [1, 1]


@pytest.mark.parametrize(("change", "reason"), [({"actors": []}, "expected two"), ({"unknown_sector": None}, "lacks an unknown_sector")])
def test_a_label_set_that_cannot_express_the_gold_standard_is_refused_with_the_reason(tmp_path, gsr, change, reason):
    other = LabelSet.from_dict({**gsr.to_dict(), **change}, "x")
    with pytest.raises(ConfigError, match=reason):
        imported(tmp_path, other, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})


def test_a_label_set_without_the_two_classes_is_refused(tmp_path, labels):
    with pytest.raises(ConfigError, match="lacks ASSAULT, PROTEST"):
        imported(tmp_path, labels, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
