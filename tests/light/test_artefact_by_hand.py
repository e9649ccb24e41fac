"""An artefact of three tiny graphs that nothing opens: what is written, byte by byte, and what is refused, word by word."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import replace

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from waqia.errors import ArtefactError
from waqia.model import artefact
from waqia.model.calibration import Calibration
from waqia.model.windows import WindowSettings

GRAPHS = {"encode.onnx": b"e", "participants.onnx": b"pp", "merge.onnx": b"mmm"}
READS = {"types": {"shelling": 0.5}}
WORDS = {"[UNK]": 0, "[PAD]": 1, "قصف": 2}


@pytest.fixture
def asked(monkeypatch):
    """What the runtime and the built-in sentence are asked, in place of both."""
    seen = []

    def opened(name, graphs, threads=None):
        seen.append((name, dict(graphs), threads))
        return "backend"

    def ask(backend, tokenizer, labels, windows, calibration):
        seen.append((backend, tokenizer.truncation, tokenizer.padding, labels.name, windows, calibration.reports))
        return READS

    monkeypatch.setattr(artefact, "open_backend", opened)
    monkeypatch.setattr(artefact, "ask", ask)
    return seen


def write(place, labels, **changes):
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(pad_id=1, pad_token="[PAD]")
    for name, data in GRAPHS.items():
        (place.parent / name).write_bytes(data)
    parts = {name.removesuffix(".onnx"): place.parent / name for name in GRAPHS}
    given = {"model": "mine", "tokenizer": tokenizer.to_str(), "labels": labels, "windows": WindowSettings(64, 8)}
    artefact.write(place, **{**parts, **given, "calibration": replace(Calibration.plain(labels), reports=0.25), **changes})
    return place


@pytest.fixture
def place(tmp_path, labels, asked):
    (tmp_path / "parts").mkdir()
    return write(tmp_path / "parts" / "mine", labels)


def manifest(place):
    return json.loads((place / "manifest.json").read_text("utf-8"))


def sealed(place, **changes):
    """The manifest with changes, and a digest that fits them."""
    data = {key: value for key, value in (manifest(place) | changes).items() if key != "sha256" and value != "gone"}
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    (place / "manifest.json").write_text(json.dumps({**data, "sha256": digest}), "utf-8")
    return place


def refusal(place):
    with pytest.raises(ArtefactError) as found:
        artefact.load(place)
    return str(found.value).removeprefix(str(place)).lstrip("/")


def test_a_manifest_says_all_that_was_written(place, labels):
    data = manifest(place)
    assert list(data) == ["format", "model", "card", "files", "vocabulary", "reads", "sha256"]
    assert (data["format"], data["model"], data["card"], data["reads"]) == (2, "mine", {}, READS)
    assert set(data["files"]) == {*GRAPHS, "tokenizer.json", "labels.json", "settings.json"} == set(artefact.FILES)
    for name, file in data["files"].items():
        held = (place / name).read_bytes()
        assert file == {"bytes": len(held), "sha256": hashlib.sha256(held).hexdigest()}
    assert {name: (place / name).read_bytes() for name in GRAPHS} == GRAPHS
    vocabulary = hashlib.sha256(b'[["[UNK]", 0], ["[PAD]", 1], ["\\u0642\\u0635\\u0641", 2]]').hexdigest()
    assert data["vocabulary"] == vocabulary
    content = {key: value for key, value in data.items() if key != "sha256"}
    assert data["sha256"] == hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_settings_and_labels_are_readable_json(place, labels):
    text = (place / "settings.json").read_text("utf-8")
    assert text.startswith('{\n "windows": {\n  "max_tokens": 64,\n  "overlap": 8\n },\n "calibration": {\n')
    assert text.endswith("}\n")
    assert "قصف" in (place / "labels.json").read_text("utf-8")
    assert json.loads(text)["calibration"]["reports"] == 0.25


def test_a_written_folder_may_be_read_by_all_and_nothing_else_is_left(place):
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert {path.name for path in place.parent.iterdir()} == {"mine", *GRAPHS}


def test_graphs_are_asked_for_the_built_in_sentence_before_they_are_written(asked, place, labels):
    held = {name: (place / name).read_bytes() for name in artefact.FILES}
    assert asked == [("onnxruntime", held, None), ("backend", None, None, labels.name, WindowSettings(64, 8), 0.25)]


def test_what_was_written_is_loaded(place, labels):
    loaded = artefact.load(place)
    assert (loaded.folder, loaded.model, loaded.labels, loaded.windows) == (place, "mine", labels, WindowSettings(64, 8))
    assert loaded.calibration == replace(Calibration.plain(labels), reports=0.25)
    assert (loaded.card, loaded.reads, loaded.graphs, loaded.digest) == ({}, READS, GRAPHS, manifest(place)["sha256"])
    assert (loaded.tokenizer.truncation, loaded.tokenizer.padding) == (None, None)
    assert loaded.tokenizer.get_vocab() == WORDS


def test_a_folder_named_from_here_is_loaded_with_its_whole_path(place, monkeypatch):
    monkeypatch.chdir(place.parent)
    assert artefact.load("mine").folder == place


def test_a_card_goes_into_the_manifest(tmp_path, labels, asked):
    write(tmp_path / "mine", labels, card={"made": (1, 2)})
    assert artefact.load(tmp_path / "mine").card == {"made": [1, 2]}


def test_folders_above_are_made_and_an_older_artefact_is_replaced(tmp_path, labels, asked):
    for name in GRAPHS:
        (tmp_path / name).write_bytes(GRAPHS[name])
    (tmp_path / "a").mkdir()
    for model in ("one", "two"):
        place = write(tmp_path / "a" / "b", labels, model=model)
        assert artefact.load(place).model == model
    (tmp_path / "notes").mkdir()
    with pytest.raises(ArtefactError) as found:
        write(tmp_path / "notes", labels)
    assert str(found.value) == f"{tmp_path}/notes: exists and is no artefact; choose another folder or remove it"


def test_without_an_exchange_the_old_folder_makes_way_for_the_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(artefact, "_exchange", lambda one, other: False)
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "said").write_text(name)
    artefact.put_in_place(tmp_path / "new", tmp_path / "old")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old/said").read_text() == "new"


def test_an_exchange_swaps_two_folders_or_says_that_it_cannot(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("b")
    if artefact._exchange(tmp_path / "a", tmp_path / "b"):
        assert (tmp_path / "b").is_dir()
    assert artefact._exchange(tmp_path / "a", tmp_path / "nowhere") is False

    def fail(*_, **__):
        raise OSError

    monkeypatch.setattr(artefact.ctypes, "CDLL", fail)
    assert artefact._exchange(tmp_path / "a", tmp_path / "b") is False


def test_opening_reads_the_built_in_sentence_and_compares_it(place, asked, monkeypatch, labels):
    compared = []
    monkeypatch.setattr(artefact, "compare", lambda *both: compared.append(both))
    asked.clear()
    assert artefact.load(place).open("openvino", threads=3) == "backend"
    assert asked == [("openvino", GRAPHS, 3), ("backend", None, None, labels.name, WindowSettings(64, 8), 0.25)]
    assert compared == [(READS, READS)]
    asked.clear()
    artefact.load(place).open()
    assert asked[0] == ("onnxruntime", GRAPHS, None)


def test_what_does_not_open_says_which_artefact_and_what_to_do(place, monkeypatch):
    def refuse(*_):
        raise ArtefactError("no graph")

    loaded = artefact.load(place)
    monkeypatch.setattr(artefact, "open_backend", refuse)
    with pytest.raises(ArtefactError) as found:
        loaded.open()
    assert str(found.value) == f"{place}: no graph; copy the artefact again, or {artefact.AGAIN}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": 5}, "model missing or of the wrong kind"),
        ({"card": "gone"}, "card missing or of the wrong kind"),
        ({"files": []}, "files missing or of the wrong kind"),
        ({"vocabulary": None, "reads": 1}, "vocabulary, reads missing or of the wrong kind"),
        ({"files": {"a": 1, "b": {}}}, "files a missing or of the wrong kind"),
        ({"reads": {"types": 5}}, "reads missing or of the wrong kind"),
    ],
)
def test_a_manifest_of_another_shape_says_what_is_wrong(place, changes, told):
    assert refusal(sealed(place, **changes)) == f"manifest.json: {told}; {artefact.AGAIN}"


def test_a_manifest_of_another_format_or_digest_says_what_to_do(place):
    assert refusal(sealed(place, format=1)) == (
        f"manifest.json: format 1, this version of waqia reads format 2, which proves more; {artefact.AGAIN}"
    )
    assert refusal(sealed(place, format=3)) == (
        f"manifest.json: format 3, this version of waqia reads format 2; {artefact.AGAIN}, or install its waqia"
    )
    sealed(place, format=2)
    changed = {**manifest(place), "model": "yours"}
    (place / "manifest.json").write_text(json.dumps(changed), "utf-8")
    assert refusal(place) == f"manifest.json: differs from its own sha256; copy the whole folder again, or {artefact.AGAIN}"
    for text, fault in (("[]", "TypeError: list indices"), ("{}", "KeyError: 'format'"), ("{", "JSONDecodeError: Expecting")):
        (place / "manifest.json").write_text(text, "utf-8")
        assert refusal(place).startswith(f"manifest.json: not readable ({fault}")
        assert refusal(place).endswith(f"); {artefact.AGAIN}")
    (place / "manifest.json").write_text('{"' + "x" * 300, "utf-8")
    assert len(refusal(place)) < 300


def test_a_file_that_is_missing_extra_or_changed_says_what_to_do(place):
    again = f"copy the whole folder again, or {artefact.AGAIN}"
    (place / "notes").write_text("x")
    assert refusal(place) == f"notes: not in the manifest of format 2; remove it, or {artefact.AGAIN}"
    (place / "notes").unlink()
    (place / "merge.onnx").write_bytes(b"mmn")
    assert refusal(place) == f"merge.onnx: differs from its sha256 in manifest.json; {again}"
    (place / "merge.onnx").unlink()
    assert refusal(place) == f"merge.onnx: missing; {again}"
    (place / "merge.onnx").mkdir()
    assert refusal(place).startswith("merge.onnx: ")
    assert refusal(place).endswith(artefact.AGAIN)
    files = {name: file for name, file in manifest(place)["files"].items() if name != "merge.onnx"}
    assert refusal(sealed(place, files=files)) == f"merge.onnx: not in the manifest of format 2; remove it, or {artefact.AGAIN}"


def test_a_vocabulary_of_another_digest_says_what_to_do(place):
    assert refusal(sealed(place, vocabulary="0")) == f"tokenizer.json: another vocabulary than the one in manifest.json; {artefact.AGAIN}"


def test_no_manifest_says_what_makes_one(tmp_path):
    expected = "; expected a folder written by python -m train.export RUN ARTEFACT"
    with pytest.raises(ArtefactError) as found:
        artefact.load(tmp_path / "nowhere")
    assert str(found.value) == f"{tmp_path}/nowhere: no manifest.json{expected}"
    (tmp_path / ".nowhere-a.old").mkdir()
    (tmp_path / ".nowhere-b.old").mkdir()
    with pytest.raises(ArtefactError) as found:
        artefact.load(tmp_path / "nowhere")
    rename = f"; a write was interrupted: the artefact before it is {tmp_path}/.nowhere-b.old, rename it"
    assert str(found.value) == f"{tmp_path}/nowhere: no manifest.json{rename}{expected}"
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(ArtefactError) as found:
        artefact.load(tmp_path / "nowhere")
    assert str(found.value) == f"{tmp_path}/nowhere: no manifest.json{expected}"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"type_temperature": 0.0}, "type_temperature holds 0.0; expected a finite number, not below 0, and no temperature of 0"),
        ({"merge_threshold": True}, "merge_threshold holds True; "),
        ({"merge_threshold": -0.1}, "merge_threshold holds -0.1; "),
        ({"reports": float("inf")}, "reports holds inf; "),
        ({"reports": "1"}, "reports holds '1'; "),
        (
            {"role_thresholds": {"place": 0.5}},
            "role_thresholds name place; expected initiator, target, reporter, place, time, casualties, in",
        ),
    ],
)
def test_a_number_that_cannot_be_is_never_written(tmp_path, labels, asked, changes, told):
    with pytest.raises(ArtefactError) as found:
        write(tmp_path / "mine", labels, calibration=replace(Calibration.plain(labels), **changes))
    assert str(found.value).startswith(told)
    assert {path.name for path in tmp_path.iterdir()} == set(GRAPHS)


def test_a_threshold_of_nothing_and_a_whole_number_may_be(tmp_path, labels, asked):
    calibration = replace(Calibration.plain(labels), reports=0, merge_threshold=1, type_temperature=2)
    assert artefact.load(write(tmp_path / "mine", labels, calibration=calibration)).calibration == calibration


def test_settings_that_make_no_sense_are_told_with_their_fault(place):
    (place / "settings.json").write_text("{}", "utf-8")
    files = manifest(place)["files"]
    files["settings.json"] = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    told = "settings.json, labels.json or tokenizer.json does not hold up (KeyError('windows'))"
    assert refusal(sealed(place, files=files)) == f": {told}; {artefact.AGAIN}"
