from __future__ import annotations

import json
import subprocess
import sys

import pytest

from eval.gate import fallen, read_figures, read_gates
from tests.conftest import ROOT
from waqia import ConfigError, RecordError


def test_figures_at_or_above_their_gates_hold():
    assert fallen({"incidents F1": 0.5, "actors F1": 0.1}, {"incidents F1": 0.5}) == []


def test_a_fallen_figure_says_by_how_much():
    assert fallen({"incidents F1": 0.45}, {"incidents F1": 0.5}) == ["incidents F1: 0.450, 0.050 below 0.500"]


def test_nothing_to_score_does_not_pass_a_gate():
    assert fallen({"incidents F1": None}, {"incidents F1": 0.0}) == ["incidents F1: nothing to score, least 0.000"]


def test_a_gate_without_a_figure_is_an_error():
    with pytest.raises(ConfigError, match="incident F1"):
        fallen({"incidents F1": 0.5}, {"incident F1": 0.5})


@pytest.mark.parametrize("text", ["", "figures: {}", "figures: {a: high}", "figures: {a: 70}", "figures: {a: 0.1}\nmore: 1", "figures: ["])
def test_gates_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "gates.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"gates\.yaml"):
        read_gates(tmp_path / "gates.yaml")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"figures": {"a": 1}}'])
def test_scores_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "scores.json").write_text(text, "utf-8")
    with pytest.raises(RecordError, match="no scores"):
        read_figures(tmp_path / "scores.json")


def test_shipped_gates_are_figures_that_the_scores_have(labels):
    from eval.score.scoring import headline

    assert set(read_gates(ROOT / "configs/gates.yaml")) <= set(headline({}, labels))


@pytest.mark.parametrize(("value", "code"), [(0.9, 0), (0.1, 5)])
def test_the_command_ends_with_5_below_a_gate(tmp_path, value, code):
    (tmp_path / "gates.yaml").write_text("figures: {incidents F1: 0.5}", "utf-8")
    (tmp_path / "scores.json").write_text(json.dumps({"figures": {"incidents F1": {"value": value}}}), "utf-8")
    command = [sys.executable, "-m", "eval.gate", tmp_path / "scores.json", "--gates", tmp_path / "gates.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
