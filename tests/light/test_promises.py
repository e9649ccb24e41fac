"""docs/promises.md names tests that exist and test something."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

ROW = re.compile(r"^\| \d+ \| .* \| (.*) \|$", re.MULTILINE)


def test_every_promise_names_tests_that_exist(root):
    rows = ROW.findall((root / "docs/promises.md").read_text("utf-8"))
    assert len(rows) == 8
    for held in rows:
        folder, named = "", re.findall(r"`([^`]+)`", held)
        assert named
        for name in named:
            folder = str(PurePosixPath(name).parent) if "/" in name.rstrip("/") else folder
            path = root / (name if "/" in name else f"{folder}/{name}")
            tests = path.glob("test_*.py") if path.is_dir() else [path]
            assert any(re.search(r"^def test_", test.read_text("utf-8"), re.MULTILINE) for test in tests), path
