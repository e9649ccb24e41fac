"""Pretrain an encoder by masked language modelling: python -m train.pretrain CONFIG (or accelerate launch -m train.pretrain CONFIG).

From scratch, or on from an encoder (a folder or hub id) to adapt it to a domain. Writes an ordinary BertModel folder to `output`/encoder,
anew at every checkpoint; a killed run goes on from its newest whole checkpoint to the same losses when started again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)
from transformers import AutoModel, AutoTokenizer, BertModel

from train import tokenizer as tokenizers
from train.checkpoints import PARTIAL, file_is_whole, newest_valid, replace_folder, seal, seal_file
from train.pretrain.config import Optimisation, PretrainConfig
from train.pretrain.corpus import Corpus, Rows, distinct, pack
from train.pretrain.start import mimetic
from train.run import bert_config, is_joint, load_joint
from waqia.errors import ConfigError

log = logging.getLogger("train.pretrain")

Item = TypeVar("Item")


class MaskedLanguageModel(nn.Module):
    """A BertModel with BERT's prediction head, computed at masked positions only, its decoder tied to the token embeddings."""

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.hidden_size
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(encoder.config.vocab_size))

    def forward(self, ids: Tensor, positions: Tensor, masked: Tensor) -> Tensor:
        """ids, positions (rows, tokens), masked (M,) indices into the flat batch -> logits (M, vocabulary)."""
        states = self.encoder(input_ids=ids, position_ids=positions).last_hidden_state
        chosen = self.transform(states.flatten(0, 1)[masked])
        return F.linear(chosen, self.encoder.embeddings.word_embeddings.weight, self.bias)


class Batch:
    """Rows with whole words masked and a random start of their positions: a pure function of (seed, step)."""

    def __init__(
        self, rows: Rows, key: tuple[int, ...], continues: np.ndarray, rate: float, mask_id: int, special: np.ndarray, most: int
    ) -> None:
        random = np.random.default_rng(key)
        words = np.cumsum(~continues[rows], axis=1)
        order = random.random((len(rows), rows.shape[1] + 1))
        chance = np.take_along_axis(order, words, 1)  # one number a word
        chance[special[rows]] = 2
        limit = np.sort(chance, axis=1)[:, max(1, round(rate * rows.shape[1])) - 1 : max(1, round(rate * rows.shape[1]))]
        hidden = chance <= np.minimum(limit, 1)
        kind = np.take_along_axis(random.random(order.shape), words, 1)
        ordinary = np.flatnonzero(~special)
        noise = ordinary[random.integers(0, len(ordinary), rows.shape)]
        changed = np.where(kind < 0.8, mask_id, np.where(kind < 0.9, noise, rows))
        starts = random.integers(0, most - rows.shape[1] + 1, (len(rows), 1))
        self.ids = torch.from_numpy(np.where(hidden, changed, rows).astype(np.int64))
        self.positions = torch.from_numpy(starts + np.arange(rows.shape[1]))
        self.originals = torch.from_numpy(rows.astype(np.int64))
        self.hidden = torch.from_numpy(hidden)

    @property
    def masked(self) -> Tensor:
        """Indices into the flat batch of the tokens to predict."""
        return self.hidden.flatten().nonzero().squeeze(1)

    @property
    def targets(self) -> Tensor:
        """What stood at these places."""
        return self.originals[self.hidden]

    def part(self, rows: slice) -> Batch:
        """Some of the rows, masked as they are here."""
        part = copy(self)
        for name, tensor in vars(self).items():
            setattr(part, name, tensor[rows])
        return part


def pretrain(config: PretrainConfig) -> None:
    """Tokenizer, corpus, model, training, encoder."""
    precision = "bf16" if config.optimisation.precision == "bf16" else "no"
    accelerator = Accelerator(mixed_precision=precision, cpu=not torch.cuda.is_available())
    rows, processes = config.optimisation.batch_rows, accelerator.num_processes
    if rows % processes:
        raise ConfigError(f"optimisation.batch_rows is {rows}, expected a multiple of the {processes} processes")
    torch.manual_seed(config.seed)
    config.output.mkdir(parents=True, exist_ok=True)
    with accelerator.main_process_first():  # the others find what it wrote
        tokenizer = load_tokenizer(config)
        corpus = pack(config.corpus, tokenizer, config.output / "cache")
    check_rows(corpus, config)
    log.info("%d tokens to train on, %d held out, no padding", corpus.tokens, corpus.held_out.size)
    model = MaskedLanguageModel(load_encoder(config, tokenizer, corpus))
    Pretraining(config, accelerator, tokenizer, corpus, model).train()


