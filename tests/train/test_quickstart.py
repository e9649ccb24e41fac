from __future__ import annotations

import json
import shutil

from tests.faults.fuzz import table_artefact
from tests.train.test_resume import short
from train import export
from train.quickstart import KEYWORDS, SHIPPED, TRAINED, main, table
from waqia.model.windows import WindowSettings


def test_the_quickstart_ends_with_a_table_and_says_where_keywords_are_better(root, tmp_path, capsys, monkeypatch):
    """The export in it is that of tests/train/test_finetune.py; here a model of tables stands for what comes out."""
    made = table_artefact(tmp_path / "table", 0, WindowSettings(256, 64))
    exported: list[list[str]] = []
    monkeypatch.setattr(export, "main", lambda given: exported.append(given) or shutil.copytree(made, given[1]))
    config = short(root, tmp_path, lambda data: data["training"].update(epochs=0.2))
    lines = (root / "data/test.jsonl").read_text("utf-8").splitlines()[:20]
    assert all(json.loads(line)["id"] for line in lines)
    (tmp_path / "gold.jsonl").write_text("\n".join(lines), "utf-8")
    main([str(config), "--gold", str(tmp_path / "gold.jsonl")])
    printed = capsys.readouterr().out
    assert all(name in printed for name in (TRAINED, SHIPPED, KEYWORDS))
    assert "WORSE than keywords" in printed
    assert exported == [[str(tmp_path / "run"), str(tmp_path / "run/artefact")]]


def test_a_model_better_than_keywords_is_not_called_worse(tmp_path):
    def figures(value):
        return {name: {"value": value, "interval": [0.1, 0.9]} for name in ("incidents F1", "actors F1", "types micro-F1")}

    lines = table({TRAINED: figures(0.5), SHIPPED: figures(0.7), KEYWORDS: figures(0.4)}, tmp_path, 3)
    assert "0.500 [0.100, 0.900]" in lines[2]
    assert not any("WORSE" in line for line in lines)
