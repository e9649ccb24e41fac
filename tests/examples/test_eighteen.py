"""The commands of docs/eighteen.md, run as they stand there."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shlex
from importlib import import_module

import pytest

import waqia
from waqia.cli import main

TITLES = ("| expected |", "|---|")


def rows(root):
    """(expected, code spans of the second cell, the last cell) of each row."""
    for line in (root / "docs/eighteen.md").read_text("utf-8").splitlines():
        if line.startswith("| ") and not line.startswith(TITLES):
            expected, said, held = (cell.strip() for cell in line.strip("| ").split(" | "))
            yield expected, re.findall(r"`([^`]+)`", said), held


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    """The folder of the page, with the three files that it names."""
    parquet, pyarrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    place = tmp_path_factory.mktemp("eighteen")
    lines = [line for line in (root / "data/dev.jsonl").read_text("utf-8").splitlines() if json.loads(line)["incidents"]][:4]
    (place / "records.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    records = [json.loads(line) for line in lines]
    with (place / "texts.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("id", "text"), *((record["id"], record["text"]) for record in records)])
    parquet.write_table(pyarrow.table({"id": range(4), "text": [record["text"] for record in records]}), place / "texts.parquet")
    return place


@pytest.fixture(scope="module")
def names(folder):
    """What the Python of the page calls by name."""
    with (folder / "texts.csv").open(encoding="utf-8", newline="") as table:
        texts = [row["text"] for row in csv.DictReader(table)]
    reader = waqia.Reader.load(threads=1)
    return {"waqia": waqia, "reader": reader, "texts": texts, "readings": list(reader.read_many(texts))}


def commands(root):
    return [code for _, codes, held in rows(root) if held.startswith("this page") for code in codes]


def test_every_expectation_is_held_by_this_test_or_by_one_that_exists(root):
    told = list(rows(root))
    assert len(told) >= 18
    for expected, _, held in told:
        assert held.startswith("this page") or (root / held).is_file(), expected


def test_every_command_of_the_page_runs(root, folder, names, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "configs").symlink_to(root / "configs")  # where the training commands look for theirs
    ran = [code for code in commands(root) if run(code, names, folder, monkeypatch)]
    assert len(ran) >= 25
    capsys.readouterr()
    incidents = sum(len(reading.incidents) for reading in names["readings"])
    with (folder / "incidents.csv").open(encoding="utf-8-sig", newline="") as table:
        assert sum(bool(row["type"]) for row in csv.DictReader(table)) == incidents
    for number in range(1, 6):
        assert len((folder / f"back-{number}.jsonl").read_text("utf-8").splitlines()) == 4
    assert len(json.loads((folder / "next.json").read_text("utf-8"))) == 2
    assert main(["validate", "records.jsonl", "tasks.json", "brat", "labels.conll"]) == 0


def test_serving_takes_the_options_of_the_page(root, monkeypatch):
    from waqia import cli

    asked = []
    monkeypatch.setattr(cli.serve, "run", lambda args: asked.append(cli.serve._settings(args)) or 0)
    for _, codes, _ in rows(root):
        for code in codes:
            if code.startswith("waqia serve"):
                assert main(shlex.split(code)[1:]) == 0
    assert [(settings.port, settings.texts, settings.timeout) for settings in asked] == [(8080, 256, 30.0), (8080, 32, 10.0)]


def run(code, names, folder, monkeypatch):
    """Run a command or an expression; False for what is neither (an extra's name, a column) or needs a library that is not there."""
    if (code.endswith(".spacy") or ".spacy " in code) and importlib.util.find_spec("spacy") is None:
        return False
    if code.startswith("waqia "):
        if code == "waqia batch - -":
            (folder / "line.jsonl").write_text(json.dumps({"id": 1, "text": names["texts"][0]}), "utf-8")
            with (folder / "line.jsonl").open(encoding="utf-8") as lines, monkeypatch.context() as given:
                given.setattr("sys.stdin", lines)
                assert main(shlex.split(code)[1:]) == 0
            return True
        assert main(shlex.split(code)[1:]) == 0, code
        return True
    if code.startswith("python -m "):
        _, _, module, *options = shlex.split(code)
        assert import_module(module).main(options) in (0, None), code
        return True
    if re.match(r"waqia\.|reader\.|readings\[|\[waqia\.", code):
        if "to_frame" in code and importlib.util.find_spec("polars" if "polars" in code else "pandas") is None:
            return False
        assert eval(code, dict(names)) is not None, code
        return True
    return False


def test_what_is_not_run_is_no_command(root):
    left = [code for code in commands(root) if not re.match(r"waqia |python -m |waqia\.|reader\.|readings\[|\[waqia\.", code)]
    assert left == ["acled", "plover", "waqia[files]", "waqia[spacy]", "waqia[frame]"]
