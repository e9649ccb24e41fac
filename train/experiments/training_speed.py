"""How fast training is beside the stock way.

python -m train.experiments.training_speed [--pretrain CONFIG] [--finetune CONFIG] [--quick] [--out FILE]

Real, unpadded tokens a second, medians of interleaved rounds in one run:

- pretraining, shape and step of the configuration: transformers' BertForMaskedLM with its own defaults (dropout, logits for every token,
  masked by DataCollatorForLanguageModeling, one passage a row padded to the longest) in fp32, against train.pretrain;
- fine-tuning, model and batch of the configuration: batches in random order padded to the longest window allowed, fp32, against
  train.finetune's (windows grouped by length, padded to the longest of the batch, its precision and attention, and only as many mentions of
  an incident asked for its participants as the configuration says).

Texts are data/train.jsonl. Shown too: what matrix multiplication of these shapes reaches on this machine, and each way's share of it in
its own precision (six operations a weight and real token, embeddings left out: padding and unneeded logits count for nothing).
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from waqia.arguments import Parser

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from accelerate import Accelerator
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertForMaskedLM, DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from eval.score.command import run
from train.config import FinetuneConfig, RandomEncoder, load_config
from train.features import Collator, read_windows
from train.pretrain.config import PretrainConfig
from train.pretrain.corpus import Corpus
from train.pretrain.pretraining import MaskedLanguageModel, Pretraining, load_encoder
from train.run import bert_config, build_model, window_settings
from train.run import load_encoder as load_finetuned
from train.training import optimizer
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.model.align import Reach
from waqia.model.pipeline import pad_id
from waqia.records import read_records

TEXTS = Path("data/train.jsonl")
Step = Callable[[], int]  # one optimiser step -> real tokens trained on


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("--pretrain", type=Path, default=Path("configs/waqia-mini/pretrain.yaml"), metavar="CONFIG")
    parser.add_argument("--finetune", type=Path, default=Path("configs/waqia-mini/quickstart.yaml"), metavar="CONFIG")
    parser.add_argument("--tokenizer", type=Path, default=Path("models/waqia-mini/tokenizer.json"), help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="about how long each way is run (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two steps of each: shows that it works, measures nothing")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON here")
    args = parser.parse_args(argv)
    tokenizer = Tokenizer.from_file(str(args.tokenizer))
    pretrain, finetune = load_config(PretrainConfig, args.pretrain), load_config(FinetuneConfig, args.finetune)
    roads = {
        "pretraining": (*pretraining(pretrain, tokenizer), pretrain.optimisation.precision),
        "fine-tuning": (*finetuning(finetune), finetune.training.precision),
    }
    products = 1 if args.quick else 50  # a processor without bf16 takes half a second for one
    limit = {"fp32": gemm_limit(torch.float32, products), "bf16": gemm_limit(torch.bfloat16, products)}
    result: dict[str, Any] = {"threads": torch.get_num_threads(), "torch": torch.__version__, "gemm_gflops": limit}
    for name, (steps, weights, precision) in roads.items():
        limits = [limit["fp32"], limit[precision]]  # the stock way computes in fp32
        result[name] = measured(steps, 0.0 if args.quick else args.seconds, [6e-9 * weights / one for one in limits])
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print("\n".join(table(result)))


def pretraining(config: PretrainConfig, tokenizer: Tokenizer) -> tuple[dict[str, Step], int]:
    """One step of the stock way and of ours, and the weights of a model's layers."""
    shape, texts = config.encoder, [json.loads(line)["text"] for line in TEXTS.read_text("utf-8").splitlines()]
    if not isinstance(shape, RandomEncoder):
        raise ConfigError(f"{config.name}: `encoder` must be a shape, so that both roads start alike; see configs/waqia-mini/pretrain.yaml")
    stock = BertForMaskedLM(bert_config(shape, tokenizer))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", mask_token="[MASK]", cls_token="[CLS]", sep_token="[SEP]")
    collate = DataCollatorForLanguageModeling(fast, mlm_probability=config.masking.rate)
    encoded = [{"input_ids": e.ids[: shape.positions]} for e in tokenizer.encode_batch(texts)]
    stock_adamw = torch.optim.AdamW(stock.parameters(), lr=config.optimisation.learning_rate)
    size = max(
        1, config.optimisation.batch_rows * config.corpus.row_tokens // round(statistics.fmean(len(e["input_ids"]) for e in encoded))
    )
    order = endless(len(encoded))

    def stock_step() -> int:
        batch = collate([encoded[next(order)] for _ in range(size)])
        stock(**batch).loss.backward()
        stock_adamw.step()
        stock_adamw.zero_grad()
        return int(batch["attention_mask"].sum().item())

    row = config.corpus.row_tokens
    ids = np.concatenate([np.array(e["input_ids"], np.int32) for e in encoded])
    rows = ids[: len(ids) // row * row].reshape(-1, row)
    random_start = config.model_copy(update={"start": "random"})
    model = MaskedLanguageModel(load_encoder(random_start, tokenizer, Corpus((rows,), rows, rows.size)))
    bf16 = config.optimisation.precision == "bf16"
    ours = Pretraining(config, Accelerator(mixed_precision="bf16" if bf16 else "no"), tokenizer, Corpus((rows,), rows, rows.size), model)
    place = endless(len(rows))

    def our_step() -> int:
        ours.update(ours.batch(np.stack([rows[next(place)] for _ in range(config.optimisation.batch_rows)]), (0, ours.step)))
        return int(config.optimisation.batch_rows * row)

    return {"BertForMaskedLM": stock_step, "train.pretrain": our_step}, weights(stock.bert)


def finetuning(config: FinetuneConfig) -> tuple[dict[str, Step], int]:
    """One step of the stock way and of ours, and the weights of the encoder's layers."""
    labels = LabelSet.load(config.label_set)
    records = list(read_records(TEXTS, labels))
    encoder, tokenizer = load_finetuned(config, [record.text for record in records])
    windows = list(read_windows(records, tokenizer, labels, window_settings(config), Reach()))
    by_length = sorted(({**window, "window": n, "epoch": 0} for n, window in enumerate(windows)), key=lambda window: window["length"])
    pad, size = pad_id(tokenizer), config.training.batch_windows
    collator, ours = Collator(pad), Collator(pad, seed=config.seed, asked=config.training.mentions_asked)
    model = build_model(encoder, config, labels).train()
    adamw = optimizer(model, config)
    dtype = torch.bfloat16 if config.training.precision == "bf16" else None

    def step(batch: dict[str, Tensor], autocast: torch.dtype | None) -> int:
        with torch.autocast("cpu", autocast, enabled=autocast is not None):
            loss = model(**batch)["loss"]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.training.max_grad_norm)
        adamw.step()
        adamw.zero_grad()
        return int(batch["attention_mask"].count_nonzero())

    order, groups = endless(len(windows)), endless(len(windows) // size)

    def stock_step() -> int:
        return step(widened(collator([windows[next(order)] for _ in range(size)]), config.windows.max_tokens), None)

    def our_step() -> int:
        start = next(groups) * size
        return step(ours(by_length[start : start + size]), dtype)

    return {"padded to the longest allowed, random order": stock_step, "train.finetune": our_step}, weights(model.encoder)


def widened(batch: dict[str, Tensor], tokens: int) -> dict[str, Tensor]:
    """The batch with its tokens padded to the right to a fixed length."""
    missing = tokens - batch["input_ids"].shape[1]
    return batch | {name: nn.functional.pad(batch[name], (0, max(0, missing))) for name in ("input_ids", "attention_mask")}


def endless(size: int) -> Iterator[int]:
    """Numbers below size, in another order each time around."""
    random = np.random.default_rng(0)
    while True:
        yield from random.permutation(size).tolist()


def weights(encoder: nn.Module) -> int:
    """Weights of the layers: what every token is multiplied with."""
    return sum(p.numel() for name, p in encoder.named_parameters() if p.ndim > 1 and ".layer." in name)


def gemm_limit(dtype: torch.dtype, products: int) -> float:
    """GFLOP/s of so many matrix products at shapes of a small encoder, all threads: the best of several, as a limit should be."""
    a, b = torch.randn(1024, 256, dtype=dtype), torch.randn(256, 1024, dtype=dtype)
    return max(2 * 1024 * 256 * 1024 * products / seconds(partial(torch.mm, a, b), products) / 1e9 for _ in range(5))


def seconds(act: Callable[[], Any], times: int) -> float:
    """How long it takes to do something several times."""
    began = time.perf_counter()
    for _ in range(times):
        act()
    return time.perf_counter() - began


def measured(steps: dict[str, Step], duration: float, shares: Sequence[float]) -> dict[str, dict[str, float]]:
    """Tokens a second of each way, in turn round by round after one step to warm up; ratios to the first, shares of the limit."""
    rates: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    spent = 0.0
    while spent < duration * len(steps) or not all(rates.values()):
        for name, step in steps.items():
            began = time.perf_counter()
            tokens = sum(step() for _ in range(1 if duration == 0 else 5))
            took = time.perf_counter() - began
            rates[name].append(tokens / took)
            spent += took
    medians = {name: statistics.median(values) for name, values in rates.items()}
    first = next(iter(medians.values()))
    return {
        name: {
            "tokens_a_second": rate,
            "least": min(rates[name]),
            "most": max(rates[name]),
            "times": rate / first,
            "of_limit": rate * share,
        }
        for (name, rate), share in zip(medians.items(), shares, strict=True)
    }


def table(result: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    limits = ", ".join(f"{precision} {limit:.0f}" for precision, limit in result["gemm_gflops"].items())
    lines = [f"{result['threads']} threads, torch {result['torch']}; matrix products, GFLOP/s: {limits}"]
    for name in ("pretraining", "fine-tuning"):
        lines += ["", f"{name:<46} {'tokens/s':>9} {'least':>7} {'most':>7} {'times':>6} {'of limit':>9}"]
        for way, r in result[name].items():
            numbers = f"{r['tokens_a_second']:>9.0f} {r['least']:>7.0f} {r['most']:>7.0f} {r['times']:>6.2f} {r['of_limit']:>9.0%}"
            lines.append(f"{way:<46} {numbers}")
    return lines


if __name__ == "__main__":
    run(main)
