"""A fine-tuning killed anywhere and started again ends with the very weights of one that was left alone."""

from __future__ import annotations

import json
import shutil
import time

import pytest
import torch
import yaml

from tests.processes import Command
from tests.train.test_finetune import configure, lend_vocabulary
from train import finetune, training
from train import tokenizer as tokenizers
from train.checkpoints import replace_folder, restore, seal_file
from train.run import Run
from waqia import ConfigError, LabelSet, read_records

EPOCH = 6  # steps: 24 windows in batches of 4


class KilledError(Exception):
    """Stands for kill -9 in the middle of a run."""


def short(root, folder, change=lambda data: None):
    """Three epochs of 24 passages of one window each, words hidden and dropout on, a checkpoint every four steps; few dev passages."""
    lines = (root / "data/dev.jsonl").read_text("utf-8").splitlines()
    folder.mkdir(exist_ok=True)
    few = sorted(lines, key=lambda line: len(json.loads(line)["text"]))[:24]
    (folder / "train.jsonl").write_text("\n".join(few), "utf-8")
    (folder / "dev.jsonl").write_text("\n".join(few[::4]), "utf-8")

    def settings(data):
        data["train_files"] = [{"path": str(folder / "train.jsonl"), "repeat": 1}]
        data["dev_files"] = [str(folder / "dev.jsonl")]
        data["calibration"]["tried"] |= {"mentions": [0.5], "merging": [0.5], "same_type": [1.0]}
        data["training"] |= {"epochs": 3, "batch_windows": 4, "hidden_words": 0.3, "save_steps": 4}
        change(data)

    return configure(root, folder, settings)


def weights(folder):
    return Run.load(folder / "run").model.state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A run that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    finetune.main([str(short(root, folder))])
    return folder


