from __future__ import annotations

import json
import re

import pytest

from eval.speed import memory


def test_memory_is_told_when_so_many_texts_were_read(tmp_path, passages, capsys):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(text[:80]) + "\n" for text in passages[:2]), "utf-8")
    memory.main(["--stream", str(path), "--articles", "1", "3"])
    said = capsys.readouterr().out
    assert re.findall(r"^(\S+):", said, re.MULTILINE) == ["opened", "1", "3"]
    assert "0 of 3 windows screened" in said


@pytest.mark.parametrize("share", [None, 0.05])
def test_the_articles_are_read_by_a_process_of_its_own(root, tmp_path, monkeypatch, capsys, share):
    asked = []
    monkeypatch.setattr(memory.subprocess, "run", lambda command, check: asked.append(command))
    given = [] if share is None else ["--screen", str(share)]
    memory.main(["--articles", "2", "--corpus", str(tmp_path), "--data", str(root / "data/dev.jsonl"), *given])
    assert (asked[0][-2:] == ["--screen", "0.05"]) == (share is not None)
    assert "2 texts from data/*.jsonl" in capsys.readouterr().out
