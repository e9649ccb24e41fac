from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from waqia import ArtefactError, Reader
from waqia.model import artefact
from waqia.model.backends import BACKENDS
from waqia.model.probe import ask, compare


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped artefact, to be damaged and opened."""
    return shutil.copytree(artefact.DEFAULT, tmp_path / "artefact")


@pytest.fixture
def unopened(tmp_path):
    """The same with a few bytes in the place of each graph: what is refused before the graphs are opened needs no more."""
    return sealed(shutil.copytree(artefact.DEFAULT, tmp_path / "artefact", copy_function=_without_graphs))


def _without_graphs(source, target):
    Path(target).write_bytes(b"graph") if source.endswith(".onnx") else shutil.copy(source, target)


def written(folder, target, loaded):
    artefact.write(
        target,
        model=loaded.model,
        encode=folder / "encode.onnx",
        participants=folder / "participants.onnx",
        merge=folder / "merge.onnx",
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


def test_a_missing_file_is_named(unopened):
    (unopened / "labels.json").unlink()
    with pytest.raises(ArtefactError, match=r"labels\.json: missing"):
        artefact.load(unopened)


def test_a_changed_file_is_named(unopened):
    with (unopened / "encode.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ArtefactError, match=r"encode\.onnx: differs from its sha256"):
        artefact.load(unopened)


def test_an_extra_file_is_named(unopened):
    (unopened / "notes.txt").write_text("x")
    with pytest.raises(ArtefactError, match=r"notes\.txt: not in the manifest"):
        artefact.load(unopened)


def sealed(folder, **changes):
    """The manifest written anew over the files as they are now, with changes: what a careless or a hostile hand would do."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8")) | changes
    for name, file in manifest["files"].items():
        data = (folder / name).read_bytes()
        file.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    manifest.pop("sha256", None)
    content = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    (folder / "manifest.json").write_text(json.dumps({**manifest, "sha256": hashlib.sha256(content).hexdigest()}), "utf-8")
    return folder


def test_another_format_version_is_named_with_ours(unopened):
    with pytest.raises(ArtefactError, match="format 99, this version of waqia reads format 2"):
        artefact.load(sealed(unopened, format=99))


def test_format_1_says_what_to_do(unopened):
    with pytest.raises(ArtefactError, match=r"format 1, .* reads format 2, .* python -m train\.export RUN ARTEFACT"):
        artefact.load(sealed(unopened, format=1))


def test_the_manifest_holds_its_own_digest_and_loading_gives_it(unopened):
    manifest = json.loads((unopened / "manifest.json").read_text("utf-8"))
    assert artefact.load(unopened).digest == manifest["sha256"]
    assert artefact.load(sealed(unopened)).digest == manifest["sha256"]  # whatever the white space


def test_a_flipped_bit_anywhere_in_the_manifest_is_seen(unopened):
    """One bit of every byte, another one each time; every byte is part of the content or of its punctuation."""
    path = sealed(unopened, card={"config": {"name": "mine"}}) / "manifest.json"  # a short one: every byte costs a load
    whole = path.read_bytes()
    artefact.load(unopened)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(ArtefactError, match="manifest"):
            artefact.load(unopened)


def reversed_labels(folder, section):
    path = folder / "labels.json"
    data = json.loads(path.read_text("utf-8"))
    data[section] = dict(reversed(data[section].items()))
    path.write_text(json.dumps(data), "utf-8")


@pytest.mark.parametrize("section", ["statuses", "sectors"])
def test_labels_in_another_order_are_refused_though_every_hash_is_right(folder, section):
    reversed_labels(folder, section)
    with pytest.raises(ArtefactError, match=rf"built-in sentence is read otherwise .*: {section}"):
        Reader.load(sealed(folder))


def settings_with(folder, change):
    path = folder / "settings.json"
    data = json.loads(path.read_text("utf-8"))
    change(data["calibration"], data["windows"])
    path.write_text(json.dumps(data), "utf-8")


def test_types_in_another_order_are_refused_with_thresholds_and_without(folder):
    reversed_labels(folder, "incident_types")
    with pytest.raises(ArtefactError, match="trigger_thresholds name"):
        Reader.load(sealed(folder))
    settings_with(folder, lambda c, _: c.update(trigger_thresholds=dict(reversed(c["trigger_thresholds"].items()))))
    with pytest.raises(ArtefactError, match=r"built-in sentence is read otherwise .*: types"):
        Reader.load(sealed(folder))


