"""Configurations of a fine-tuning run: one complete YAML file, every key required, unknown ones refused by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from waqia.arguments import did_you_mean
from waqia.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1)]


class Part(BaseModel):
    """Part of a configuration: frozen, no key left to chance."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Part):
    """A JSONL file of records, read `repeat` times an epoch."""

    path: Path
    repeat: Count


class RandomEncoder(Part):
    """A BERT with random weights and a vocabulary learnt from the training texts: for tests and for measuring what pretraining brings."""

    layers: Count
    width: Count
    attention_heads: Count
    intermediate: Count
    vocabulary: Count
    positions: Count


class Windows(Part):
    """See waqia.windows.WindowSettings."""

    max_tokens: Annotated[int, Field(ge=16)]
    overlap: Annotated[int, Field(ge=0)]


class HeadShape(Part):
    """The heads over the encoder: width in features, layers of attention with the trigger in view, features a role's span ends have."""

    width: Count
    layers: Count
    attention_heads: Count
    role_width: Count
    dropout: Share


class LossWeights(Part):
    """How much each head's loss counts.

    What is weighed: `types` the mean over the types asked, `triggers` and `inside` the sum over words, `roles` the sum over word pairs and
    roles, `statuses` and `sectors` the sum over triggers and actors; all summed over windows and divided by the windows of the step.
    """

    types: float
    triggers: float
    inside: float
    roles: float
    statuses: float
    sectors: float
    merge: float


class Training(Part):
    """The optimiser; rates are peaks, `warmup` a share of all steps, `layer_decay` the factor from a layer to the one below.

    `hidden_words` is the share of words that a window shows as [MASK], drawn anew every time it is read; `paraphrases` the share of the
    records that are read once more with their verbs negated or in the future (eval.perturb.meaning), where their verbs are of those
    that can be. `mentions_asked` mentions of each incident in a window, drawn anew every time, are asked for its participants, 0 for all.
    """

    epochs: Positive
    batch_windows: Count
    accumulation: Count
    encoder_learning_rate: Positive
    head_learning_rate: Positive
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    max_grad_norm: Positive
    encoder_dropout: Share
    attention_dropout: Share  # of the encoder's attention weights; drawing it costs a tenth of a step on a CPU
    hidden_words: Share
    mentions_asked: Annotated[int, Field(ge=0)]
    paraphrases: Share
    class_weighting: Share
    precision: Literal["fp32", "bf16", "fp16"]
    attention: Literal["eager", "sdpa"]
    save_steps: Count
    report_to: tuple[Literal["tensorboard", "mlflow", "wandb"], ...]


class Evaluation(Part):
    """Reading the dev files while training, with thresholds of 0.5: the figures that `eval.score` gives, by its names.

    With `keep_best` the run ends with the weights of the epoch best in `metric` (checkpoints are then made after each epoch, whatever
    `save_steps` says); it stops after `patience` epochs without a better one, 0 for never.
    """

    each_epoch: bool
    metric: str
    keep_best: bool
    patience: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.keep_best and not self.each_epoch:
            raise ValueError("keep_best needs each_epoch: true, since without figures no epoch is best")
        if self.patience and not self.keep_best:
            raise ValueError(f"patience {self.patience} needs keep_best: true; give 0 to train all epochs")
        return self


class Tried(Part):
    """Probabilities that calibration tries on dev: the one with the best F1 is kept, so one alone is kept as it is.

    `mentions`, `merging` and `same_type` are tried together; of `same_type` what lies below `merging`, and 1, which joins none, whatever
    else is given. `reports` is the least probability that a text reports anything (0 is always tried), `apart` the one from which an actor
    named elsewhere is a participant of its own.
    """

    mentions: Shares
    merging: Shares
    same_type: Shares
    reports: Shares
    apart: Shares


class CalibrationSettings(Part):
    """What `train.calibrate` goes by.

    `reports_cost` is the F1 of incidents that keeping more passages free of them may cost; `shrink` the gold items at which a label's own
    threshold counts as much as that of all labels together; `side_by_side` the code points at most between two participants of a role that
    are named together; `around` the words on either side of a mention among which its participants are looked for.
    """

    tried: Tried
    reports_cost: Share
    shrink: Positive
    side_by_side: Annotated[int, Field(ge=0)]
    around: Count


class FinetuneConfig(Part):
    """A fine-tuning run, whole."""

    name: str
    output: Path
    seed: int
    label_set: Path
    encoder: str | RandomEncoder
    tokenizer: Literal["own", "hub"]  # own: the encoder's tokenizer.json as it is; hub: rebuilt on the encoder's vocabulary
    train_files: Annotated[tuple[Source, ...], Field(min_length=1)]
    dev_files: Annotated[tuple[Path, ...], Field(min_length=1)]
    windows: Windows
    heads: HeadShape
    loss: LossWeights
    training: Training
    calibration: CalibrationSettings
    evaluation: Evaluation

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.heads.width % self.heads.attention_heads:
            raise ValueError(f"heads.width {self.heads.width} must be a multiple of heads.attention_heads {self.heads.attention_heads}")
        return self


Config = TypeVar("Config", bound=BaseModel)


def load_config(kind: type[Config], path: str | Path) -> Config:
    """Read a configuration; ConfigError names the file and every key that is missing, unknown or of the wrong kind."""
    try:
        data = yaml.load(Path(path).read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; {_instead(str(path))}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no UTF-8 at byte {error.start}; save the file in UTF-8") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: no YAML: {error}") from error
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_faults(str(path), error, kind))) from error


def config_path(argv: Sequence[str]) -> str:
    """The one argument of a script that takes a configuration; ConfigError tells how it is used."""
    if len(argv) != 1 or argv[0].startswith("-"):
        raise ConfigError(f"expected one configuration file, found {list(argv)!r}; see configs/")
    return argv[0]


def _instead(path: str) -> str:
    known = sorted(map(str, Path("configs").rglob("*.yaml")))
    return "give the path of a configuration, such as configs/waqia-mini/quickstart.yaml" + did_you_mean(path, known)


def _faults(where: str, error: ValidationError, kind: type[BaseModel]) -> Iterator[str]:
    for fault in error.errors():
        keys = [str(key) for key in fault["loc"]]
        hint = _near(keys[-1], list(_keys(kind))) if fault["type"] == "extra_forbidden" else ""
        yield f"{where}: {'.'.join(keys) or 'whole file'}: {fault['msg']}, found {fault['input']!r:.80}{hint}"


def _near(name: str, known: Sequence[str]) -> str:
    """The hint for a key that is unknown where it stands: the dotted name of the key that it is most like."""
    by_last = {key.rpartition(".")[2]: key for key in known}
    near = difflib.get_close_matches(name, by_last, 1)
    return did_you_mean(by_last[near[0]], known) if near else ""


def _keys(kind: type[BaseModel], above: str = "") -> Iterator[str]:
    """The dotted names of every key that a configuration of this kind has, its parts' keys too."""
    for name, field in kind.model_fields.items():
        yield f"{above}{name}"
        for part in _parts(field.annotation):
            yield from _keys(part, f"{above}{name}.")


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts(inner)
