"""Settings that change how a fine-tuning is watched, weighted and refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import torch
import yaml
from transformers import AutoModel, AutoTokenizer, TrainingArguments

from tests.train.test_finetune import configure
from tests.train.test_resume import short
from train import finetune, training
from train.config import Evaluation, FinetuneConfig, load_config
from train.model import IncidentModel, trigger_loss, type_loss
from train.run import Run, load_encoder, start_model
from waqia import ConfigError, LabelSet, read_records

WATCHED = {"each_epoch": True, "metric": "types micro-F1", "keep_best": True, "patience": 1}


@pytest.fixture(scope="module")
def watched(root, tmp_path_factory):
    """A run judged on dev after each of its epochs, with TensorBoard."""
    folder = tmp_path_factory.mktemp("watched")

    def settings(data):
        data["evaluation"] = WATCHED
        data["training"] |= {"epochs": 4, "report_to": ["tensorboard"]}

    finetune.main([str(short(root, folder, settings))])
    return folder / "run"


def test_figures_on_dev_are_computed_each_epoch_and_end_a_run_that_gets_no_better(watched):
    state = json.loads((watched / "trainer-state.json").read_text("utf-8"))
    judged = [row for row in state["log_history"] if "eval_loss" in row]
    assert 2 <= len(judged) <= 4
    assert {"eval_loss", "eval_types micro-F1", "eval_windows types micro-F1"} <= judged[0].keys()
    assert state["best_metric"] == max(row["eval_types micro-F1"] for row in judged)
    if len(judged) < 4:
        assert judged[-1]["eval_types micro-F1"] <= state["best_metric"]


def test_tensorboard_has_the_figures_of_the_run(watched):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(watched / "logs"))
    events.Reload()
    state = json.loads((watched / "trainer-state.json").read_text("utf-8"))
    for name in ("loss", "types micro-F1"):
        logged = {row["step"]: row[f"eval_{name}"] for row in state["log_history"] if f"eval_{name}" in row}
        shown = {event.step: event.value for event in events.Scalars(f"eval/{name}")}
        assert shown == pytest.approx(logged, rel=1e-6)


def test_a_run_is_a_folder_that_transformers_loads_with_a_card(watched, labels):
    model = AutoModel.from_pretrained(watched)
    assert isinstance(model, IncidentModel)
    assert model.config.labels == labels
    assert AutoTokenizer.from_pretrained(watched).model_max_length == 128
    head = (watched / "README.md").read_text("utf-8").split("---\n")[1]
    assert yaml.safe_load(head)["model_name"] == "waqia-smoke"


def test_a_run_of_the_older_form_is_refused(tmp_path):
    (tmp_path / "encoder.json").write_text("{}")
    with pytest.raises(ConfigError, match="fine-tune again"):
        Run.load(tmp_path)


def test_training_goes_on_from_the_heads_of_a_joint_model_where_they_fit(root, tmp_path, watched, labels, caplog):
    config = load_config(FinetuneConfig, configure(root, tmp_path, lambda data: data.update(encoder=str(watched))))
    kept = Run.load(watched).model.state_dict()
    model, _ = start_model(config, labels, [])
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items())
    other = LabelSet.load(root / "configs/labels/plover-gsr.yaml")
    with caplog.at_level("INFO"):
        model, _ = start_model(config, other, [])
    assert "has another label set: going on from its encoder alone" in caplog.text
    state = model.state_dict()
    assert all(torch.equal(kept[name], state[name]) for name in kept if name.startswith("encoder."))
    assert model.config.labels == other
    assert load_encoder(config, [])[0].config.hidden_dropout_prob == 0.1


def test_two_gpus_in_one_process_are_refused_with_the_command_to_use(root, tmp_path, monkeypatch):
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda _: 2))
    with pytest.raises(ConfigError, match=r"accelerate launch --config_file configs/accelerate/multi-gpu\.yaml -m train\.finetune"):
        finetune.main([str(configure(root, tmp_path))])


def test_fp16_without_a_gpu_is_refused(root, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match="fp16, which needs a GPU"):
        finetune.main([str(configure(root, tmp_path, lambda data: data["training"].update(precision="fp16")))])


def test_a_metric_that_is_no_figure_is_refused_with_the_nearest(root, tmp_path):
    config = configure(root, tmp_path, lambda data: data["evaluation"].update(metric="incident F1"))
    with pytest.raises(ConfigError, match="did you mean incidents F1"):
        finetune.main([str(config)])


@pytest.mark.parametrize("wrong", [{"each_epoch": False}, {"keep_best": False}])
def test_evaluation_settings_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ValueError, match="needs"):
        Evaluation(**{**WATCHED, **wrong})


def test_a_model_that_finds_nothing_is_told_loudly(root, tmp_path, caplog):
    finetune.main([str(short(root, tmp_path, lambda data: data["training"].update(epochs=0.2)))])
    assert "PREDICTS NOTHING RIGHT" in caplog.text
    assert "train longer" in caplog.text


def test_rare_types_weigh_more_where_the_configuration_says_so(root, labels):
    records = list(read_records(root / "data/train.jsonl", labels))
    assert training.type_weights(records, labels, 0.0) is None
    counts = {name: sum(i.type == name for r in records for i in r.incidents) for name in labels.incident_types}
    half = dict(zip(counts, training.type_weights(records, labels, 0.5), strict=True))
    rarest, commonest = min(counts, key=counts.get), max(counts, key=counts.get)
    assert half[rarest] > 1 > half[commonest]
    mean = sum(counts.values()) / len(counts)
    assert half[commonest] == pytest.approx((mean / counts[commonest]) ** 0.5, abs=1e-4)


def test_a_weight_counts_positives_only():
    logits, targets, asked = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.ones(1, 2)
    log2 = torch.log(torch.tensor(2.0)).item()
    assert type_loss(logits, targets, asked).item() == pytest.approx(log2)
    assert type_loss(logits, targets, asked, torch.tensor([3.0, 9.0])).item() == pytest.approx((3 + 1) / 2 * log2)
    words = torch.zeros(1, 2, 3)  # (window, word, none and two types)
    log3 = torch.log(torch.tensor(3.0)).item()
    assert trigger_loss(words, torch.tensor([[0, 1]]), asked, torch.tensor([3.0, 9.0])).item() == pytest.approx((1 + 3) * log3)


@pytest.mark.parametrize("module", ["train.finetune", "train.pretrain"])
def test_a_configuration_error_is_answered_without_torch_and_at_once(root, tmp_path, module):
    (tmp_path / "c.yaml").write_text("name: x\nepochs: 3\n", "utf-8")
    code = f"import sys, runpy; sys.argv[1:] = [{str(tmp_path / 'c.yaml')!r}]\n"
    code += f"try:\n runpy.run_module({module!r}, run_name='__main__')\nfinally:\n assert 'torch' not in sys.modules"
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "c.yaml: epochs: Extra inputs are not permitted" in done.stderr
    assert time.perf_counter() - began < 10  # about 0.6 s on a quiet machine
