"""Configurations of a pretraining run; reading one takes no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from train.config import Count, Part, Positive, RandomEncoder, Share
from train.pretrain.corpus import CorpusConfig


class Masking(Part):
    """Whole words are masked until `rate` of a row's tokens are; of these 80 % become [MASK], 10 % a random token, 10 % stay."""

    rate: Share


class Optimisation(Part):
    """Warm-up, constant rate, then a linear decay over the last `decay` of all tokens; until it begins `tokens` may be changed.

    During the first `head_tokens` only the prediction head learns, at `head_rate` times the peak rate, before the warm-up: an encoder to
    go on from comes without one, and what a fresh head sends back would undo what it has learnt.
    `muon` (Jordan et al. 2024) takes the matrices of the layers, its updates scaled to the size of AdamW's so that one rate serves both;
    all else is AdamW's.
    """

    tokens: Count
    batch_rows: Count
    micro_batch_rows: Count
    optimizer: Literal["adamw", "muon"]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    head_tokens: Annotated[int, Field(ge=0)] = 0
    head_rate: Positive = 1.0
    warmup_tokens: Annotated[int, Field(ge=0)]
    decay: Share
    max_grad_norm: Positive
    precision: Literal["fp32", "bf16"]
    attention: Literal["eager", "sdpa"]
    compile: bool


class PretrainConfig(Part):
    """A pretraining run, whole."""

    name: str
    output: Path
    seed: int
    encoder: str | RandomEncoder
    start: Literal["random", "mimetic"]  # of an encoder from scratch, see train.pretrain.start
    corpus: CorpusConfig
    masking: Masking
    optimisation: Optimisation
    log_steps: Count
    checkpoint_seconds: Positive
