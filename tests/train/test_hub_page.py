"""The Python of docs/hub.md runs, against a repository in a cache, and prints what stands there."""

from __future__ import annotations

import json
import re

import pytest

from tests.hub import lay
from waqia.model import artefact

PARTS = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEWS = ["قتل ثلاثة مدنيين في قصف مدفعي على مدينة إدلب مساء أمس.", "ارتفعت أسعار الخبز هذا الأسبوع."]


@pytest.fixture
def here(tmp_path, root, monkeypatch):
    """A folder with the files that the page reads, and the packaged model as org/name in the cache of the hub."""
    lay(tmp_path / "cache", "org/name", {name: (artefact.DEFAULT / name).read_bytes() for name in (artefact.MANIFEST, *artefact.FILES)})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"n-{place}", "text": text} for place, text in enumerate(NEWS)]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    (tmp_path / "records.jsonl").write_bytes((root / "data/dev.jsonl").read_bytes())
    return tmp_path


def test_the_python_of_the_page_prints_what_stands_there(here, root, capsys):
    parts = PARTS.findall((root / "docs/hub.md").read_text("utf-8"))
    assert [kind for kind, _ in parts].count("python") == 4
    names: dict = {}
    printed = ""
    for kind, body in parts:
        if kind == "python":
            exec(compile(body, "docs/hub.md", "exec"), names)
            printed = capsys.readouterr().out
        else:
            assert printed == body