class Pretraining:
    """The loop and what it carries from step to step."""

    def __init__(
        self, config: PretrainConfig, accelerator: Accelerator, tokenizer: Tokenizer, corpus: Corpus, model: MaskedLanguageModel
    ) -> None:
        self.config, self.accelerator, self.tokenizer, self.corpus = config, accelerator, tokenizer, corpus
        vocabulary = tokenizer.get_vocab()
        self.continues = np.zeros(max(vocabulary.values()) + 1, bool)
        self.continues[[i for token, i in vocabulary.items() if token.startswith("##")]] = True
        self.mask_id = vocabulary["[MASK]"]
        self.special = np.zeros(len(self.continues), bool)
        self.special[[vocabulary[token] for token in tokenizers.SPECIAL]] = True
        self.raw_model = model
        self.key = fingerprint(config, tokenizer, corpus, model.encoder)
        self.model, *self.optimizers = accelerator.prepare(model, *optimizers(model, config.optimisation))
        if config.optimisation.compile:
            self.model = torch.compile(self.model, dynamic=True)
        self.step = 0
        o = config.optimisation
        self.step_tokens = o.batch_rows * config.corpus.row_tokens
        self.head_steps = o.head_tokens // self.step_tokens
        self.steps = math.ceil(o.tokens / self.step_tokens)
        self.decay_from = round(self.steps * (1 - o.decay))

    def train(self) -> None:
        """All steps from the newest checkpoint on, with log lines, checkpoints and a last encoder."""
        self.resume()
        saved = began = time.monotonic()
        first, losses = self.step, []
        for batch in ahead(self.batches()):
            losses.append(self.update(batch))
            self.step += 1
            if self.step % self.config.log_steps == 0 or self.step == self.steps:
                rate = (self.step - first) * self.step_tokens / (time.monotonic() - began)
                self.log(float(np.mean(losses)), rate)
                losses = []
            if time.monotonic() - saved > self.config.checkpoint_seconds or self.step == self.steps:
                self.save()
                saved = time.monotonic()

    def batches(self) -> Iterator[Batch]:
        """The batch of every step still to come, first from the stable mixture, then from that of the decay."""
        sources, size = self.config.corpus.sources, self.config.optimisation.batch_rows
        stable = self.corpus.stream([source.repeat for source in sources], self.config.seed)
        final = self.corpus.stream([source.final_repeat for source in sources], self.config.seed + 1)
        for step in range(self.steps):
            rows = list(islice(stable if step < self.decay_from else final, size))
            if step >= self.step:
                yield self.batch(np.stack(rows), (self.config.seed, step))

    def update(self, batch: Batch) -> float:
        """One optimiser step; FloatingPointError where loss or gradient is not finite, before the weights are touched."""
        o = self.config.optimisation
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = o.learning_rate * self.rate()
        processes, masked = self.accelerator.num_processes, len(batch.targets)
        mine = batch.part(slice(self.accelerator.process_index, None, processes))
        total = torch.zeros((), device=self.accelerator.device)
        for start in range(0, len(mine.ids), o.micro_batch_rows):
            # Divided by the masked tokens of the whole step, so that how it is cut changes nothing; gradients of processes are averaged.
            loss = self.loss(self.model, mine.part(slice(start, start + o.micro_batch_rows)))[0] / masked
            self.accelerator.backward(loss * processes)
            total += loss.detach()
        total = float(self.accelerator.reduce(total, "sum"))
        if self.step < self.head_steps:
            for parameter in self.raw_model.encoder.parameters():
                parameter.grad = None
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), o.max_grad_norm)
        if not math.isfinite(total) or not torch.isfinite(norm):
            raise FloatingPointError(f"step {self.step}: loss {total}, gradient norm {float(norm)}; lower optimisation.learning_rate")
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return total

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy summed over masked tokens in nats, and the logits."""
        device = self.accelerator.device
        logits = model(batch.ids.to(device), batch.positions.to(device), batch.masked.to(device))
        return F.cross_entropy(logits.float(), batch.targets.to(device), reduction="sum"), logits

    def batch(self, rows: Rows, key: tuple[int, ...]) -> Batch:
        """Mask rows."""
        most = self.raw_model.encoder.config.max_position_embeddings
        return Batch(rows, key, self.continues, self.config.masking.rate, self.mask_id, self.special, most)

    def rate(self) -> float:
        """The share of the peak learning rate at this step."""
        warmup = max(1, self.config.optimisation.warmup_tokens // self.step_tokens)
        if self.step < self.head_steps:
            return self.config.optimisation.head_rate
        if self.step < self.decay_from:
            return min(1.0, (self.step - self.head_steps + 1) / warmup)
        return (self.steps - self.step) / max(1, self.steps - self.decay_from)

    @torch.inference_mode()
    def held_out(self) -> tuple[float, float]:
        """Loss in nats and accuracy over the masked tokens of the held-out rows, masked the same way every time."""
        self.raw_model.eval()
        losses, right, masked = 0.0, 0, 0
        for start in range(0, len(self.corpus.held_out), 32):
            batch = self.batch(self.corpus.held_out[start : start + 32], (0, start))
            loss, logits = self.loss(self.raw_model, batch)  # as it is: without gradients it would be compiled once more
            losses += float(loss)
            right += int((logits.argmax(-1).cpu() == batch.targets).sum())
            masked += len(batch.targets)
        self.raw_model.train()
        return losses / masked, right / masked

    def log(self, loss: float, rate: float) -> None:
        """A line for people and one for machines."""
        held_out, accuracy = self.held_out()
        left = (self.steps - self.step) * self.step_tokens / rate
        row = {
            "step": self.step, "tokens": self.step * self.step_tokens, "loss": round(loss, 6), "held_out_loss": round(held_out, 6),
            "held_out_accuracy": round(accuracy, 4), "tokens_a_second": round(rate), "padding": 0.0, "minutes_left": round(left / 60, 1),
        }  # fmt: skip
        if self.accelerator.is_main_process:
            log.info(" ".join(f"{name} {value}" for name, value in row.items()))
            with (self.config.output / "log.jsonl").open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """The encoder as it now is, then a sealed checkpoint, so that no kill leaves a sealed one without its encoder; older ones go."""
        if not self.accelerator.is_main_process:
            return
        save_encoder(self.raw_model.encoder, self.tokenizer, self.config.output / "encoder")
        folder = self.config.output / f"checkpoint-{self.step}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        kept = [optimizer.state_dict() for optimizer in self.optimizers]
        state = {"model": self.raw_model.state_dict(), "optimizers": kept, "step": self.step}
        torch.save(state, folder / "state.pt")
        seal(folder, self.key)
        for old in self.config.output.glob("checkpoint-*"):
            if old != folder:
                shutil.rmtree(old)

    def resume(self) -> None:
        """Take up the newest whole checkpoint, if there is one."""
        newest = newest_valid(self.config.output, self.key)
        if newest is not None:
            state = torch.load(Path(newest) / "state.pt", map_location=self.accelerator.device, weights_only=True)
            self.raw_model.load_state_dict(state["model"])
            for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)
            self.step = state["step"]


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, the next one made in a thread of its own while the last is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def check_rows(corpus: Corpus, config: PretrainConfig) -> None:
    """ConfigError where a phase of the run, or the held-out set, would have no row: told at the start, not when the decay begins."""
    for field in ("repeat", "final_repeat"):
        if not sum(len(rows) * getattr(source, field) for rows, source in zip(corpus.sources, config.corpus.sources, strict=True)):
            raise ConfigError(f"corpus.sources: no row of {config.corpus.row_tokens} tokens is left by `{field}`; raise it or add texts")
    if not len(corpus.held_out):
        raise ConfigError(f"corpus.held_out: {config.corpus.held_out} of the documents fills no row; raise it or add texts")


def load_tokenizer(config: PretrainConfig) -> Tokenizer:
    """A vocabulary learnt from the corpus and kept in the output folder, or that of the encoder to go on from."""
    if isinstance(config.encoder, str):
        own = Path(config.encoder) / "tokenizer.json"
        return Tokenizer.from_file(str(own)) if own.is_file() else tokenizers.from_hub(AutoTokenizer.from_pretrained(config.encoder))
    path = config.output / "tokenizer.json"
    if not file_is_whole(path):
        texts = (text for source in distinct(config.corpus.sources) for text in source)
        partial = path.with_suffix(".partial.json")
        tokenizers.train(texts, config.encoder.vocabulary).save(str(partial))
        seal_file(partial, path)  # learning it again would give another vocabulary
    return Tokenizer.from_file(str(path))


def load_encoder(config: PretrainConfig, tokenizer: Tokenizer, corpus: Corpus) -> BertModel:
    """The BERT to train, without dropout."""
    attention = config.optimisation.attention
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    if isinstance(config.encoder, str):
        if is_joint(config.encoder):
            return load_joint(config.encoder, attention, none).encoder
        options = {"dtype": torch.float32, "attn_implementation": attention, "add_pooling_layer": False}
        return AutoModel.from_pretrained(config.encoder, **options, **none)
    scale = 0.02 if config.start == "random" else 0.64 / config.encoder.width**0.5
    bert = bert_config(config.encoder, tokenizer, initializer_range=scale, **none)
    encoder = AutoModel.from_config(bert, attn_implementation=attention, add_pooling_layer=False)
    if config.start == "mimetic":
        mimetic(encoder, np.concatenate([rows[:, 1:].ravel() for rows in corpus.sources]), config.seed)
    return encoder


def save_encoder(encoder: BertModel, tokenizer: Tokenizer, folder: Path) -> None:
    """An ordinary fp16 folder that AutoModel and AutoTokenizer load; it takes its place whole."""
    partial = folder.with_name(f"{folder.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    state = {name: tensor.detach().cpu().half() for name, tensor in encoder.state_dict().items()}
    encoder.save_pretrained(partial, state_dict=state)
    settings = json.loads((partial / "config.json").read_text("utf-8"))
    dropout = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "dtype": "float16"}
    (partial / "config.json").write_text(json.dumps({**settings, **dropout}, indent=2, sort_keys=True) + "\n", "utf-8")
    tokenizers.save(tokenizer, partial, encoder.config.max_position_embeddings)
    replace_folder(partial, folder)


def optimizers(model: MaskedLanguageModel, o: Optimisation) -> list[torch.optim.Optimizer]:
    """AdamW, and for the matrices of the layers Muon where it is asked for; biases and norms do not decay."""
    matrices = [p for layer in model.encoder.encoder.layer for p in layer.parameters() if p.ndim == 2] if o.optimizer == "muon" else []
    taken = set(map(id, matrices))
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1 and id(p) not in taken], "weight_decay": o.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=o.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
    if not matrices:
        return [adamw]
    return [adamw, torch.optim.Muon(matrices, lr=o.learning_rate, weight_decay=o.weight_decay, adjust_lr_fn="match_rms_adamw")]


def fingerprint(config: PretrainConfig, tokenizer: Tokenizer, corpus: Corpus, encoder: nn.Module) -> str:
    """A digest of all that decides a step's result; how long to train and what to log may change between two starts.

    The configuration, the vocabulary, the rows (and so the files), and of an encoder to go on from its weights.
    """
    free: dict[str, Any] = {"output": True, "log_steps": True, "checkpoint_seconds": True, "optimisation": {"tokens"}}
    fixed = config.model_dump(mode="json", exclude=free)
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode())
    digest.update(tokenizer.to_str().encode("utf-8", "replace"))
    for rows in (*corpus.sources, corpus.held_out):
        digest.update(np.ascontiguousarray(rows).data)
    start = encoder.state_dict() if isinstance(config.encoder, str) else {}  # else the seed says it
    for name, tensor in start.items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
