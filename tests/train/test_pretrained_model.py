"""The joint model as transformers keeps models: one folder, loaded by its own class and by the Auto classes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from transformers import AutoConfig, AutoModel, BertConfig, BertModel

from train.config import HeadShape, LossWeights
from train.model import IncidentModel
from train.model_config import IncidentConfig
from waqia.labels import LabelSet


@pytest.fixture
def model(labels):
    torch.manual_seed(0)
    bert = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    shape = HeadShape(width=32, layers=1, attention_heads=2, role_width=8, dropout=0.1)
    weights = LossWeights(**dict.fromkeys(LossWeights.model_fields, 1.0))
    encoder = BertModel._from_config(bert, attn_implementation="eager", add_pooling_layer=False)
    return IncidentModel.over(encoder, shape, labels, weights).eval()


def logits(model):
    ids, starts = torch.arange(5, 15).view(1, -1), torch.arange(0, 10).view(1, -1)
    return model.encode(ids, torch.ones_like(ids), starts, starts + 1)


@pytest.mark.parametrize("load", [IncidentModel.from_pretrained, AutoModel.from_pretrained])
def test_a_saved_model_computes_the_same_when_loaded(model, tmp_path, load):
    model.save_pretrained(tmp_path)
    loaded = load(tmp_path).eval()
    assert isinstance(loaded, IncidentModel)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True))
    eager = load(tmp_path, attn_implementation="eager").eval()
    assert all(torch.equal(a, b) for a, b in zip(logits(model), logits(eager), strict=True))


def test_the_encoder_given_is_kept_as_it_is(labels, model):
    torch.manual_seed(1)
    bert = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    encoder = BertModel._from_config(bert, attn_implementation="eager", add_pooling_layer=False)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    over = IncidentModel.over(encoder, model.config.shape, labels, model.config.weights)
    assert all(torch.equal(before[name], tensor) for name, tensor in over.encoder.state_dict().items())
    assert over.encoder.config._attn_implementation == "eager"


def test_the_heads_keep_the_first_weights_that_they_set_themselves(model):
    assert model.window_head.trigger_out.bias[0] == 6.0
    assert torch.all(model.participants_head.role_bias == -5.0)


def test_the_order_of_the_labels_survives_a_file_with_sorted_keys(model, tmp_path, labels):
    data = labels.to_dict()
    turned = LabelSet.from_dict({**data, "incident_types": dict(reversed(data["incident_types"].items()))}, "turned")
    config = IncidentConfig.of(model.encoder.config, model.config.shape, turned, model.config.weights)
    config.save_pretrained(tmp_path)
    assert list(AutoConfig.from_pretrained(tmp_path).labels.incident_types) == list(turned.incident_types)
    assert AutoConfig.from_pretrained(tmp_path).labels == turned


def test_a_model_can_be_pushed_to_a_hub(model, monkeypatch):
    sent = {}

    def commit(_, repo_id, operations, **__):
        sent[repo_id] = sorted(operation.path_in_repo for operation in operations)

    monkeypatch.setattr(HfApi, "create_repo", lambda *_, **__: SimpleNamespace(repo_id="org/name"))
    monkeypatch.setattr(HfApi, "create_commit", commit)
    monkeypatch.setattr("transformers.utils.hub.ModelCard.load", lambda *_, **__: ModelCard("---\nlicense: apache-2.0\n---\n"))
    model.push_to_hub("org/name")
    assert {"config.json", "model.safetensors", "README.md"} <= set(sent["org/name"])
