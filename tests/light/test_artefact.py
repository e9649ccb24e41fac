from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from waqia import ArtefactError, Reader
from waqia.model import artefact
from waqia.model.backends import BACKENDS


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped artefact, to be damaged."""
    return shutil.copytree(artefact.DEFAULT, tmp_path / "artefact")


def written(folder, target, loaded):
    artefact.write(
        target,
        model=loaded.model,
        encode=folder / "encode.onnx",
        participants=folder / "participants.onnx",
        tokenizer=loaded.tokenizer.to_str(),
        labels=loaded.labels,
        windows=loaded.windows,
        calibration=loaded.calibration,
        card={"config": {"name": "mine"}},
    )


def test_an_artefact_keeps_its_card(tmp_path, folder):
    written(folder, tmp_path / "new", artefact.load(folder))
    manifest = json.loads((tmp_path / "new" / artefact.MANIFEST).read_text("utf-8"))
    assert manifest["card"] == artefact.load(tmp_path / "new").card == {"config": {"name": "mine"}}


def test_an_artefact_written_is_read_back_equal(tmp_path, folder):
    loaded = artefact.load(folder)
    written(folder, tmp_path / "new", loaded)
    again = artefact.load(tmp_path / "new")
    assert (again.model, again.labels, again.windows, again.calibration) == (
        loaded.model, loaded.labels, loaded.windows, loaded.calibration
    )  # fmt: skip


def test_a_missing_file_is_named(folder):
    (folder / "labels.json").unlink()
    with pytest.raises(ArtefactError, match=r"labels\.json: missing"):
        artefact.load(folder)


def test_a_changed_file_is_named(folder):
    with (folder / "encode.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ArtefactError, match=r"encode\.onnx: differs from its sha256"):
        artefact.load(folder)


def test_an_extra_file_is_named(folder):
    (folder / "notes.txt").write_text("x")
    with pytest.raises(ArtefactError, match=r"notes\.txt: not in the manifest"):
        artefact.load(folder)


def test_another_format_version_is_named_with_ours(folder):
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 99}), "utf-8")
    with pytest.raises(ArtefactError, match="format 99, this version of waqia reads format 1"):
        artefact.load(folder)


def test_a_broken_manifest_is_no_crash(folder):
    (folder / "manifest.json").write_text("{", "utf-8")
    with pytest.raises(ArtefactError, match=r"manifest\.json: not readable"):
        artefact.load(folder)


def test_a_folder_that_is_no_artefact_says_how_to_make_one(tmp_path):
    with pytest.raises(ArtefactError, match=r"expected a folder written by python -m train\.export"):
        Reader.load(tmp_path)


def test_writing_never_replaces_what_is_no_artefact(tmp_path, folder):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ArtefactError, match="exists and is no artefact"):
        written(folder, tmp_path / "mine", artefact.load(folder))


def test_a_failed_write_leaves_nothing_and_keeps_the_old_one(tmp_path, folder):
    loaded = artefact.load(folder)
    written(folder, tmp_path / "new", loaded)
    (folder / "participants.onnx").unlink()
    with pytest.raises(FileNotFoundError):
        written(folder, tmp_path / "new", loaded)
    assert artefact.load(tmp_path / "new").model == loaded.model
    assert {path.name for path in tmp_path.iterdir()} == {"new", "artefact"}


def test_a_graph_that_onnx_runtime_cannot_open_is_named(folder):
    (folder / "encode.onnx").write_bytes(b"no graph")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"]["encode.onnx"]["sha256"] = hashlib.sha256(b"no graph").hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ArtefactError, match=r"encode\.onnx: ONNX Runtime cannot open it"):
        Reader.load(folder)


@pytest.mark.parametrize(("name", "text"), [("settings.json", "{}"), ("labels.json", "[]"), ("tokenizer.json", "{}")])
def test_a_file_that_matches_its_hash_but_makes_no_sense_is_an_artefact_error(folder, name, text):
    (folder / name).write_text(text, "utf-8")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"][name]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ArtefactError, match="does not hold up"):
        artefact.load(folder)


def test_a_bare_name_is_an_artefact_of_the_package_unless_such_a_folder_stands_here(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert artefact.load("waqia-mini-int8").folder == artefact.DEFAULT
    folder.rename(folder.with_name("waqia-mini-int8"))
    assert artefact.load("waqia-mini-int8").folder == folder.with_name("waqia-mini-int8")
    with pytest.raises(ArtefactError, match="waqia-maxi: no manifest"):
        artefact.load("waqia-maxi")


def test_the_artefact_of_the_package_passed_the_gate_on_each_backend():
    figures = artefact.load().card["int8"]["figures"]
    assert figures.keys() == set(BACKENDS)
    drops = [pair["fp32"] - pair["int8"] for pairs in figures.values() for pair in pairs.values()]
    assert len(drops) == 4
    assert max(drops) <= 0.01
