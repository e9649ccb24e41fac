from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SCRIPTS = {  # command -> module with its main
    "baselines": "baselines.systems",
    "compare": "compare",
    "analysis.errors": "analysis.errors",
    "gate": "gate",
    "analysis.gsr": "analysis.gsr",
    "analysis.probabilities": "analysis.probabilities",
    "report": "report.build",
    "score": "score.scoring",
    "analysis.slices": "analysis.slices",
    "speed": "speed.benchmark",
}


def shell(command):
    return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(("predictions", "code"), [("nowhere.jsonl", 2), ("data/dev.jsonl", 3)])
def test_errors_are_one_line_and_their_own_exit_code(predictions, code):
    done = shell(f"{sys.executable} -m eval.score data/test.jsonl {predictions}")
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error_and_loses_no_file(tmp_path):
    done = shell(f"{sys.executable} -m eval.score data/dev.jsonl data/dev.jsonl --out {tmp_path}/s.json | true")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "s.json").exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as done:
        importlib.import_module(f"eval.{SCRIPTS[name]}").main(["--help"])
    assert done.value.code == 0
    assert f"python -m eval.{name}" in capsys.readouterr().out
