"""Fine-tuned runs for the scripts that need several: each in a process of its own, made once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import yaml

from train.config import FinetuneConfig, load_config
from waqia.errors import ConfigError
from waqia.schema import Record


def fine_tuned(config: FinetuneConfig) -> Path:
    """The output folder of a configuration, trained if it is not finished yet; ConfigError where it holds the run of another one."""
    output = Path(config.output)
    if (output / "dev-scores.json").is_file():
        if load_config(FinetuneConfig, output / "config.yaml") != config:
            raise ConfigError(f"{output}: holds the run of another configuration; remove it or give the configuration another `output`")
        return output
    path = output.with_name(f"{output.name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), allow_unicode=True, sort_keys=False), "utf-8")
    subprocess.run([sys.executable, "-m", "train.finetune", str(path)], check=True)
    return output


def chance(record: Record) -> float:
    """A number from 0 to 1 that a document always has."""
    document = str(record.extra.get("document", record.id)).encode()
    return int.from_bytes(hashlib.blake2b(document, digest_size=6).digest(), "big") / 2**48
