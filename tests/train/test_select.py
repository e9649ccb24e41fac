"""What to label next: the most doubtful, the rare, the different; never the same text twice."""

from __future__ import annotations

import json

import pytest

from train.config import load_config
from train.select import SelectConfig, choose, disagreement, main, rare_types, uncertainty
from waqia.errors import ConfigError
from waqia.schema import Incident, Reading, Record, Span

TEXTS = ["قصف مدفعي على إدلب", "قصف مدفعي على حلب", "مظاهرة في بغداد", "توقيع هدنة في صنعاء"]
IDS = ["a", "b", "c", "d"]


def shares(uncertainty=0.0, disagreement=0.0, rare=0.0, diversity=0.0):
    return SelectConfig(uncertainty=uncertainty, disagreement=disagreement, rare=rare, diversity=diversity)


def reading(**types):
    return Reading(types=types)


def chosen(labels, config, readings, labelled=(), n=4, texts=TEXTS):
    return [IDS[choice.place] for choice in choose(IDS, texts, readings, labelled, labels, config, n=n)]


def test_the_most_doubtful_comes_first(labels):
    readings = [reading(shelling=0.99), reading(shelling=0.5), reading(shelling=0.7), reading(shelling=0.1)]
    assert chosen(labels, shares(uncertainty=1), readings) == ["b", "c", "d", "a"]


def test_uncertainty_is_the_entropy_of_all_types_together():
    assert uncertainty(reading(shelling=0.25)) == pytest.approx(0.8112781, abs=1e-6)
    assert uncertainty(reading(shelling=0.25, protest=0.5, riot=1.0)) == pytest.approx(1.8112781, abs=1e-6)
    assert uncertainty(Reading()) == 0.0


def test_uncertainty_is_told_against_the_most_doubtful_text_of_the_pool(labels):
    readings = [reading(shelling=0.5, protest=0.5), reading(shelling=0.5), Reading(), Reading()]
    told = [choice.uncertainty for choice in choose(IDS, TEXTS, readings, [], labels, shares(uncertainty=1), n=2)]
    assert told == [1.0, 0.5]


def test_disagreement_is_the_furthest_that_a_type_and_its_incidents_are_apart(labels):
    incident = Incident("shelling", "actual", Span(0, 3, "قصف"), score=0.5)
    assert disagreement(Reading((incident,), {"shelling": 0.9, "protest": 0.25})) == pytest.approx(0.4)
    assert disagreement(Reading((incident,), {"shelling": 0.5, "protest": 0.75})) == 0.75
    assert disagreement(Reading()) == 0.0
    readings = [reading(protest=0.1), reading(protest=0.6), reading(), reading(protest=0.3)]
    assert chosen(labels, shares(disagreement=1), readings) == ["b", "d", "a", "c"]


def test_diversity_takes_another_subject_before_a_like_text(labels):
    assert chosen(labels, shares(diversity=1), [Reading()] * 4) == ["a", "c", "d", "b"]


def test_labelled_texts_count_as_chosen(labels):
    labelled = [Record("x", "مظاهرة في بغداد اليوم")]
    assert chosen(labels, shares(diversity=1), [Reading()] * 4, labelled, n=3) == ["a", "d", "b"]


def test_rare_types_are_those_with_few_labels(labels):
    told = tuple(Incident("shelling", "actual", Span(n, n + 1, "ق")) for n in range(3))
    rare = rare_types([reading(shelling=1.0), reading(protest=1.0), reading(shelling=0.5, protest=0.5)], [Record("x", "ققق", told)], labels)
    assert rare.tolist() == [0.25, 1.0, 0.625]


def test_a_text_is_chosen_once_and_never_where_it_is_labelled(labels):
    texts = ["قصف  على إدلب", "قصف على\nإدلب", "مظاهرة في بغداد", "هدنة"]
    labelled = [Record("x", "مظاهرة في بغداد"), Record("d", "غير ذلك")]
    assert chosen(labels, shares(diversity=1), [Reading()] * 4, labelled, texts=texts) == ["a"]


def test_a_text_that_cannot_be_read_is_not_chosen(labels):
    readings = [Reading(error="broken"), Reading(), Reading(), Reading()]
    assert sorted(chosen(labels, shares(diversity=1), readings)) == ["b", "c", "d"]


def test_a_share_that_is_misspelt_is_refused(tmp_path):
    path = tmp_path / "select.yaml"
    path.write_text("uncertainty: 0.5\nrare: 0.2\ndiverse: 0.3\n")
    with pytest.raises(ConfigError, match="diverse"):
        load_config(SelectConfig, path)


def test_tasks_carry_readings_and_reasons_the_same_each_time(tmp_path, root):
    pool = tmp_path / "pool.csv"
    pool.write_text("id,text\n" + "".join(f"{name},{text}\n" for name, text in zip(IDS, TEXTS, strict=True)), "utf-8")
    made = []
    for name in ("one.json", "two.json"):
        assert main([str(pool), str(tmp_path / name), "--n", "2", "--config", str(root / "configs/select.yaml")]) == 0
        made.append((tmp_path / name).read_text("utf-8"))
    tasks = json.loads(made[0])
    assert made[0] == made[1]
    assert [task["data"]["selected"]["rank"] for task in tasks] == [1, 2]
    assert all("predictions" in task for task in tasks)