def test_labels_of_another_number_than_the_graphs_outputs_are_refused(folder):
    path = folder / "labels.json"
    data = json.loads(path.read_text("utf-8"))
    del data["sectors"]["GOV"]
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ArtefactError, match=r"the graphs give 24 numbers for sectors, labels\.json has 23 labels"):
        artefact.load(sealed(folder)).open()


@pytest.mark.parametrize(
    "change",
    [
        lambda c, _: c.update(type_temperature=0),
        lambda c, _: c.update(role_temperature=float("nan")),
        lambda c, _: c.update(trigger_temperature="1"),
        lambda c, _: c.update(merge_threshold=float("inf")),
        lambda c, _: c["role_thresholds"].update(place=-0.1),
        lambda c, _: c["role_thresholds"].pop("place"),
        lambda c, _: c["trigger_thresholds"].update(made_up=0.5),
        lambda c, _: c.update(unknown=1),
        lambda _, w: w.update(max_tokens=8),
        lambda _, w: w.update(overlap="64"),
    ],
)
def test_settings_that_cannot_be_are_refused_though_every_hash_is_right(unopened, change):
    settings_with(unopened, change)
    with pytest.raises(ArtefactError, match="does not hold up"):
        artefact.load(sealed(unopened))


def permuted(folder):
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text("utf-8"))
    tokens = list(data["model"]["vocab"])
    data["model"]["vocab"] = dict(zip(tokens, [*range(5), *range(len(tokens) - 1, 4, -1)], strict=True))
    path.write_text(json.dumps(data), "utf-8")
    return hashlib.sha256(json.dumps(sorted(data["model"]["vocab"].items(), key=lambda item: item[1])).encode()).hexdigest()


def test_a_permuted_vocabulary_is_refused_by_its_digest_and_by_what_it_reads(folder):
    digest = permuted(folder)
    with pytest.raises(ArtefactError, match="another vocabulary"):
        artefact.load(sealed(folder))
    with pytest.raises(ArtefactError, match="built-in sentence is read otherwise"):
        Reader.load(sealed(folder, vocabulary=digest))


def test_damaged_weights_are_refused_though_every_hash_is_right(folder):
    path = folder / "encode.onnx"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4_000_000] = bytes([0x7F]) * 4_000_000
    path.write_bytes(data)
    with pytest.raises(ArtefactError, match=r"built-in sentence is read otherwise|cannot open it"):
        Reader.load(sealed(folder))


def test_an_answer_that_is_no_number_is_refused():
    with pytest.raises(ArtefactError, match=r"types shelling nan, expected 0\.5"):
        compare({"types": {"shelling": 0.5}}, {"types": {"shelling": float("nan")}})


@pytest.mark.parametrize(("answer", "refused"), [(0.6, False), (0.61, True), (0.39, True)])
def test_an_answer_may_differ_by_a_tenth(answer, refused):
    with pytest.raises(ArtefactError) if refused else nullcontext():
        compare({"types": {"shelling": 0.5}}, {"types": {"shelling": answer}})


@pytest.mark.parametrize("name", ["manifest.json", "settings.json", "encode.onnx"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling link"])
def test_what_is_no_regular_file_is_an_artefact_error_at_once(unopened, name, kind):
    (unopened / name).unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "dangling link": lambda path: os.symlink("nowhere", path)}[kind](unopened / name)
    with pytest.raises(ArtefactError, match=f"{name}: (no regular file|Is a directory|No such file)"):
        artefact.load(unopened)


def test_links_to_regular_files_are_read(unopened, tmp_path):
    """A download cache keeps files elsewhere and links to them."""
    (unopened / "labels.json").rename(tmp_path / "blob")
    (unopened / "labels.json").symlink_to(tmp_path / "blob")
    assert artefact.load(unopened).model == artefact.load().model


@pytest.mark.parametrize("name", ["manifest.json", "settings.json", "labels.json", "tokenizer.json"])
def test_deeply_nested_json_is_an_artefact_error(unopened, name):
    (unopened / name).write_text('{"format": ' + "[" * 100_000, "utf-8")
    with pytest.raises(ArtefactError, match=r"not readable|does not hold up"):
        artefact.load(unopened if name == "manifest.json" else sealed(unopened))


def test_a_file_in_the_place_of_a_folder_is_an_artefact_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtefactError, match=r"file: no manifest\.json"):
        artefact.load(tmp_path / "file")


