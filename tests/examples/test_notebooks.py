"""The notebooks of examples/: what stands in them, and that they run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("finetune", "judge", "read")
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:work|home|root|tmp|opt|usr|mnt|Users|var)/|[A-Z]:\\\\")


def cells(name: str) -> list[dict]:
    """The code cells of a notebook."""
    return [cell for cell in json.loads((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_the_three_notebooks_are_all_that_there_are():
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_was_run_in_order_and_none_raised(name):
    assert [cell["execution_count"] for cell in cells(name)] == list(range(1, len(cells(name)) + 1))
    outputs = [output for cell in cells(name) for output in cell["outputs"]]
    assert len(outputs) >= 4
    assert not [output for output in outputs if output["output_type"] == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_neither_cells_nor_their_outputs_hold_a_path_of_a_machine(name):
    assert not MACHINE_PATH.findall((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_small(name):
    assert (EXAMPLES / f"{name}.ipynb").stat().st_size < 40_000


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_runs_from_an_empty_folder(name, tmp_path):
    pytest.importorskip("nbclient")
    done = executed(EXAMPLES / f"{name}.ipynb", tmp_path)
    assert done.returncode == 0, done.stderr
    fresh = json.loads((tmp_path / f"{name}.ipynb").read_text("utf-8"))
    assert all(cell["execution_count"] for cell in fresh["cells"] if cell["cell_type"] == "code")


@pytest.mark.slow
def test_a_cell_that_raises_ends_with_1_and_writes_nothing(tmp_path):
    pytest.importorskip("nbclient")
    notebook = json.loads((EXAMPLES / "read.ipynb").read_text("utf-8"))
    notebook["cells"] = [{**cell, "source": "1 / 0"} for cell in notebook["cells"] if cell["cell_type"] == "code"][:1]
    broken = tmp_path / "broken.ipynb"
    broken.write_text(json.dumps(notebook), "utf-8")
    done = executed(broken, tmp_path / "out")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert not (tmp_path / "out").exists()


def executed(notebook: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """`python -m tests.examples.execute` in a process of its own, as `make notebooks` runs it."""
    command = [sys.executable, "-m", "tests.examples.execute", str(notebook), "--out", str(out)]
    return subprocess.run(command, cwd=EXAMPLES.parent, env=os.environ, capture_output=True, text=True)
