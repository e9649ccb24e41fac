"""Export a finished run for `waqia`: python -m train.export RUN ARTEFACT.

Three ONNX graphs with their weights kept as fp16 (computed in fp32), the tokenizer, labels and calibration, under one manifest. The graphs
are held against torch on the run's dev passages first; an artefact that differs by more than 1e-4 anywhere is not written.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eval.score.command import run as run_script
from train.checkpoints import check_run
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.model import artefact
from waqia.model.hub import hub_name

if TYPE_CHECKING:
    from train.run import Run

log = logging.getLogger("train.export")

PARITY = 1e-4  # largest allowed difference of a logit between torch and ONNX Runtime


def main(argv: Sequence[str] | None = None) -> None:
    """Read the run, export, check, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="output folder of python -m train.finetune")
    parser.add_argument("artefact", type=Path, help="folder to write; an artefact already there is replaced")
    args = parser.parse_args(argv)
    if hub_name(str(args.run)) is None:
        check_run(args.run)
    from train.graphs import export_graphs, halve, parity  # and with it torch, seconds to import
    from train.run import Run

    run = Run.load(args.run)
    halve(run.model)
    with tempfile.TemporaryDirectory() as folder:
        graphs = Path(folder)
        export_graphs(run, graphs)
        difference = parity(run, graphs)
        log.info("largest difference between torch and ONNX Runtime: %.1e", difference)
        if not difference <= PARITY:
            raise ConfigError(f"{args.run}: torch and ONNX Runtime differ by {difference:.1e}, more than {PARITY:.0e}; nothing was written")
        write(run, graphs, args.artefact)
    log.info("wrote %s", args.artefact)


def write(run: Run, graphs: Path, folder: Path) -> None:
    """Put the artefact together; it appears under its name only when it is whole."""
    artefact.write(
        folder,
        model=run.config.name,
        encode=graphs / "encode.onnx",
        participants=graphs / "participants.onnx",
        merge=graphs / "merge.onnx",
        tokenizer=run.tokenizer.to_str(),
        labels=run.labels,
        windows=run.reader().windows,
        calibration=run.calibration,
        card={"config": run.config.model_dump(mode="json"), **run.facts},
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    for name in ("onnx_ir", "onnxscript"):
        logging.getLogger(name).setLevel(logging.WARNING)
    run_script(main)
