from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from eval.score.metric import ErrorCounts, IncidentScores, ProbabilityScores, SliceScores, TypeScores
from tests.conftest import ROOT, span
from waqia import Incident, Record, RecordError, Span

LABELS = ROOT / "configs/labels/incidents.yaml"
TEXT = "قصف على المدينة"


def test_the_scores_are_an_evaluate_metric_without_a_network():
    gold = [Record("a", TEXT, (Incident("shelling", "actual", Span(**span(TEXT, "قصف"))),)), Record("b", TEXT)]
    lines = [json.dumps(record.to_dict()) for record in gold]
    figures = IncidentScores(LABELS).compute(predictions=lines, references=lines)
    assert figures["incidents F1"] == 1
    assert figures["actors F1"] is None


def test_type_scores_take_the_arrays_of_a_trainer_and_agree_with_scikit_learn(labels):
    random = np.random.default_rng(0)
    logits, gold = random.normal(size=(30, len(labels.incident_types))), random.integers(0, 2, (30, len(labels.incident_types)))
    figures = TypeScores(LABELS).compute(predictions=logits > 0, references=gold)
    assert figures["types micro-F1"] == pytest.approx(f1_score(gold, logits > 0, average="micro"))
    assert figures["types macro-F1"] == pytest.approx(f1_score(gold, logits > 0, average="macro"))


def test_types_that_were_not_asked_do_not_count(labels):
    size = len(labels.incident_types)
    gold, said = np.full((1, size), -1), np.ones((1, size), int)
    gold[0, 0] = 1
    assert TypeScores(LABELS).compute(predictions=said, references=gold) == {"types micro-F1": 1, "types macro-F1": 1}


def test_rows_of_another_length_are_refused():
    with pytest.raises(RecordError, match="row 0"):
        TypeScores(LABELS).compute(predictions=[[1, 0]], references=[[1, 0]])


@pytest.fixture
def lines():
    """Gold, and a prediction that misses the incident of the second passage."""
    incident = Incident("shelling", "actual", Span(**span(TEXT, "قصف")))
    gold = [Record("a", TEXT, (incident,)), Record("b", TEXT, (incident,)), Record("c", TEXT)]
    found, likely = {"a": (incident,)}, {"a": 0.9, "b": 0.2, "c": 0.4}
    said = [Record(r.id, TEXT, found.get(r.id, ()), None, {"types": {"shelling": likely[r.id]}}) for r in gold]
    return {"predictions": [json.dumps(r.to_dict()) for r in said], "references": [json.dumps(r.to_dict()) for r in gold]}


def test_probabilities_errors_and_slices_are_evaluate_metrics_too(lines):
    figures = ProbabilityScores(LABELS).compute(**lines)
    assert figures["shelling average precision"] == pytest.approx(average_precision_score([1, 1, 0], [0.9, 0.2, 0.4]))
    assert figures["incidents ece"] is None
    assert ErrorCounts(LABELS).compute(**lines)["triggers missed"] == 1
    assert SliceScores(LABELS).compute(**lines)["incidents, 1, incidents F1"] == pytest.approx(2 / 3)


def test_pairs_of_two_records_are_refused(lines):
    with pytest.raises(RecordError, match="pair 0: gold is 'a', the prediction 'b'"):
        ErrorCounts(LABELS).compute(predictions=lines["predictions"][::-1][1:], references=lines["references"][:2])


def test_pairs_over_two_texts_are_refused(lines):
    other = json.dumps(Record("a", "نص آخر").to_dict())
    with pytest.raises(RecordError, match="pair 0: 'a' has two texts"):
        IncidentScores(LABELS).compute(predictions=[other], references=lines["references"][:1])


def test_a_prediction_with_an_error_counts_as_empty(lines):
    failed = [json.dumps({**json.loads(line), "error": "boom"}) for line in lines["references"]]
    figures = IncidentScores(LABELS).compute(predictions=failed, references=lines["references"])
    assert figures["incidents F1"] == 0


def test_a_prediction_with_an_error_keeps_its_id_text_and_error(lines):
    failed = [json.dumps({**json.loads(line), "error": "boom"}) for line in lines["references"]]
    pairs = IncidentScores(LABELS).pairs(failed, lines["references"])
    assert [said for _, said in pairs] == [Record(name, TEXT, extra={"error": "boom"}) for name in "abc"]
    assert [gold.id for gold, _ in pairs] == ["a", "b", "c"]


@pytest.mark.parametrize("changed", [{"predictions": -1}, {"predictions": 2}, {"references": 2}, {"references": -2}])
def test_only_0_and_1_are_types_and_minus_1_in_gold(labels, changed):
    rows = {name: [[changed.get(name, 0)] + [0] * (len(labels.incident_types) - 1)] for name in ("predictions", "references")}
    with pytest.raises(RecordError) as found:
        TypeScores(LABELS).compute(**rows)
    gold, said = rows["references"][0], rows["predictions"][0]
    expected = f"expected {len(labels.incident_types)} of 0 and 1, or -1 in gold"
    assert str(found.value) == f"row 0: found gold {gold} and prediction {said}, {expected}"
