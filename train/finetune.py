"""Fine-tune the joint model: python -m train.finetune CONFIG [--again] (or accelerate launch -m train.finetune CONFIG).

Writes the finished run to the configuration's `output`: a folder that transformers loads, with tokenizer, calibration, model card, its
scores on the dev files and its losses. A killed run goes on from its newest whole checkpoint, to the weights of an undisturbed one, when
started again. A finished one says so and stops, unless --again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from eval.score.command import run as run_script
from train.checkpoints import restore
from train.config import FinetuneConfig, load_config
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.records import read_records
from waqia.schema import Record

log = logging.getLogger("train.finetune")


def main(argv: Sequence[str] | None = None) -> None:
    """Prove the configuration and the records, which takes no torch; then train."""
    parser = Parser(description=__doc__)
    parser.add_argument("config", type=Path, metavar="CONFIG")
    parser.add_argument("--again", action="store_true", help="train anew where the output holds a finished run, and replace it")
    args = parser.parse_args(argv)
    config = load_config(FinetuneConfig, args.config)
    labels = LabelSet.load(config.label_set)
    train = [record for source in config.train_files for record in read(source.path, labels) for _ in range(source.repeat)]
    dev = [record for path in config.dev_files for record in read(path, labels)]
    if is_finished(config, labels) and not args.again:
        log.info("%s is finished with this very configuration and data: nothing to do; --again trains it anew", config.output)
        return
    from train.training import fit  # and with it torch, seconds to import

    if args.again and os.environ.get("RANK", "0") == "0":  # the others wait for what the first makes
        shutil.rmtree(config.output.with_name(f"{config.output.name}-checkpoints"), ignore_errors=True)
    fit(config, labels, train, dev)


def read(path: Path, labels: LabelSet) -> list[Record]:
    """The records of a file; ConfigError where it is missing or holds none."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; train_files and dev_files name JSONL files of records")
    records = list(read_records(path, labels))
    if not records:
        raise ConfigError(f"{path}: no records; expected JSONL with id, text and incidents")
    return records


def is_finished(config: FinetuneConfig, labels: LabelSet) -> bool:
    """Whether `output` holds this configuration's finished run; ConfigError where it holds another one's, or something else."""
    output = config.output
    restore(output)
    if not output.exists() or not any(output.iterdir()):
        return False
    if not (output / "facts.json").is_file() or not (output / "config.json").is_file():
        raise ConfigError(f"{output}: holds files, but no finished run; remove it or give the configuration another `output`")
    facts, kept = json.loads((output / "facts.json").read_text("utf-8")), load_config(FinetuneConfig, output / "config.yaml")
    differs = [name for name in type(config).model_fields if name != "output" and getattr(kept, name) != getattr(config, name)]
    if facts["data"] != data_hashes(config):
        differs.append("data")
    if facts["label_set"] != label_hash(labels):
        differs.append("label set's content")
    if differs:
        raise ConfigError(
            f"{output}: holds a finished run that differs in {', '.join(differs)}; remove it or give the configuration another `output`"
        )
    return True


def data_hashes(config: FinetuneConfig) -> dict[str, str]:
    """sha256 of the files that the configuration trains and calibrates on."""
    paths = [*(source.path for source in config.train_files), *config.dev_files]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def label_hash(labels: LabelSet) -> str:
    """sha256 of a label set, its order too."""
    return hashlib.sha256(json.dumps(labels.to_dict(), ensure_ascii=False).encode()).hexdigest()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    run_script(main)
