from __future__ import annotations

import json

import pytest

from eval.analysis.merging import main, merging
from tests.conftest import span
from waqia import Incident, Record, RecordError, Span, write_records

TEXT = "اعتقلت الشرطة ثلاثة في تعز. جاءت الاعتقالات بعد هجوم، وأدان الحزب الاعتقال."


def incident(kind, *words, told=True):
    first, *others = (Span(**span(TEXT, word)) for word in words)
    return Incident(kind, "actual", first, mentions=tuple(others) if told else None)


GOLD = Record("x", TEXT, (incident("arrest", "اعتقلت", "الاعتقالات", "الاعتقال."), incident("armed_attack", "هجوم")))


def values(result, system):
    return {name: row["value"] for name, row in result["systems"][system].items()}


def test_merging_nothing_scores_as_computed_by_hand(labels):
    figures = values(merging([GOLD], None, labels), "nothing merged")
    # B3 recall (3 * 1/3 + 1) / 4 = 1/2, precision 1; CEAFe sums 2/4 + 1 over 2 and over 4 clusters; LEA recall 1 of 4, precision 1 of 4.
    assert figures["MUC"] == 0
    assert figures["B3"] == pytest.approx(2 / 3)
    assert figures["CEAFe"] == pytest.approx(2 * 0.75 * 0.375 / (0.75 + 0.375))
    assert figures["CoNLL F1"] == pytest.approx((0 + 2 / 3 + 0.5) / 3)
    assert figures["LEA"] == pytest.approx(0.25)
    assert (figures["pair precision"], figures["pair recall"], figures["pair F1"]) == (None, 0, 0)


def test_merging_all_of_a_type_is_right_where_each_type_happened_once_and_wrong_where_it_happened_twice(labels):
    once = values(merging([GOLD], None, labels), "types merged")
    assert set(once.values()) == {1.0}
    twice = Record("y", TEXT, (incident("arrest", "اعتقلت", "الاعتقالات"), incident("arrest", "الاعتقال.")))
    figures = values(merging([twice], None, labels), "types merged")
    assert figures["pair precision"] == pytest.approx(1 / 3)
    assert figures["LEA"] == pytest.approx(2 * (2 / 3) * (1 / 3) / (2 / 3 + 1 / 3))  # recall: the pair whole, the singleton's link gone


def test_readings_are_judged_on_gold_mentions_and_end_to_end(labels):
    read = Record("x", TEXT, (incident("arrest", "اعتقلت", "الاعتقالات"),))
    result = merging([GOLD], [read], labels)
    alone, whole = values(result, "on gold mentions"), values(result, "end to end")
    assert alone["pair recall"] == whole["pair recall"] == pytest.approx(1 / 3)
    assert whole["LEA"] == pytest.approx(2 * 0.25 * 1 / 1.25)  # recall 3 * 1/3 of 4, precision 2 * 1 of 2
    assert alone["LEA"] == pytest.approx(2 * 0.5 * 0.75 / 1.25)  # the attack, not found, stands alone and is right: 2 of 4; 3 of 4
    assert whole["incident count error"] == 1
    assert "incident count error" not in alone


def test_a_reading_with_an_error_counts_as_empty(labels):
    failed = Record("x", TEXT, (), None, {"error": "too long"})
    figures = values(merging([GOLD], [failed], labels), "end to end")
    assert (figures["LEA"], figures["CoNLL F1"], figures["incident count error"]) == (0, 0, 2)


def test_texts_that_do_not_tell_mentions_are_left_out_and_counted(labels):
    silent = Record("y", TEXT, (incident("arrest", "اعتقلت", told=False),))
    result = merging([GOLD, silent], None, labels)
    assert (result["records"], result["left_out"], result["happenings"], result["told_again"], result["mentions"]) == (1, 1, 2, 1, 4)
    with pytest.raises(RecordError, match="tells the mentions"):
        merging([silent], None, labels)


def test_the_command_prints_every_system_and_writes_json(tmp_path, capsys):
    path = tmp_path / "gold.jsonl"
    write_records(path, [GOLD])
    main([str(path), "--readings", str(path), "--out", str(tmp_path / "m.json")])
    said = capsys.readouterr().out
    assert all(name in said for name in ("nothing merged", "types merged", "on gold mentions", "end to end"))
    whole = json.loads((tmp_path / "m.json").read_text("utf-8"))["systems"]["end to end"]
    assert whole["LEA"] == {"value": 1.0, "interval": [1.0, 1.0]}


def test_the_merging_head_of_the_shipped_artefact_is_judged_on_gold_mentions(labels, root, tmp_path, capsys):
    gold, out = tmp_path / "gold.jsonl", tmp_path / "merging.json"
    write_records(gold, [GOLD])
    main([str(gold), "--labels", str(root / "configs/labels/incidents.yaml"), "--artefact", "waqia-mini-int8", "--out", str(out)])
    assert "the head on gold mentions" in capsys.readouterr().out
    figures = values(json.loads(out.read_text("utf-8")), "the head on gold mentions")
    assert figures["pair recall"] == figures["pair precision"] == 1  # three words of one arrest, and the attack by itself
