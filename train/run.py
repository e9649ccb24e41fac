"""A run's folder: the encoder it starts from, the model it ends with, and everything that exporting needs to build the same model again."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.constants import HF_HUB_CACHE
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, PretrainedConfig, PreTrainedModel

from train import tokenizer as tokenizers
from train.backend import TorchBackend
from train.checkpoints import check_run, file_is_whole, seal_file
from train.config import FinetuneConfig, RandomEncoder, load_config
from train.model import IncidentModel
from train.model_config import IncidentConfig
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.hub import hub_name
from waqia.model.pipeline import Model
from waqia.model.windows import WindowSettings

log = logging.getLogger("train.run")

OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert"}


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
        """Write the run as transformers keeps models, its tokenizer, settings and card beside; `Run.load` reads it back."""
        self.model.save_pretrained(folder)
        tokenizers.save(self.tokenizer, folder, self.model.config.encoder.max_position_embeddings)
        (folder / "calibration.json").write_text(json.dumps(self.calibration.to_dict(), indent=1), "utf-8")
        (folder / "facts.json").write_text(json.dumps(self.facts, ensure_ascii=False, indent=1), "utf-8")
        config = self.config.model_dump(mode="json")
        (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read a finished run, a folder or one that `train.push` has uploaded (org/name); ConfigError names what is missing."""
        folder = Path(of_hub(str(folder)))
        check_run(folder)
        config = load_config(FinetuneConfig, folder / "config.yaml")
        model = load_joint(folder, config.training.attention)
        calibration = Calibration.from_dict(json.loads((folder / "calibration.json").read_text("utf-8")))
        facts = json.loads((folder / "facts.json").read_text("utf-8"))
        return cls(config, model.config.labels, _own_tokenizer(folder), model.eval(), calibration, facts)


