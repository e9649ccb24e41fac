"""The optimiser's groups: which parameter learns how fast and decays, in exact numbers."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from tests.train.test_finetune import configure
from train.config import FinetuneConfig, HeadShape, LossWeights, load_config
from train.model import IncidentModel
from train.training import learning_rate, optimizer

RATES = {"encoder_learning_rate": 1e-4, "head_learning_rate": 1e-3, "layer_decay": 0.5, "weight_decay": 0.02}


@pytest.fixture(scope="module")
def config(root, tmp_path_factory):
    change = lambda data: data["training"].update(RATES)  # noqa: E731
    return load_config(FinetuneConfig, configure(root, tmp_path_factory.mktemp("rates"), change))


@pytest.fixture(scope="module")
def model(labels):
    bert = BertConfig(vocab_size=100, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32)
    shape = HeadShape(width=16, layers=1, attention_heads=2, role_width=4, dropout=0.0)
    weights = LossWeights(types=1, triggers=1, inside=1, roles=1, statuses=1, sectors=1, merge=1)
    return IncidentModel.over(BertModel(bert, add_pooling_layer=False), shape, labels, weights)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("encoder.embeddings.word_embeddings.weight", 1.25e-5),
        ("encoder.embeddings.LayerNorm.bias", 1.25e-5),
        ("encoder.encoder.layer.0.attention.self.query.weight", 2.5e-5),
        ("encoder.encoder.layer.1.output.dense.bias", 5e-5),
        ("encoder.encoder.layer.2.output.dense.weight", 1e-4),
    ],
)
def test_rates_halve_from_layer_to_layer_down_to_the_embeddings(model, config, name, rate):
    assert name in dict(model.named_parameters())
    assert learning_rate(name, model, config) == pytest.approx(rate, rel=1e-12)


def test_everything_outside_the_encoder_learns_at_the_rate_of_the_heads(model, config):
    heads = [name for name, _ in model.named_parameters() if not name.startswith("encoder.")]
    assert any(".layer" in name or "layers." in name for name in heads)  # a layer of a head is none of the encoder's
    assert {learning_rate(name, model, config) for name in heads} == {1e-3}


def test_every_parameter_is_in_one_group_with_its_rate_and_only_matrices_decay(model, config):
    found = optimizer(model, config)
    of = {id(parameter): (group["lr"], group["weight_decay"]) for group in found.param_groups for parameter in group["params"]}
    assert sum(len(group["params"]) for group in found.param_groups) == len(of) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert of[id(parameter)] == (learning_rate(name, model, config), 0.02 if parameter.ndim > 1 else 0.0)
    assert len(found.param_groups) == 10  # embeddings, three layers, heads: each with and without decay


def test_the_optimiser_is_adamw_with_its_own_moments(model, config):
    found = optimizer(model, config)
    assert type(found) is torch.optim.AdamW
    assert {(group["betas"], group["eps"], group["fused"]) for group in found.param_groups} == {((0.9, 0.98), 1e-6, True)}
