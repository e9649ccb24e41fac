"""python -m train.pretrain: see `train.pretrain.pretraining`."""

import logging
import sys

from eval.score.command import run
from train.pretrain.pretraining import main

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    run(main)
