from __future__ import annotations

import logging

import pytest

from train.checkpoints import newest_valid, seal
from waqia import ConfigError


def checkpoint(root, step, config="a", sealed=True):
    folder = root / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "weights").write_bytes(b"1234" * step)
    if sealed:
        seal(folder, config)
    return folder


def test_the_newest_whole_checkpoint_is_taken_by_number(tmp_path):
    checkpoint(tmp_path, 9)
    newest = checkpoint(tmp_path, 10)
    assert newest_valid(tmp_path, "a") == str(newest)


def test_no_checkpoint_is_none(tmp_path):
    assert newest_valid(tmp_path / "nothing", "a") is None


@pytest.mark.parametrize("damage", ["unsealed", "cut", "missing", "list", "no config"])
def test_a_checkpoint_that_is_not_whole_is_passed_over_with_a_warning(tmp_path, caplog, damage):
    old = checkpoint(tmp_path, 1)
    new = checkpoint(tmp_path, 2, sealed=damage != "unsealed")
    if damage == "cut":
        (new / "weights").write_bytes(b"12")
    if damage == "missing":
        (new / "weights").unlink()
    if damage in ("list", "no config"):
        (new / "manifest.json").write_text("[]" if damage == "list" else '{"files": {}}')
    with caplog.at_level(logging.WARNING):
        assert newest_valid(tmp_path, "a") == str(old)
    assert "checkpoint-2 is not whole" in caplog.text


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    checkpoint(tmp_path, 1, config="b")
    with pytest.raises(ConfigError, match="another configuration"):
        newest_valid(tmp_path, "a")
