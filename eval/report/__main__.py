"""python -m eval.report: see `eval.report.build`."""

from eval.report.build import main
from eval.score.command import run

if __name__ == "__main__":
    run(main)
