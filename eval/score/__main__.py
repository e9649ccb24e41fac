"""python -m eval.score: see `eval.score.scoring`."""

from eval.score.command import run
from eval.score.scoring import main

if __name__ == "__main__":
    run(main)