def is_joint(folder: str | Path) -> bool:
    """Whether a folder holds a joint model (its config.json says so) and not an encoder alone."""
    try:
        said = json.loads((Path(folder) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("model_type") == IncidentConfig.model_type


def of_hub(name: str) -> str:
    """The folder in the hub's cache of a joint model that `train.push` has uploaded; any other name as it is."""
    known = hub_name(name)
    if known is None:
        return name
    try:
        if not is_joint(Path(hf_hub_download(known.repository, "config.json", revision=known.revision)).parent):
            return name
        return snapshot_download(known.repository, revision=known.revision, allow_patterns=["*.json", "*.yaml", "*.safetensors"])
    except OSError as error:
        raise ConfigError(_not_found(name, error)) from error


def load_joint(folder: str | Path, attention: str, dropout: Mapping[str, float] | None = None) -> IncidentModel:
    """The joint model of a folder in fp32; ConfigError where its weights are not those that its config.json describes."""
    config = IncidentConfig.from_pretrained(folder)
    if dropout is not None:
        config.encoder.update(dropout)
    model, found = IncidentModel.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
    )
    wrong = sorted({str(name) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in found[kind]})
    if wrong:
        raise ConfigError(f"{folder}: model.safetensors does not fit config.json in {len(wrong)} weights, as {wrong[0]}; save it again")
    return model


def checkpoints(config: FinetuneConfig) -> Path:
    """Where a run keeps its checkpoints while it trains; `output` itself is there only when it is finished."""
    return config.output.with_name(f"{config.output.name}-checkpoints")


def window_settings(config: FinetuneConfig) -> WindowSettings:
    """The windows of a configuration as `waqia.windows` takes them."""
    return WindowSettings(config.windows.max_tokens, config.windows.overlap)


def start_model(config: FinetuneConfig, labels: LabelSet, texts: Sequence[str]) -> tuple[IncidentModel, Tokenizer]:
    """The model that training starts from, and its tokenizer.

    Where `encoder` is a folder with a joint model of the same label set and head shape its heads go on too; else its encoder alone, with
    new heads (intermediate training, Phang et al. 2018).
    """
    name = of_hub(config.encoder) if isinstance(config.encoder, str) else config.encoder
    if isinstance(name, str) and is_joint(name):
        joint = load_joint(name, config.training.attention, _dropout(config))
        same = {"label set": joint.config.labels.to_dict() == labels.to_dict() and _order(joint.config.labels) == _order(labels)}
        same["head shape"] = joint.config.shape == config.heads
        if all(same.values()):
            log.info("going on from the encoder and the heads of %s", name)
            check_positions(config, joint.config.encoder)
            joint.take_weights(config.loss)
            return joint.train(), _own_tokenizer(Path(name))
        log.info("%s has another %s: going on from its encoder alone", name, " and ".join(n for n, alike in same.items() if not alike))
    encoder, tokenizer = load_encoder(config, texts)
    return build_model(encoder, config, labels), tokenizer


def _order(labels: LabelSet) -> list[list[str]]:
    return [list(section) for section in (labels.incident_types, labels.statuses, labels.roles, labels.sectors)]


def build_model(encoder: PreTrainedModel, config: FinetuneConfig, labels: LabelSet) -> IncidentModel:
    """New heads over an encoder; ConfigError where a window would not fit the encoder's positions."""
    check_positions(config, encoder.config)
    return IncidentModel.over(encoder, config.heads, labels, config.loss)


def check_positions(config: FinetuneConfig, encoder: PretrainedConfig) -> None:
    """ConfigError where a window would not fit the encoder; RoBERTa and its kin keep the first positions, up to the padding's, for none."""
    kept = encoder.pad_token_id + 1 if encoder.model_type in OFFSET_POSITIONS else 0
    positions = encoder.max_position_embeddings - kept
    if config.windows.max_tokens > positions:
        raise ConfigError(f"windows.max_tokens is {config.windows.max_tokens}, the encoder has only {positions} positions; lower it")


def load_encoder(config: FinetuneConfig, texts: Sequence[str]) -> tuple[PreTrainedModel, Tokenizer]:
    """The encoder and tokenizer that a configuration names: a folder, a hub id, or random weights with a vocabulary learnt from `texts`.

    Of a folder with a joint model the encoder is taken.
    """
    if isinstance(config.encoder, RandomEncoder):
        return _random_encoder(config, config.encoder, texts)
    name = of_hub(config.encoder)
    if is_joint(name):
        joint = load_joint(name, config.training.attention, _dropout(config))
        return joint.encoder.train(), _own_tokenizer(Path(name))
    try:
        encoder_config = AutoConfig.from_pretrained(name)
        encoder_config.update(_dropout(config))
        encoder = AutoModel.from_pretrained(
            name, config=encoder_config, dtype=torch.float32, attn_implementation=config.training.attention, **_no_pooler(encoder_config)
        )
        if config.tokenizer == "own":
            return encoder, _own_tokenizer(Path(name))
        return encoder, tokenizers.from_hub(AutoTokenizer.from_pretrained(name))
    except OSError as error:
        raise ConfigError(_not_found(name, error)) from error


def _dropout(config: FinetuneConfig) -> dict[str, float]:
    """The configuration's dropout as encoders of the hub take it."""
    training = config.training
    return {"hidden_dropout_prob": training.encoder_dropout, "attention_probs_dropout_prob": training.attention_dropout}


def _no_pooler(config: PretrainedConfig) -> dict[str, bool]:
    """BERT's pooler is trained by nothing here; leave it out."""
    return {"add_pooling_layer": False} if config.model_type == "bert" else {}


def _own_tokenizer(folder: Path) -> Tokenizer:
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(f"{folder}: no tokenizer.json; a hub id or a folder without Waqia's tokenizer needs `tokenizer: hub`")
    return tokenizers.upgrade(Tokenizer.from_file(str(folder / "tokenizer.json")))


def _random_encoder(config: FinetuneConfig, shape: RandomEncoder, texts: Sequence[str]) -> tuple[PreTrainedModel, Tokenizer]:
    # Learning a vocabulary breaks ties by chance: a run that goes on must not learn another one.
    kept = checkpoints(config) / "tokenizer.json"
    if not file_is_whole(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name("tokenizer.partial.json")
        tokenizers.train(texts, shape.vocabulary).save(str(partial))
        seal_file(partial, kept)
    tokenizer = Tokenizer.from_file(str(kept))
    bert = bert_config(shape, tokenizer, **_dropout(config))
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
