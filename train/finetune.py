"""Fine-tune the joint model: python -m train.finetune CONFIG (or accelerate launch -m train.finetune CONFIG).

Writes the finished run to the configuration's `output`: weights, tokenizer, labels, calibration, its scores on the dev files, its losses.
Killed runs go on from their newest whole checkpoint when started again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from eval.perturb.meaning import future, negated
from eval.score.command import run as run_script
from eval.score.files import prediction
from eval.score.scoring import score
from train.calibrate import calibrate
from train.checkpoints import newest_valid, seal
from train.config import FinetuneConfig, config_path, load_config
from train.features import Collator, dataset
from train.model import IncidentModel
from train.run import Run, build_model, load_encoder, window_settings
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.model.calibration import Calibration
from waqia.model.pipeline import pad_id, read_texts
from waqia.records import read_records, write_records
from waqia.schema import Record

log = logging.getLogger("train.finetune")


def main(argv: Sequence[str] | None = None) -> None:
    """Train, calibrate on dev, score on dev, save."""
    config = load_config(FinetuneConfig, config_path(sys.argv[1:] if argv is None else argv))
    labels = LabelSet.load(config.label_set)
    train = [record for source in config.train_files for record in read_records(source.path, labels) for _ in range(source.repeat)]
    train += paraphrased(train, config.training.paraphrases, config.seed)
    dev = [record for path in config.dev_files for record in read_records(path, labels)]
    set_seed(config.seed)
    arguments = training_arguments(config)
    with arguments.main_process_first():  # the first process may have a vocabulary to learn, or a model to fetch
        encoder, tokenizer = load_encoder(config, [record.text for record in train])
    run = Run(config, labels, tokenizer, build_model(encoder, config, labels), Calibration.plain(labels), {"data": data_hashes(config)})
    trainer = build_trainer(run, train, arguments)
    trainer.train(resume_from_checkpoint=newest_valid(checkpoints(config), config_hash(config)))
    if trainer.is_world_process_zero():
        finish(run, dev)
        trainer.state.save_to_json(str(config.output / "trainer-state.json"))


def paraphrased(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """A share of the records that bear it once more, their actual incidents' verbs negated or put in the future, so unrealised."""
    random, changes = np.random.default_rng(seed), (negated, future)
    chosen = [(record, changes[random.integers(2)]) for record in records if random.random() < share]
    return [changed for record, change in chosen if (changed := change(record)) is not None]


def finish(run: Run, dev: Sequence[Record]) -> None:
    """Calibrate and score on dev, save the run, and clear its checkpoints away."""
    calibration, fits = calibrate(run, dev)
    run = replace(run, calibration=calibration, facts={**run.facts, "temperatures": {name: asdict(fit) for name, fit in fits.items()}})
    predicted = predictions(run, dev)
    scores = score(dev, predicted, run.labels)
    run.save(run.config.output)
    write_records(run.config.output / "dev-predictions.jsonl", predicted)
    (run.config.output / "dev-scores.json").write_text(json.dumps(scores.to_dict(), ensure_ascii=False, indent=1), "utf-8")
    shutil.rmtree(checkpoints(run.config), ignore_errors=True)
    log.info("saved %s; on dev, which also chose its thresholds: %s", run.config.output, scores.headline())


def predictions(run: Run, records: Sequence[Record]) -> list[Record]:
    """What the run reads in the texts of records, as records."""
    readings = read_texts([record.text for record in records], run.reader())
    return [prediction(record, reading) for record, reading in zip(records, readings, strict=True)]


def build_trainer(run: Run, records: Sequence[Record], arguments: TrainingArguments) -> Trainer:
    """A stock Trainer over the records' windows."""
    cache = run.config.output.parent / "windows"
    with arguments.main_process_first():  # the others find what it cut
        windows, reach = dataset(records, run.tokenizer, run.labels, window_settings(run.config), cache)
    log.info("%d records, %d windows; %s", len(records), len(windows), ", ".join(reach.lines()))
    mask_id = run.tokenizer.token_to_id("[MASK]") or 0
    collator = Collator(pad_id(run.tokenizer), mask_id, run.config.training.hidden_words)
    callbacks = [StopOnNonFinite(), SealCheckpoints(config_hash(run.config))]
    optimizers = (optimizer(run.model, run.config), None)
    trainer = Trainer(run.model, arguments, collator, windows, optimizers=optimizers, callbacks=callbacks)  # type: ignore[arg-type]
    trainer.accelerator.rng_types = ["torch"]  # dropout draws apart in each process; all must shuffle an epoch alike
    return trainer


def training_arguments(config: FinetuneConfig) -> TrainingArguments:
    """The configuration as Trainer takes it; ConfigError where the processes cannot share a batch evenly."""
    training, processes = config.training, int(os.environ.get("WORLD_SIZE", "1"))
    if training.batch_windows % processes:
        raise ConfigError(f"training.batch_windows is {training.batch_windows}, expected a multiple of the {processes} processes")
    return TrainingArguments(
        output_dir=str(checkpoints(config)),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_windows,
        accelerator_config={"split_batches": True},  # a batch is the configuration's, however many processes share it
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.head_learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=training.warmup,  # below 1: a share of all steps
        max_grad_norm=training.max_grad_norm,
        bf16=training.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        logging_steps=20,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=training.save_steps,
        save_total_limit=2,
        seed=config.seed,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=True,  # a batch without triggers leaves the participants head out
    )


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


class StopOnNonFinite(TrainerCallback):
    """Ends training before a gradient that is not finite reaches the weights; Trainer alone would log 0.0 and go on."""

    def on_pre_optimizer_step(self, args: TrainingArguments, state: Any, control: Any, model: nn.Module, **_: Any) -> None:
        """Raise FloatingPointError with the step and the first parameter concerned."""
        gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
        finite = torch.stack([gradient.isfinite().all() for gradient in gradients.values()])
        if not finite.all():  # one question to the device, not one a parameter
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


def checkpoints(config: FinetuneConfig) -> Path:
    """Where the run keeps its checkpoints while it trains."""
    return config.output / "checkpoints"


def config_hash(config: FinetuneConfig) -> str:
    """A fingerprint of the configuration and of the files it trains on; a checkpoint of another one is refused."""
    hashes = data_hashes(config)
    data = [hashes[str(source.path)] for source in config.train_files]
    return hashlib.sha256("\n".join([config.model_dump_json(), *data]).encode()).hexdigest()


def data_hashes(config: FinetuneConfig) -> dict[str, str]:
    """sha256 of the files that the configuration trains and calibrates on."""
    paths = [*(source.path for source in config.train_files), *config.dev_files]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    run_script(main)
