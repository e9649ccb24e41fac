"""Fine-tuning itself: a stock Trainer over windows, figures on dev, checkpoints that a killed run goes on from to the same weights.

What a step computes follows from (seed, epoch, window) and (seed, step) alone: the order (`train.order`), the words hidden
(`train.features`), the dropout (`SeedSteps`). No generator's state is carried from one step to the next.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from eval.perturb.meaning import future, negated
from eval.score.files import prediction
from eval.score.scoring import headline, score
from train.calibrate import calibrate
from train.card import card
from train.checkpoints import PARTIAL, newest_valid, replace_folder, seal
from train.config import FinetuneConfig
from train.features import FEATURES, Collator, dataset
from train.finetune import data_hashes, label_hash
from train.model import IncidentModel
from train.order import EpochOrder
from train.run import Run, checkpoints, start_model, window_settings
from waqia.arguments import did_you_mean
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.pipeline import pad_id, read_texts
from waqia.records import write_records
from waqia.schema import Record

log = logging.getLogger("train.finetune")

LOGS = "logs"  # of TensorBoard, in the run's folder
SHOWN = ("loss", "eval_loss", "eval_incidents F1", "eval_actors F1", "eval_types micro-F1")


def fit(config: FinetuneConfig, labels: LabelSet, train: Sequence[Record], dev: Sequence[Record]) -> None:
    """Train, calibrate on dev, score on dev, save."""
    arguments = training_arguments(config)
    train = [*train, *paraphrased(train, config.training.paraphrases, config.seed, labels)]
    set_seed(config.seed)
    with arguments.main_process_first():  # the first process may have a vocabulary to learn, or a model to fetch
        model, tokenizer = start_model(config, labels, [record.text for record in train])
    model.take_weights(config.loss, type_weights(train, labels, config.training.class_weighting))
    run = Run(config, labels, tokenizer, model, Calibration.plain(labels), {"data": data_hashes(config), "label_set": label_hash(labels)})
    key = fingerprint(run)
    trainer = build_trainer(run, train, dev, arguments, key)
    trainer.train(resume_from_checkpoint=newest_valid(checkpoints(config), key))
    if trainer.is_world_process_zero():
        finish(run, dev, trainer.state)


def paraphrased(records: Sequence[Record], share: float, seed: int, labels: LabelSet) -> list[Record]:
    """A share of the records that bear it once more, their actual incidents' verbs negated or put in the future, so unrealised."""
    random, changes = np.random.default_rng(seed), (negated, future)
    chosen = [(record, changes[random.integers(2)]) for record in records if random.random() < share]
    return [changed for record, change in chosen if (changed := change(record, labels)) is not None]


