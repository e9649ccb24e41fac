"""A little of what `python -m tests.faults.by_hand` does by the hundred and by the million."""

from __future__ import annotations

import json

import pytest

from tests.faults import by_hand, kills
from tests.processes import Command


def done(capsys, *arguments):
    """What a kind of fault says that it did; it must have found nothing wrong."""
    code = by_hand.main(arguments)
    said = json.loads(capsys.readouterr().out)
    assert said["wrong"] == []
    assert code == 0
    return said


def done_apart(tmp_path, *arguments):
    """The same in a process of its own: what is forked there has no threads of other tests to wait for."""
    said = json.loads(Command(tmp_path / "said", "tests.faults.by_hand", *arguments).finish().splitlines()[-1])
    assert said["wrong"] == []
    return said


def test_artefact_writes_killed_at_random_leave_the_old_or_the_new(tmp_path):
    assert done_apart(tmp_path, "artefact", "--kills", "3", "--seed", "11")["kills"] == 3


def test_odd_texts_are_read_alike_in_any_batch_order_and_number_of_threads(capsys):
    said = done(capsys, "fuzz", "--texts", "1000", "--seed", "11")
    assert (said["texts"], said["differences"]) == (1000, 0)
    assert said["incidents"] > 100
    assert said["spans"] > 1000


def test_the_shipped_model_reads_odd_texts_alike_in_any_batch_order_and_number_of_threads(capsys):
    said = done(capsys, "fuzz", "--texts", "100", "--seed", "11", "--model", "shipped")
    assert said["differences"] == 0
    assert said["spans"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["finetune", "pretrain"])
def test_trainings_killed_at_random_end_as_undisturbed_ones(tmp_path, kind):
    assert done_apart(tmp_path, kind, "--kills", "2", "--seed", "11")["kills"] == 2


def test_a_result_that_differs_is_counted_and_named():
    tally = kills.Tally()
    tally.check(True, "one")
    tally.check(False, "two")
    assert (tally.results, tally.wrong) == (2, ["two"])
