"""python -m train.pretrain CONFIG: see `train.pretrain.pretraining`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from eval.score.command import run
from train.config import config_path, load_config
from train.pretrain.config import PretrainConfig
from train.pretrain.corpus import check_sources


def main(argv: Sequence[str] | None = None) -> None:
    """Prove the configuration, which takes no torch; then train."""
    config = load_config(PretrainConfig, config_path(sys.argv[1:] if argv is None else argv))
    check_sources(config.corpus)
    from train.pretrain.pretraining import pretrain  # and with it torch, seconds to import

    pretrain(config)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    run(main)