def finish(run: Run, dev: Sequence[Record], state: TrainerState) -> None:
    """Calibrate and score on dev; the finished run then takes its place whole, and its checkpoints go."""
    calibration, fits = calibrate(run, dev)
    run = replace(run, calibration=calibration, facts={**run.facts, "temperatures": {name: asdict(fit) for name, fit in fits.items()}})
    predicted = predictions(run, dev)
    scores = score(dev, predicted, run.labels)
    output = run.config.output
    partial = output.with_name(f"{output.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    run.save(partial)
    write_records(partial / "dev-predictions.jsonl", predicted)
    (partial / "dev-scores.json").write_text(json.dumps(scores.to_dict(), ensure_ascii=False, indent=1), "utf-8")
    (partial / "README.md").write_text(card(run, scores.figures()), "utf-8")
    state.save_to_json(str(partial / "trainer-state.json"))
    if (checkpoints(run.config) / LOGS).is_dir():
        shutil.copytree(checkpoints(run.config) / LOGS, partial / LOGS)
    replace_folder(partial, output)
    shutil.rmtree(checkpoints(run.config), ignore_errors=True)
    log.info("saved %s; on dev, which also chose its thresholds: %s", output, scores.headline())
    if not scores.figures().get("incidents F1"):
        log.warning("THIS MODEL PREDICTS NOTHING RIGHT (incidents F1 on dev is 0): train longer (`epochs`), or on more records")


def predictions(run: Run, records: Sequence[Record]) -> list[Record]:
    """What the run reads in the texts of records, as records."""
    readings = read_texts([record.text for record in records], run.reader())
    return [prediction(record, reading) for record, reading in zip(records, readings, strict=True)]


def build_trainer(run: Run, records: Sequence[Record], dev: Sequence[Record], arguments: TrainingArguments, key: str) -> Trainer:
    """A stock Trainer over the records' windows; `key` is the fingerprint that its checkpoints are sealed with."""
    config, cache = run.config, run.config.output.parent / "windows"
    with arguments.main_process_first():  # the others find what it cut
        windows, reach = dataset(records, run.tokenizer, run.labels, window_settings(config), cache)
    log.info("%d records, %d windows; %s", len(records), len(windows), ", ".join(reach.lines()))
    if not len(windows):
        raise ConfigError(f"{config.name}: the training files hold no word; give records with text under train_files")
    order = EpochOrder(windows, config.training.batch_windows * config.training.accumulation, config.seed)
    mask, training = run.tokenizer.token_to_id("[MASK]") or 0, config.training
    masking = Collator(pad_id(run.tokenizer), mask, training.hidden_words, config.seed, training.mentions_asked)
    collator: Collator | EitherCollator = masking
    several = 20 if config.training.precision == "fp16" else 1  # while the scale of fp16 settles, steps are skipped
    callbacks: list[TrainerCallback] = [SeedSteps(), StopOnNonFinite(several), SealCheckpoints(key), Progress()]
    if config.evaluation.patience:
        callbacks.append(EarlyStoppingCallback(config.evaluation.patience))
    judged: dict[str, Any] = {}
    if config.evaluation.each_epoch:
        dev_windows, _ = dataset(dev, run.tokenizer, run.labels, window_settings(config), cache)
        collator = EitherCollator(masking, Collator(pad_id(run.tokenizer)))
        judged = {"eval_dataset": dev_windows, "compute_metrics": DevFigures(run, dev)}
    optimizers = (optimizer(run.model, config), None)
    trainer = Trainer(run.model, arguments, collator, order, optimizers=optimizers, callbacks=callbacks, **judged)
    trainer.accelerator.rng_types = []  # no random state says the order: there is none to share between processes
    return trainer


def training_arguments(config: FinetuneConfig) -> TrainingArguments:
    """The configuration as Trainer takes it; ConfigError where this machine or its processes cannot train so."""
    training, evaluation, processes = config.training, config.evaluation, int(os.environ.get("WORLD_SIZE", "1"))
    if training.batch_windows % processes:
        raise ConfigError(f"training.batch_windows is {training.batch_windows}, expected a multiple of the {processes} processes")
    if training.precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError("training.precision is fp16, which needs a GPU, and none is visible; expected fp32 or bf16")
    if evaluation.metric not in (known := list(headline({}, LabelSet.load(config.label_set)))):
        raise ConfigError(f"evaluation.metric {evaluation.metric!r} is no figure of eval.score{did_you_mean(evaluation.metric, known)}")
    if training.report_to:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(checkpoints(config) / LOGS)
    arguments = TrainingArguments(
        output_dir=str(checkpoints(config)),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_windows,
        per_device_eval_batch_size=training.batch_windows,
        accelerator_config={"split_batches": True},  # a batch is the configuration's, however many processes share it
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.head_learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=training.warmup,  # below 1: a share of all steps
        max_grad_norm=training.max_grad_norm,
        bf16=training.precision == "bf16",
        fp16=training.precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        train_sampling_strategy="sequential",  # train.order makes the order
        logging_steps=20,
        logging_nan_inf_filter=False,
        eval_strategy="epoch" if evaluation.each_epoch else "no",
        save_strategy="epoch" if evaluation.keep_best else "steps",
        save_steps=training.save_steps,
        save_total_limit=2,
        load_best_model_at_end=evaluation.keep_best,
        metric_for_best_model=evaluation.metric if evaluation.each_epoch else None,
        greater_is_better=True if evaluation.each_epoch else None,
        seed=config.seed,
        remove_unused_columns=False,
        label_names=["labels", "type_targets", "type_asked"],
        report_to=list(training.report_to) or "none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=True,  # a batch without triggers leaves the participants head out
    )
    if arguments.n_gpu > 1:
        raise ConfigError(
            f"{arguments.n_gpu} GPUs are visible to one process, and torch.nn.DataParallel would cut triggers and spans apart from their "
            "windows; start one process a GPU: accelerate launch --config_file configs/accelerate/multi-gpu.yaml -m train.finetune CONFIG, "
            "or show it one GPU: CUDA_VISIBLE_DEVICES=0"
        )
    return arguments


def type_weights(records: Sequence[Record], labels: LabelSet, power: float) -> list[float] | None:
    """How much a positive example of each type weighs: (mean count / its count) ** power, from 0.1 to 10; None for power 0."""
    if not power:
        return None
    counts = Counter(incident.type for record in records for incident in record.incidents)
    mean = sum(counts.values()) / len(labels.incident_types)
    return [round(min(10.0, max(0.1, (mean / max(1, counts[name])) ** power)), 4) for name in labels.incident_types]


class EitherCollator:
    """Rows of training windows (they say their epoch) with words hidden, rows of dev windows as they are."""

    def __init__(self, training: Collator, evaluation: Collator) -> None:
        self.training, self.evaluation = training, evaluation

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """See `Collator.__call__`."""
        return (self.training if "epoch" in rows[0] else self.evaluation)(rows)


class DevFigures:
    """What the Trainer logs of dev after an epoch: types of windows, and all figures of `eval.score` over the pipeline's readings."""

    def __init__(self, run: Run, dev: Sequence[Record]) -> None:
        from eval.score.metric import IncidentScores, TypeScores  # and with them `evaluate`, seconds to import

        self.run, self.dev = run, dev
        self.types, self.incidents = TypeScores(run.config.label_set), IncidentScores(run.config.label_set)

    def __call__(self, judged: EvalPrediction) -> dict[str, float]:
        """Logits of types (windows, types) and (labels, targets, asked) -> figures by name; what has nothing to score is left out."""
        _, targets, asked = judged.label_ids
        gold = np.where(asked > 0, targets, -1).astype(int).tolist()
        windows = self.types.compute(predictions=(judged.predictions > 0).astype(int).tolist(), references=gold)
        said = predictions(self.run, self.dev)
        lines = [[json.dumps(record.to_dict(), ensure_ascii=False) for record in records] for records in (said, self.dev)]
        figures = self.incidents.compute(predictions=lines[0], references=lines[1])
        found = {**figures, **{f"windows {name}": value for name, value in windows.items()}}
        chosen = {self.run.config.evaluation.metric: 0.0}  # nothing to score is no progress
        return chosen | {name: value for name, value in found.items() if value is not None}


def optimizer(model: IncidentModel, config: FinetuneConfig) -> torch.optim.Optimizer:
    """AdamW with a rate for the heads and lower ones down the encoder's layers; biases, norms and scalars do not decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decay = config.training.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((learning_rate(name, model, config), decay), []).append(parameter)
    rows = [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]
    return torch.optim.AdamW(rows, betas=(0.9, 0.98), eps=1e-6, fused=True)


def learning_rate(name: str, model: IncidentModel, config: FinetuneConfig) -> float:
    """The peak rate of a parameter by its name: embeddings lowest, then layer by layer, then the heads."""
    if not name.startswith("encoder."):
        return config.training.head_learning_rate
    layers = int(model.encoder.config.num_hidden_layers)
    layer = re.search(r"\.layer\.(\d+)\.", name)
    depth = layers - 1 - int(layer[1]) if layer else layers
    return config.training.encoder_learning_rate * config.training.layer_decay**depth


class SeedSteps(TrainerCallback):
    """Makes the dropout of a step follow from (seed, step, process): nothing depends on what was drawn before."""

    def on_step_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Seed torch, on all devices."""
        key = (args.seed, state.global_step, args.process_index)
        torch.manual_seed(int(np.random.default_rng(key).integers(2**62)))


class Progress(TrainerCallback):
    """A line now and then: how far, how well, how long still."""

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Take the time."""
        self.began, self.first = time.monotonic(), state.global_step

    def on_log(self, args: TrainingArguments, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Say the loss, or the figures on dev."""
        if not state.is_world_process_zero or not {"loss", "eval_loss"} & logs.keys():
            return
        left = (time.monotonic() - self.began) / max(1, state.global_step - self.first) * (state.max_steps - state.global_step)
        shown = ", ".join(f"{name.removeprefix('eval_')} {value:.3f}" for name, value in logs.items() if name in SHOWN)
        log.info("step %d of %d, epoch %.1f: %s; %.1f minutes left", state.global_step, state.max_steps, state.epoch, shown, left / 60)


class StopOnNonFinite(TrainerCallback):
    """Ends training before a gradient that is not finite reaches the weights; Trainer alone would log 0.0 and go on.

    With fp16, whose scaler skips such steps, only after `several` of them in a row.
    """

    def __init__(self, several: int = 1) -> None:
        self.several, self.bad = several, 0

    def on_pre_optimizer_step(self, args: TrainingArguments, state: Any, control: Any, model: nn.Module, **_: Any) -> None:
        """Raise FloatingPointError with the step and the first parameter concerned."""
        gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
        finite = torch.stack([gradient.isfinite().all() for gradient in gradients.values()])
        self.bad = 0 if finite.all() else self.bad + 1
        if self.bad >= self.several:  # one question to the device, not one a parameter
            name = list(gradients)[finite.int().argmin()]
            raise FloatingPointError(f"step {state.global_step}: the gradient of {name} is not finite; lower the learning rates")


class SealCheckpoints(TrainerCallback):
    """Makes a checkpoint count only once all of it is on disk."""

    def __init__(self, config_hash: str) -> None:
        self.config_hash = config_hash

    def on_save(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        """Seal the checkpoint that Trainer has just written."""
        if args.world_size > 1:
            torch.distributed.barrier()  # each process writes its own random state into it
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}", self.config_hash)


def fingerprint(run: Run) -> str:
    """A digest of all that the weights follow from; a checkpoint of another one is refused.

    The configuration but for where and how often it writes; the label set and its order; the data files; the vocabulary; the weights at the
    start, so the encoder's; the number of processes, which draw their dropout apart.
    """
    free: dict[str, Any] = {"name": True, "output": True, "training": {"save_steps", "report_to"}}
    said = [run.config.model_dump(mode="json", exclude=free), run.labels.to_dict(), run.facts["data"], FEATURES]
    digest = hashlib.sha256(json.dumps(said).encode())
    digest.update(run.tokenizer.to_str().encode("utf-8", "replace"))
    digest.update(os.environ.get("WORLD_SIZE", "1").encode())
    for name, tensor in run.model.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
