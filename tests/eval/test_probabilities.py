from __future__ import annotations

import json
import random

import pytest
from sklearn.metrics import average_precision_score, brier_score_loss

from eval.analysis.probabilities import calibration, curve, main, probabilities
from eval.score.scoring import score
from tests.conftest import span
from waqia import Incident, Participant, Record, Span, write_records

TEXT = "هاجم مسلحون دورية للشرطة في تعز"


def passage(name, score=None, p=None, type_="armed_attack"):
    actor = Participant(**span(TEXT, "مسلحون"), role="initiator", sector="UAF", score=score)
    incident = Incident(type_, "actual", Span(**span(TEXT, "هاجم")), (actor,), score)
    return Record(name, TEXT, (incident,), extra={} if p is None else {"types": {"armed_attack": p}})


def test_honest_probabilities_have_little_calibration_error():
    chance = random.Random(2)
    judgements = [(p, chance.random() < p) for p in (chance.random() for _ in range(5000))]
    assert calibration(judgements)["ece"] < 0.03
    assert calibration([(p, True) for p, _ in judgements])["ece"] > 0.4


def test_brier_agrees_with_scikit_learn_and_bins_hold_everything():
    chance = random.Random(2)
    judgements = [(chance.random(), chance.random() < 0.5) for _ in range(200)] + [(0.0, False), (1.0, True)]
    result = calibration(judgements)
    assert result["brier"] == pytest.approx(brier_score_loss([r for _, r in judgements], [p for p, _ in judgements]))
    assert sum(b["count"] for b in result["bins"]) == len(judgements)


def test_calibration_error_is_the_gap_of_each_bin_by_its_size():
    assert calibration([(0.95, True), (0.95, False), (0.05, False), (0.05, False)])["ece"] == pytest.approx((0.45 + 0.05) / 2)


def test_nothing_to_judge_is_none(labels):
    result = probabilities([(passage("a"), passage("a"))], labels)
    assert set(result["calibration"].values()) == {None}
    assert curve([(0.3, True)]) is None


def test_each_head_is_judged_against_what_matches(labels):
    gold = [passage("a"), passage("b"), Record("c", TEXT)]
    said = [passage("a", 0.9, 0.9), passage("b", 0.6, 0.2, "arrest"), passage("c", 0.3, 0.1)]
    heads = probabilities(list(zip(gold, said, strict=True)), labels)["calibration"]
    assert [[b["right"] for b in heads[name]["bins"]] for name in ("incidents", "participants")] == [[0, 0, 1], [0, 0, 1]]
    assert heads["types"]["count"] == 3 * len(labels.incident_types)


def test_types_that_were_not_asked_are_not_judged(labels):
    gold = Record("a", TEXT, annotated=("armed_attack",))
    assert probabilities([(gold, passage("a", 0.9, 0.9))], labels)["calibration"]["types"]["count"] == 1


def test_the_command_prints_and_writes(tmp_path, capsys):
    write_records(tmp_path / "gold.jsonl", [passage("a"), Record("b", TEXT)])
    write_records(tmp_path / "pred.jsonl", [passage("a", 0.9, 0.9), Record("b", TEXT, extra={"types": {"armed_attack": 0.2}})])
    main([str(tmp_path / "gold.jsonl"), str(tmp_path / "pred.jsonl"), "--out", str(tmp_path / "p.json")])
    assert "ECE" in capsys.readouterr().out
    assert json.loads((tmp_path / "p.json").read_text("utf-8"))["precision_recall"]["armed_attack"]["recall"][-1] == 0


def test_average_precision_has_an_interval_around_it_that_narrows_with_more_documents(labels):
    chance = random.Random(3)

    def measured(size):
        said = [(n % 2 == 0, min(1.0, max(0.0, chance.gauss(0.6 if n % 2 == 0 else 0.4, 0.2)))) for n in range(size)]
        pairs = [(passage(str(n)) if yes else Record(str(n), TEXT), Record(str(n), TEXT, extra={"types": {"armed_attack": p}}))
                 for n, (yes, p) in enumerate(said)]  # fmt: skip
        row = probabilities(pairs, labels)["average_precision"]["armed_attack"]
        assert row["value"] == pytest.approx(average_precision_score([yes for yes, _ in said], [p for _, p in said]))
        assert row["interval"][0] < row["value"] < row["interval"][1]
        return row["interval"][1] - row["interval"][0]

    assert measured(400) < measured(40)


def test_a_prediction_with_an_error_is_at_0_as_in_the_scores(labels):
    gold = [passage("a"), passage("b"), Record("c", TEXT)]
    said = [passage("a", 0.9, 0.9), Record("b", TEXT, extra={"error": "boom"}), Record("c", TEXT, extra={"types": {"armed_attack": 0.1}})]
    row = probabilities(list(zip(gold, said, strict=True)), labels)["average_precision"]["armed_attack"]
    assert row["value"] == score(gold, said, labels).average_precision["armed_attack"] == pytest.approx(5 / 6)


def test_passages_of_one_document_are_drawn_together(labels):
    """One document: every resample is the file itself."""
    extra = {"document": "d"}
    pairs = [
        (Record("a", TEXT, passage("a").incidents, extra=extra), Record("a", TEXT, extra={"types": {"armed_attack": 0.3}})),
        (Record("b", TEXT, extra=extra), Record("b", TEXT, extra={"types": {"armed_attack": 0.6}})),
    ]
    row = probabilities(pairs, labels)["average_precision"]["armed_attack"]
    assert row["interval"] == [row["value"], row["value"]]
