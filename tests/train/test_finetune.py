from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
import yaml

from train import export, finetune, graphs, training
from train.checkpoints import seal_file
from train.config import FinetuneConfig, load_config
from train.graphs import halve, parity
from train.run import Run, load_encoder
from waqia import ConfigError, Reader, read_records


def configure(root, tmp_path, change=lambda data: None):
    """The smoke configuration with paths of its own."""
    data = yaml.safe_load((root / "configs/smoke/finetune.yaml").read_text("utf-8"))
    data["output"] = str(tmp_path / "run")
    for source in data["train_files"]:
        source["path"] = str(root / source["path"])
    data["dev_files"] = [str(root / path) for path in data["dev_files"]]
    data["label_set"] = str(root / data["label_set"])
    change(data)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return path


def lend_vocabulary(finished, other):
    """Give a run that has not begun the vocabulary of a finished one: learning it again would break ties otherwise."""
    folder = other.with_name(f"{other.name}-checkpoints")
    folder.mkdir(parents=True)
    shutil.copy(finished / "tokenizer.json", folder / "lent.json")
    seal_file(folder / "lent.json", folder / "tokenizer.json")


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """A run of the smoke configuration and its artefact."""
    folder = tmp_path_factory.mktemp("smoke")
    finetune.main([str(configure(root, folder))])
    export.main([str(folder / "run"), str(folder / "artefact")])
    return folder


def test_train_export_read_works_from_end_to_end(trained, root):
    text = (root / "samples/article.txt").read_text("utf-8")
    reading = Reader.load(trained / "artefact", threads=1).read(text)
    assert reading.error is None
    assert reading.model == "waqia-smoke"


def test_a_run_loaded_again_computes_the_same(trained):
    a, b = Run.load(trained / "run"), Run.load(trained / "run")
    ids = torch.arange(5, 15).view(1, -1)
    bounds = torch.arange(0, 10).view(1, -1)
    outputs = [run.model.encode(ids, torch.ones_like(ids), bounds, bounds + 1)[1] for run in (a, b)]
    assert torch.equal(*outputs)


def test_dev_scores_and_the_configuration_are_kept_with_the_run(trained):
    scores = json.loads((trained / "run/dev-scores.json").read_text("utf-8"))
    assert scores["records"] == 77
    assert "incidents F1" in scores["figures"]
    assert load_config(FinetuneConfig, trained / "run/config.yaml").name == "waqia-smoke"
    manifest = json.loads((trained / "artefact/manifest.json").read_text("utf-8"))
    assert manifest["card"]["config"]["name"] == "waqia-smoke"
    assert {len(sha256) for sha256 in manifest["card"]["data"].values()} == {64}


def test_a_run_lends_its_encoder_to_another(trained, root, tmp_path):
    config = load_config(FinetuneConfig, configure(root, tmp_path, lambda data: data.update(encoder=str(trained / "run"), tokenizer="own")))
    encoder, tokenizer = load_encoder(config, [])
    lent = Run.load(trained / "run")
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), lent.model.encoder.parameters(), strict=True))
    assert encoder.training
    assert tokenizer.to_str() == lent.tokenizer.to_str()


def test_a_run_without_a_file_is_refused_by_its_name(trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run/model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"model\.safetensors is missing"):
        Run.load(tmp_path / "run")


def test_an_export_that_differs_from_torch_writes_nothing(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "export_graphs", lambda _, folder: None)
    monkeypatch.setattr(graphs, "parity", lambda *_: 0.01)
    with pytest.raises(ConfigError, match="nothing was written"):
        export.main([str(trained / "run"), str(tmp_path / "artefact")])
    assert list(tmp_path.iterdir()) == []


def test_parity_sees_a_changed_weight(trained):
    run = Run.load(trained / "run")
    halve(run.model)
    with torch.no_grad():
        run.model.participants_head.status_out.bias += 0.01
    assert parity(run, trained / "artefact") > export.PARITY


def test_two_processes_have_the_losses_of_one(root, tmp_path):
    lines = (root / "data/dev.jsonl").read_text("utf-8").splitlines()
    short = sorted(lines, key=lambda line: len(json.loads(line)["text"]))[:32]  # one window each: no batch to fill up
    (tmp_path / "train.jsonl").write_text("\n".join(short), "utf-8")

    def alike(data):
        data["train_files"] = [{"path": str(tmp_path / "train.jsonl"), "repeat": 1}]
        data["training"] |= {"epochs": 10, "accumulation": 2}
        data["training"] |= {"encoder_dropout": 0.0, "attention_dropout": 0.0}  # dropout draws apart in each process
        data["heads"]["dropout"] = 0.0

    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = configure(root, tmp_path / "one", alike), configure(root, tmp_path / "two", alike)
    finetune.main([str(one)])
    lend_vocabulary(tmp_path / "one/run", tmp_path / "two/run")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*launcher, "-m", "train.finetune", str(two)], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    states = [json.loads((tmp_path / name / "run/trainer-state.json").read_text("utf-8")) for name in ("one", "two")]
    a, b = ({row["step"]: row["loss"] for row in state["log_history"] if "loss" in row} for state in states)
    assert a.keys() == b.keys() == {20}
    assert b[20] == pytest.approx(a[20], abs=1e-4)
    a, b = (Run.load(tmp_path / name / "run").model.state_dict() for name in ("one", "two"))
    assert all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)


def test_a_batch_that_processes_cannot_share_evenly_is_refused(root, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match=r"batch_windows is 8, expected a multiple of the 3 processes"):
        finetune.main([str(configure(root, tmp_path))])


def test_a_gradient_that_is_not_finite_ends_the_run(root, tmp_path):
    config = configure(root, tmp_path, lambda data: data["loss"].update(types=1e39))  # more than fp32 holds
    with pytest.raises(FloatingPointError, match="is not finite"):
        finetune.main([str(config)])
    assert not (tmp_path / "run/model.safetensors").exists()


def test_windows_longer_than_the_encoder_are_refused(root, tmp_path):
    config = configure(root, tmp_path, lambda data: data["windows"].update(max_tokens=512))
    with pytest.raises(ConfigError, match="has only 128 positions"):
        finetune.main([str(config)])


def test_records_whose_verbs_bear_it_are_read_once_more_as_unrealised(root, labels):
    records = list(read_records(root / "data/train.jsonl", labels))
    changed = training.paraphrased(records, 1.0, 7, labels)
    plain = {record.id: record for record in records}
    assert 20 < len(changed) < len(records)
    for record in changed:
        pairs = list(zip(plain[record.id].incidents, record.incidents, strict=True))
        moved = [now for then, now in pairs if now.status != then.status]
        assert moved
        assert {incident.status for incident in moved} == {"unrealised"}
        assert all(record.text[i.trigger.start : i.trigger.end] == i.trigger.text and " " not in i.trigger.text for i in moved)
    half = training.paraphrased(records, 0.5, 7, labels)
    assert 0.3 * len(changed) < len(half) < 0.7 * len(changed)
    assert training.paraphrased(records, 0.0, 7, labels) == []
