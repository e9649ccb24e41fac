"""A run's folder: the encoder it starts from, the model it ends with, and everything that exporting needs to build the same model again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from huggingface_hub.constants import HF_HUB_CACHE
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, PretrainedConfig, PreTrainedModel

from train import tokenizer as tokenizers
from train.backend import TorchBackend
from train.config import FinetuneConfig, RandomEncoder, load_config
from train.model import IncidentModel
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.pipeline import Model
from waqia.model.windows import WindowSettings


@dataclass(frozen=True, slots=True)
class Run:
    """A model with all that it was trained with."""

    config: FinetuneConfig
    labels: LabelSet
    tokenizer: Tokenizer
    model: IncidentModel
    calibration: Calibration
    facts: Mapping[str, Any]  # for people: `data`, sha256 of each file it was trained and calibrated on; `temperatures`, what they did

    def reader(self, calibration: Calibration | None = None) -> Model:
        """The model as `waqia.decode` reads with it, by default with the run's own calibration."""
        settings = window_settings(self.config)
        return Model(self.config.name, TorchBackend(self.model), self.tokenizer, self.labels, settings, calibration or self.calibration)

    def save(self, folder: Path) -> None:
        """Write the run; `Run.load` reads it back."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(str(folder / "tokenizer.json"))
        self.model.encoder.config.to_json_file(folder / "encoder.json")
        save_file({name: tensor.contiguous() for name, tensor in self.model.state_dict().items()}, folder / "model.safetensors")
        (folder / "labels.json").write_text(json.dumps(self.labels.to_dict(), ensure_ascii=False, indent=1), "utf-8")
        (folder / "calibration.json").write_text(json.dumps(self.calibration.to_dict(), indent=1), "utf-8")
        (folder / "facts.json").write_text(json.dumps(self.facts, ensure_ascii=False, indent=1), "utf-8")
        config = self.config.model_dump(mode="json")
        (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read a finished run; ConfigError names what is missing."""
        for name in ("config.yaml", "labels.json", "calibration.json", "encoder.json", "tokenizer.json", "model.safetensors", "facts.json"):
            if not (folder / name).is_file():
                raise ConfigError(f"{folder}: {name} is missing; expected the output folder of a finished python -m train.finetune")
        config = load_config(FinetuneConfig, folder / "config.yaml")
        labels = LabelSet.load(folder / "labels.json")
        encoder_config = AutoConfig.for_model(**json.loads((folder / "encoder.json").read_text("utf-8")))
        encoder = AutoModel.from_config(encoder_config, attn_implementation=config.training.attention, **_no_pooler(encoder_config))
        model = build_model(encoder, config, labels)
        model.load_state_dict(load_file(folder / "model.safetensors"))
        calibration = Calibration.from_dict(json.loads((folder / "calibration.json").read_text("utf-8")))
        facts = json.loads((folder / "facts.json").read_text("utf-8"))
        return cls(config, labels, Tokenizer.from_file(str(folder / "tokenizer.json")), model.eval(), calibration, facts)


def window_settings(config: FinetuneConfig) -> WindowSettings:
    """The windows of a configuration as `waqia.windows` takes them."""
    return WindowSettings(config.windows.max_tokens, config.windows.overlap)


def build_model(encoder: PreTrainedModel, config: FinetuneConfig, labels: LabelSet) -> IncidentModel:
    """The joint model over an encoder; ConfigError where a window would not fit the encoder's positions."""
    positions = encoder.config.max_position_embeddings
    if config.windows.max_tokens > positions:
        raise ConfigError(f"windows.max_tokens is {config.windows.max_tokens}, the encoder has only {positions} positions; lower it")
    return IncidentModel.over(encoder, config.heads, labels, config.loss)


def load_encoder(config: FinetuneConfig, texts: Sequence[str]) -> tuple[PreTrainedModel, Tokenizer]:
    """The encoder and tokenizer that a configuration names: a folder, a hub id, or random weights with a vocabulary learnt from `texts`.

    A folder may also be a finished run: then its encoder goes on to another label set (intermediate training, Phang et al. 2018).
    """
    if isinstance(config.encoder, RandomEncoder):
        return _random_encoder(config, config.encoder, texts)
    name = config.encoder
    if (Path(name) / "encoder.json").is_file():
        run = Run.load(Path(name))
        return run.model.encoder.train(), tokenizers.upgrade(run.tokenizer)  # type: ignore[return-value]
    try:
        encoder_config = AutoConfig.from_pretrained(name)
        dropout = config.training.encoder_dropout
        encoder_config.update({"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout})
        encoder = AutoModel.from_pretrained(
            name, config=encoder_config, dtype=torch.float32, attn_implementation=config.training.attention, **_no_pooler(encoder_config)
        )
        if config.tokenizer == "own":
            return encoder, _own_tokenizer(Path(name))
        return encoder, tokenizers.from_hub(AutoTokenizer.from_pretrained(name))
    except OSError as error:
        raise ConfigError(_not_found(name, error)) from error


def _no_pooler(config: PretrainedConfig) -> dict[str, bool]:
    """BERT's pooler is trained by nothing here; leave it out."""
    return {"add_pooling_layer": False} if config.model_type == "bert" else {}


def _own_tokenizer(folder: Path) -> Tokenizer:
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(f"{folder}: no tokenizer.json; a hub id or a folder without Waqia's tokenizer needs `tokenizer: hub`")
    return tokenizers.upgrade(Tokenizer.from_file(str(folder / "tokenizer.json")))


def _random_encoder(config: FinetuneConfig, shape: RandomEncoder, texts: Sequence[str]) -> tuple[PreTrainedModel, Tokenizer]:
    # Learning a vocabulary breaks ties by chance: a run that goes on must not learn another one.
    kept = config.output / "checkpoints" / "tokenizer.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        tokenizers.train(texts, shape.vocabulary).save(str(kept))
    tokenizer = Tokenizer.from_file(str(kept))
    dropout = config.training.encoder_dropout
    bert = bert_config(shape, tokenizer, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    return AutoModel.from_config(bert, attn_implementation=config.training.attention, add_pooling_layer=False), tokenizer


def bert_config(shape: RandomEncoder, tokenizer: Tokenizer, **options: Any) -> BertConfig:
    """The shape as transformers takes it, with the tokenizer's vocabulary."""
    return BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.attention_heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.positions,
        **options,
    )


def _not_found(name: str, error: OSError) -> str:
    return (
        f"encoder {name!r} is neither a folder here nor in the Hugging Face cache {HF_HUB_CACHE}, and could not be fetched "
        f"({str(error).splitlines()[0]}); download it where there is a network (hf download {name}), set HF_HOME to that cache, "
        "or give the path of a folder with config.json, safetensors and tokenizer as `encoder`"
    )