def killed(config, step, where):
    """Start a run and end it at a step: before the next one, or during the save that follows."""

    class Stop(training.TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == step and where == "step":
                raise KilledError

    class HalfSaved(training.SealCheckpoints):
        def on_save(self, args, state, control, **_):
            if state.global_step == step and where == "save":
                raise KilledError  # all its files are there, its manifest is not
            super().on_save(args, state, control)

    build = training.build_trainer

    def stopping(*args):
        trainer = build(*args)
        trainer.add_callback(Stop())
        return trainer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_trainer", stopping)
        patch.setattr(training, "SealCheckpoints", HalfSaved)
        with pytest.raises(KilledError):
            finetune.main([str(config)])


@pytest.mark.parametrize(
    ("steps", "where", "saves"),
    [((5, 9, 17), "step", 4), ((EPOCH + 1, 2 * EPOCH + 2), "step", EPOCH), ((8,), "save", 4)],
    ids=["in each epoch", "after each boundary", "during a save"],
)
def test_a_killed_run_goes_on_to_the_same_weights(root, tmp_path, whole, steps, where, saves):
    config = short(root, tmp_path / "cut", lambda data: data["training"].update(save_steps=saves))
    lend_vocabulary(whole / "run", tmp_path / "cut/run")
    for step in steps:
        killed(config, step, where)
        assert not (tmp_path / "cut/run").exists()
    finetune.main([str(config)])
    assert same(weights(whole), weights(tmp_path / "cut"))


def test_a_run_killed_twice_with_accumulated_steps_goes_on_to_the_same_weights(root, tmp_path):
    def accumulated(data):
        data["training"] |= {"batch_windows": 2, "accumulation": 2, "save_steps": 3}

    a, b = short(root, tmp_path / "a", accumulated), short(root, tmp_path / "b", accumulated)
    finetune.main([str(a)])
    lend_vocabulary(tmp_path / "a/run", tmp_path / "b/run")
    killed(b, 5, "step")
    killed(b, 10, "step")
    finetune.main([str(b)])
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


@pytest.mark.slow
def test_two_processes_killed_by_the_system_go_on_to_the_same_weights(root, tmp_path):
    """One process: tests/faults/test_by_hand.py."""
    longer = {"epochs": 4, "save_steps": 5}
    a, b = (short(root, tmp_path / name, lambda data: data["training"].update(longer)) for name in "ab")
    Command(tmp_path / "said", "train.finetune", a, processes=2).finish()
    lend_vocabulary(tmp_path / "a/run", tmp_path / "b/run")
    cut, deadline = Command(tmp_path / "said", "train.finetune", b, processes=2), time.monotonic() + 100
    while not list((tmp_path / "b/run-checkpoints").glob("checkpoint-*/manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    cut.kill()
    assert not (tmp_path / "b/run").exists()
    assert "going on from" in Command(tmp_path / "said", "train.finetune", b, processes=2).finish()
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def turned(root, path):
    """The label set with its types in another order: the same names, other outputs."""
    data = LabelSet.load(root / "configs/labels/incidents.yaml").to_dict()
    data["incident_types"] = dict(reversed(data["incident_types"].items()))
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")


@pytest.fixture(scope="module")
def cut(root, tmp_path_factory):
    """A run that was killed, with a label set of its own."""
    folder = tmp_path_factory.mktemp("cut")
    own = LabelSet.load(root / "configs/labels/incidents.yaml").to_dict()
    (folder / "labels.json").write_text(json.dumps(own, ensure_ascii=False), "utf-8")
    killed(short(root, folder, lambda data: data.update(label_set=str(folder / "labels.json"))), 5, "step")
    return folder


@pytest.fixture
def spoiled(tmp_path, cut):
    """The same, put back as it was after the test."""
    shutil.copytree(cut, tmp_path / "kept")
    yield cut
    shutil.rmtree(cut)
    shutil.copytree(tmp_path / "kept", cut)


@pytest.mark.parametrize("what", ["label set", "vocabulary", "data", "seed"])
def test_a_checkpoint_of_other_labels_vocabulary_data_or_settings_is_refused(root, tmp_path, spoiled, what):
    own, config = spoiled / "labels.json", spoiled / "config.yaml"
    if what == "label set":
        turned(root, own)
    if what == "vocabulary":
        texts = [record.text for record in read_records(root / "data/dev.jsonl", LabelSet.load(own))]
        tokenizers.train(texts, 1500).save(str(tmp_path / "other.json"))
        seal_file(tmp_path / "other.json", spoiled / "run-checkpoints/tokenizer.json")
    if what == "data":
        path = spoiled / "train.jsonl"
        path.write_text("\n".join(path.read_text("utf-8").splitlines()[::-1]), "utf-8")
    if what == "seed":
        data = yaml.safe_load(config.read_text("utf-8"))
        config.write_text(yaml.safe_dump({**data, "seed": 8}), "utf-8")
    with pytest.raises(ConfigError, match="was made with another configuration, label set"):
        finetune.main([str(config)])


def test_a_vocabulary_cut_by_a_kill_is_learnt_again(root, tmp_path):
    config = short(root, tmp_path / "run-one", lambda data: data["training"].update(epochs=1))
    folder = tmp_path / "run-one/run-checkpoints"
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text('{"version": "1.0", "trunc', "utf-8")
    finetune.main([str(config)])
    assert (tmp_path / "run-one/run/model.safetensors").is_file()


def test_a_finished_run_started_again_says_so_and_stops_unless_again(tmp_path, whole, caplog):
    config, run = whole / "config.yaml", whole / "run"
    before = (run / "model.safetensors").stat().st_mtime_ns
    with caplog.at_level("INFO"):
        finetune.main([str(config)])
    assert "nothing to do" in caplog.text
    assert (run / "model.safetensors").stat().st_mtime_ns == before
    other = yaml.safe_load(config.read_text("utf-8")) | {"seed": 9}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other), "utf-8")
    with pytest.raises(ConfigError, match="a finished run that differs in seed"):
        finetune.main([str(tmp_path / "other.yaml")])


def test_again_replaces_a_finished_run_whole(root, tmp_path):
    config = short(root, tmp_path, lambda data: data["training"].update(epochs=1))
    finetune.main([str(config)])
    (tmp_path / "run/old").write_text("left from before")
    finetune.main([str(config), "--again"])
    assert not (tmp_path / "run/old").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "train.jsonl", "dev.jsonl", "run", "windows"}


def test_a_run_killed_while_it_takes_its_place_is_found_again(tmp_path):
    (tmp_path / "run.partial.old").mkdir()
    (tmp_path / "run.partial.old/kept").write_text("old")
    restore(tmp_path / "run")
    assert (tmp_path / "run/kept").read_text() == "old"
    (tmp_path / "new").mkdir()
    replace_folder(tmp_path / "new", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert list((tmp_path / "run").iterdir()) == []
