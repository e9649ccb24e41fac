from __future__ import annotations

import json
import random

import pytest

from eval.compare import compare, main, read_seeds
from eval.score.counts import Counts
from eval.score.intervals import paired
from eval.score.scoring import score
from waqia import ConfigError, Incident, Record, Span, write_records

TEXT = "قصف على المدينة"


def passage(name, *kinds):
    return Record(name, TEXT, tuple(Incident(kind, "actual", Span(0, 3, "قصف")) for kind in kinds))


GOLD = [passage(f"r{n}", "shelling") for n in range(30)]
MISSED = [passage(record.id) for record in GOLD]


def said(right):
    """Predictions of which only the first are right."""
    return GOLD[:right] + MISSED[right:]


def test_identical_files_give_p_1_and_no_effect(labels):
    scores = score(GOLD, said(20), labels)
    for comparison in compare([scores], [scores], rounds=50).values():
        if comparison.test:
            assert (comparison.test.effect, comparison.test.interval, comparison.test.p) == (0, (0, 0), 1)
        assert comparison.verdict in ("the data cannot decide", "nothing to compare")


def test_a_clear_difference_is_decided_and_has_a_direction(labels):
    worse, better = score(GOLD, said(5), labels), score(GOLD, said(28), labels)
    assert compare([worse], [better], rounds=200)["incidents F1"].verdict == "B is better"
    assert compare([better], [worse], rounds=200)["incidents F1"].verdict == "A is better"


def test_a_small_difference_is_left_undecided(labels):
    comparison = compare([score(GOLD, said(20), labels)], [score(GOLD, said(21), labels)], rounds=200)["incidents F1"]
    assert comparison.test.effect > 0
    assert comparison.verdict == "the data cannot decide"


def test_p_and_interval_hold_their_level_when_the_systems_are_alike():
    chance = random.Random(3)
    below = outside = 0
    for trial in range(100):
        a, b = ([{"items": Counts(sum(chance.random() < 0.6 for _ in range(4)), 4)} for _ in range(40)] for _ in range(2))
        test = paired(a, b, range(40), lambda t: {"recall": t["items"].recall}, rounds=200, seed=trial)["recall"]
        below += test.p <= 0.05
        outside += not test.interval[0] <= 0 <= test.interval[1]
    assert below <= 10
    assert outside <= 12


def test_passages_of_one_document_are_swapped_together():
    a, b = ([{"items": Counts(hit, 1)} for _ in range(40)] for hit in (0, 1))
    apart, together = (paired(a, b, d, lambda t: {"recall": t["items"].recall}, rounds=200)["recall"] for d in (range(40), [0] * 40))
    assert apart.p < 0.01
    assert together.p == 1


def test_figures_that_one_system_lacks_are_not_compared(labels):
    comparison = compare([score(GOLD, MISSED, labels)], [score(GOLD, GOLD, labels)], rounds=20)["statuses accuracy"]
    assert comparison.verdict == "nothing to compare"
    assert (comparison.a.value, comparison.b.value) == (None, 1)


def test_seeds_are_pooled_and_their_spread_is_told(labels):
    a = [score(GOLD, said(n), labels) for n in (10, 20)]
    comparison = compare(a, a, rounds=20)["incidents F1"]
    each = [scores.figures()["incidents F1"] for scores in a]
    assert comparison.a.mean == pytest.approx(sum(each) / 2)
    assert comparison.a.deviation == pytest.approx(abs(each[0] - each[1]) / 2**0.5)
    assert comparison.a.value == 2 * 30 / (60 + 30)


def test_unequal_numbers_of_seeds_are_refused(labels):
    scores = score(GOLD, GOLD, labels)
    with pytest.raises(ConfigError, match="2 files against 1"):
        compare([scores, scores], [scores])


def test_a_folder_without_predictions_is_refused(tmp_path, labels):
    with pytest.raises(ConfigError, match=r"no \.jsonl file"):
        read_seeds(tmp_path, GOLD, labels)


def test_the_command_prints_and_writes_a_verdict(tmp_path, capsys):
    for name, records in (("gold", GOLD), ("a", said(5)), ("b", GOLD)):
        write_records(tmp_path / f"{name}.jsonl", records)
    files = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl", "gold.jsonl", "c.json")]
    main([*files[:2], "--gold", files[2], "--out", files[3], "--rounds", "100"])
    assert "B is better" in capsys.readouterr().out
    assert json.loads((tmp_path / "c.json").read_text("utf-8"))["incidents F1"]["verdict"] == "B is better"
