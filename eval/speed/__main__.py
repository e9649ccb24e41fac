"""python -m eval.speed: see `eval.speed.benchmark`."""

import logging
import sys

from eval.score.command import run
from eval.speed.benchmark import log, main

if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)  # warnings of others
    log.setLevel(logging.INFO)
    run(main)
