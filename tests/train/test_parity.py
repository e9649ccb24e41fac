"""An export is refused unless its numbers are those of torch; what is no number is refused too."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from train import export, graphs, run
from waqia import ConfigError


@pytest.mark.parametrize("rows", [[[0.0, np.nan], [0.0, 0.0]], [[np.nan, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, np.nan]]])
def test_a_difference_that_is_no_number_is_not_lost_among_the_others(monkeypatch, rows):
    monkeypatch.setattr(graphs, "TorchBackend", lambda model: None)
    monkeypatch.setattr(graphs, "OnnxBackend", SimpleNamespace(open=lambda graphs: None))
    monkeypatch.setattr(graphs, "_real_batches", lambda run: rows)
    monkeypatch.setattr(graphs, "_differences", lambda ours, theirs, one, run: one)
    assert np.isnan(graphs.parity(SimpleNamespace(model=None), None))


def test_the_difference_is_the_largest_of_all_batches(monkeypatch):
    monkeypatch.setattr(graphs, "TorchBackend", lambda model: None)
    monkeypatch.setattr(graphs, "OnnxBackend", SimpleNamespace(open=lambda graphs: None))
    monkeypatch.setattr(graphs, "_real_batches", lambda run: [[1e-6, 3e-5], [2e-5, 0.0]])
    monkeypatch.setattr(graphs, "_differences", lambda ours, theirs, one, run: one)
    assert graphs.parity(SimpleNamespace(model=None), None) == 3e-5


@pytest.mark.parametrize(("difference", "written"), [(1e-4, True), (1.01e-4, False), (np.nan, False), (np.inf, False)])
def test_an_export_is_written_up_to_a_difference_of_1e_4_and_never_when_it_is_no_number(monkeypatch, tmp_path, difference, written):
    wrote = []
    monkeypatch.setattr(export, "check_run", lambda folder: None)
    monkeypatch.setattr(run.Run, "load", lambda folder: SimpleNamespace(model=None))
    for name in ("halve", "export_graphs"):
        monkeypatch.setattr(graphs, name, lambda *_: None)
    monkeypatch.setattr(graphs, "parity", lambda *_: difference)
    monkeypatch.setattr(export, "write", lambda *_: wrote.append(True))
    if written:
        export.main(["run", str(tmp_path)])
    else:
        with pytest.raises(ConfigError, match="nothing was written"):
            export.main(["run", str(tmp_path)])
    assert bool(wrote) is written


def test_a_dev_file_that_has_moved_is_named_with_what_to_do(tmp_path):
    moved = SimpleNamespace(config=SimpleNamespace(dev_files=[tmp_path / "dev.jsonl"]), labels=None)
    with pytest.raises(ConfigError, match=r"dev\.jsonl: no such file; .* start in the folder that its path counts from, or put it back"):
        graphs._real_batches(moved)
