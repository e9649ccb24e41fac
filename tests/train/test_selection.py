"""The played annotation: what is counted, what is saved, and that every strategy starts from the same texts."""

from __future__ import annotations

import numpy as np
import pytest

from train.experiments.selection import Task, curves, f1, learn, play, saved, table
from train.select import SelectConfig
from waqia.schema import Incident, Record, Span

SIZES = (4, 6, 8)
WORDS = ("قصف", "احتجاج")


@pytest.fixture
def task(labels):
    """Sixteen texts, shellings and protests in turn, that one word tells apart; twelve of them the pool."""
    records, truth = [], np.zeros((16, len(labels.incident_types)), bool)
    for number in range(16):
        word, name = WORDS[number % 2], ("shelling", "protest")[number % 2]
        records.append(Record(str(number), f"{word} رقم {number}", (Incident(name, "actual", Span(0, len(word), word)),)))
        truth[number, list(labels.incident_types).index(name)] = True
    features = np.array([[number % 2, 1 - number % 2, number / 100] for number in range(16)])
    return Task(records[:12], records[12:], features, truth, labels)


def test_f1_is_of_the_weighed_counts_and_its_mean_is_over_seeds():
    counts = np.array([[[[1, 2, 2], [0, 0, 2]]], [[[2, 2, 2], [0, 0, 0]]]])  # two seeds, one size, two passages
    assert f1(counts, np.array([1, 1])).tolist() == [pytest.approx((2 / 6 + 1) / 2)]
    assert f1(counts, np.array([1, 0])).tolist() == [pytest.approx((2 / 4 + 1) / 2)]


def test_what_is_saved_is_read_between_the_sizes():
    share = saved(np.array([0.2, 0.6, 0.6]), np.array([0.2, 0.4, 0.7]), (100, 200, 400))
    assert share[:2].tolist() == [0.0, pytest.approx(1 - 150 / 200)]
    assert np.isnan(share[2])


def test_a_curve_that_falls_first_saves_nothing_where_it_began():
    share = saved(np.array([0.3, 0.2, 0.5]), np.array([0.3, 0.4, 0.4]), (100, 200, 400))
    assert share.tolist() == [0.0, pytest.approx(1 - (200 + 200 * 2 / 3) / 200), pytest.approx(1 - (200 + 200 * 2 / 3) / 400)]


def test_every_way_of_choosing_starts_from_the_same_random_texts(task):
    random = play(task, SIZES, 1, None)
    chosen = play(task, SIZES, 1, SelectConfig(uncertainty=0.0, disagreement=0.0, rare=0.0, diversity=1.0))
    assert (random[0] == chosen[0]).all()
    assert (play(task, SIZES, 1, None)[-1] == random[-1]).all()


def test_the_learner_tells_what_one_feature_tells(task):
    probabilities, said = learn(task, list(range(12)))
    assert probabilities.shape == (12, len(task.labels.incident_types))
    assert (said == task.truth[12:]).all()


def test_a_table_has_difference_and_saving_for_all_but_random_choice():
    better = np.array([[[[1, 2, 2]] * 3, [[2, 2, 2]] * 3]])  # one seed, two sizes, three passages
    result = curves({"random": better[:, ::1] * [0, 1, 1] + [1, 0, 0], "select": better}, (10, 20))
    assert result["strategies"]["select"]["difference"][1]["value"] == 0.5
    assert result["strategies"]["select"]["saved"][1] == {"value": 0.5, "interval": [0.5, 0.5]}
    lines = table(result)
    assert [line.split(" |")[0] for line in lines[2:]] == ["| random, f1", "| select, f1", "| select, difference", "| select, saved"]