def test_what_was_verified_is_what_is_opened(folder):
    loaded = artefact.load(folder)
    (folder / "encode.onnx").write_bytes(b"changed between the hash and the use")
    opened = loaded.open(threads=1)
    asked = (loaded.tokenizer, loaded.labels, loaded.windows, loaded.calibration)
    assert ask(opened, *asked) == ask(artefact.load().open(threads=1), *asked)


def test_a_broken_manifest_is_no_crash(unopened):
    (unopened / "manifest.json").write_text("{", "utf-8")
    with pytest.raises(ArtefactError, match=r"manifest\.json: not readable"):
        artefact.load(unopened)


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


def test_parts_that_do_not_fit_are_not_written(tmp_path, folder):
    loaded = artefact.load(folder)
    fewer = replace(loaded.labels, sectors=dict(list(loaded.labels.sectors.items())[1:]))
    with pytest.raises(ArtefactError, match="the graphs give 24 numbers for sectors"):
        written(folder, tmp_path / "new", replace(loaded, labels=fewer))
    assert {path.name for path in tmp_path.iterdir()} == {"artefact"}


KILLED = """
import os, sys
from pathlib import Path
from waqia.model import artefact
if sys.argv[2] == "two renames":
    artefact._exchange = lambda *_: False
def killed(root, steps):
    def count(event, _):
        nonlocal steps
        if event.startswith(("os.", "shutil.", "open", "ctypes.call")):
            steps -= 1
            if steps < 0:
                os._exit(9)
    sys.addaudithook(count)
    artefact.put_in_place(root / ".name-new", root / "name")
    os._exit(0)
for steps in range(40):
    child = os.fork()
    if not child:
        killed(Path(sys.argv[1]) / str(steps), steps)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("way", ["exchange", "two renames"])
def test_killed_at_any_step_the_old_or_the_new_stands_or_is_named(tmp_path, way):
    for steps in range(40):
        for name, text in (("name", "old"), (".name-new", "new")):
            (tmp_path / str(steps) / name).mkdir(parents=True)
            (tmp_path / str(steps) / name / "manifest.json").write_text(text)
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path, way], capture_output=True, text=True, check=True)
    ended = [int(code) for code in done.stdout.split()]
    whole = ended.index(0)  # the first that came to its end
    assert set(ended[:whole]) == {9}
    ends = []
    for root in (tmp_path / str(steps) for steps in range(whole + 1)):
        if (root / "name").exists():
            ends.append((root / "name/manifest.json").read_text())
        else:
            assert way == "two renames"
            with pytest.raises(ArtefactError, match=r"a write was interrupted: the artefact before it is .*/\.name-new\.old, rename it"):
                artefact.load(root / "name")
            ends.append("old")
    assert ends[-1] == "new"
    assert way == "exchange" or (ends[0] == "old" and len(ends) > 3)  # the exchange is one step: the kills fall behind it
    assert not (root / ".name-new.old").exists()


def test_a_graph_that_onnx_runtime_cannot_open_is_named(folder):
    (folder / "encode.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtefactError, match=r"encode\.onnx: ONNX Runtime cannot open it"):
        Reader.load(sealed(folder))


@pytest.mark.parametrize(("name", "text"), [("settings.json", "{}"), ("labels.json", "[]"), ("tokenizer.json", "{}")])
def test_a_file_that_matches_its_hash_but_makes_no_sense_is_an_artefact_error(unopened, name, text):
    (unopened / name).write_text(text, "utf-8")
    with pytest.raises(ArtefactError, match="does not hold up"):
        artefact.load(sealed(unopened))


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


def test_what_killed_writes_had_begun_is_swept_but_not_what_another_process_writes(tmp_path, folder):
    for name in (".new-deadbeef", ".new-othrwrit"):
        (tmp_path / name).mkdir()
    writing = os.open(tmp_path / ".new-othrwrit", os.O_RDONLY)
    try:
        fcntl.flock(writing, fcntl.LOCK_EX)
        written(folder, tmp_path / "new", artefact.load(folder))
    finally:
        os.close(writing)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "artefact", ".new-othrwrit"}
