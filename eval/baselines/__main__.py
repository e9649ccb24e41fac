"""python -m eval.baselines: see `eval.baselines.systems`."""

from eval.baselines.systems import main
from eval.score.command import run

if __name__ == "__main__":
    run(main)
