from __future__ import annotations

from eval.gsr import judge, types_of
from tests.train.test_data import MARKS, SENTENCE, imported
from waqia import Incident, LabelSet, Participant, Reading, Span

QUIET = "عقد المجلس اجتماعاً في العاصمة"


def read(*roles, p=0.9):
    """A reading of SENTENCE as an armed attack by the given (role, text)."""
    spans = [Participant(SENTENCE.index(text), SENTENCE.index(text) + len(text), text, role, "UAF") for role, text in roles]
    return Reading((Incident("armed_attack", "actual", Span(0, 4, "هاجم"), tuple(spans), p),), {"armed_attack": p})


def test_types_speak_for_their_plover_event(labels):
    assert types_of("PROTEST", labels) == {"protest", "riot"}
    assert {"air_strike", "protest_repression"} < types_of("ASSAULT", labels)
    assert "arrest" not in types_of("ASSAULT", labels)


def test_a_perfect_reading_is_perfect(tmp_path, root, labels):
    gsr = LabelSet.load(root / "configs/labels/plover-gsr.yaml")
    rows = [("D-1", SENTENCE, "yes", 3, 0, MARKS), ("D-2", QUIET, "easy no", 0, 3, [])]
    records, _ = imported(tmp_path, gsr, {"assault": rows})
    yes = read(("initiator", "مسلحون"), ("target", "دورية للشرطة"))
    figures = judge(records, [yes if record.text == SENTENCE else Reading(types={"armed_attack": 0.1}) for record in records], labels)
    assault = figures["ASSAULT"]
    assert [assault[key] for key in ("average_precision", "f1", "initiator_token_f1", "target_token_f1")] == [1, 1, 1, 1]
    assert assault["called_yes_by_label"] == {"easy no": 0, "yes": 1}
    assert figures["PROTEST"]["average_precision"] is None


def test_a_wider_span_costs_its_words(tmp_path, root, labels):
    gsr = LabelSet.load(root / "configs/labels/plover-gsr.yaml")
    records, _ = imported(tmp_path, gsr, {"assault": [("D-1", SENTENCE, "yes", 3, 0, MARKS)]})
    figures = judge(records, [read(("initiator", "مسلحون ملثمون"))], labels)
    assert figures["ASSAULT"]["initiator_token_f1"] == 2 / 3
    assert figures["ASSAULT"]["target_token_f1"] == 0
