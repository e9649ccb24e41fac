"""Quantise an artefact to int8: python -m train.quantise RUN_OR_ARTEFACT OUT --calibrate data/dev.jsonl --gate data/test.jsonl

The linear layers of the encoder and of the heads, but for the small last ones, multiply in int8, with ranges and rounded weights that
`train.rounding` chooses on the passages of --calibrate (static, so that neighbours in a batch change nothing). Embeddings stay fp16, all
else fp32. Both artefacts are then scored on --gate: a drop of more than 1 point in incident or actor F1 writes nothing and ends with 5.
The figures stand in the new manifest. An int8 artefact, such as the one in the package, is quantised anew from the fp32 weights that its
own stand for.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.score.command import run as run_script
from eval.score.files import prediction
from eval.score.scoring import score
from train import export
from waqia.arguments import Parser
from waqia.errors import GateError
from waqia.model import artefact
from waqia.model.artefact import Artefact
from waqia.model.backends import BACKENDS, GRAPHS, encode_inputs, open_backend, participants_inputs
from waqia.model.pipeline import Model, read_texts
from waqia.model.tensors import Backend, Batch, Encoded, Floats, Pairs, Participants, Triggers
from waqia.model.windows import Ints
from waqia.reader import Reader
from waqia.records import read_records
from waqia.schema import Record

log = logging.getLogger("train.quantise")

PARTS = ("encoder", "participants")
GATED = ("incidents F1", "actors F1")
DROP = 0.01  # most that a gated figure may lose
SUFFIX = "-int8"  # of the model's name
Inputs = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    """Calibrate, quantise, score both, refuse or write."""
    parser = Parser(description=__doc__)
    parser.add_argument("source", type=Path, metavar="RUN_OR_ARTEFACT", help="a finished run, or an artefact")
    parser.add_argument("out", type=Path, metavar="OUT", help="artefact to write; one already there is replaced")
    parser.add_argument("--calibrate", type=Path, required=True, metavar="DEV", help="records whose passages fix the int8 ranges")
    parser.add_argument("--gate", type=Path, required=True, metavar="TEST", help="records that both artefacts are scored on")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to quantise (default: both)")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS[:1], help="what must pass (default: onnxruntime)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        plain = as_artefact(args.source, Path(folder) / "plain")
        passages = [record.text for record in read_records(args.calibrate, plain.labels)]
        graphs = quantise_parts(plain, passages, args.parts, Path(folder))
        name = plain.model + SUFFIX
        write(plain, name, graphs, Path(folder) / "int8")
        gold = list(read_records(args.gate, plain.labels))
        figures = {backend: compare(plain.folder, Path(folder) / "int8", gold, backend) for backend in args.backends}
        log.info("%s", figures)
        refuse(figures, args.out)
        origin = {"parts": list(args.parts), "calibrated_on": str(args.calibrate), "passages": len(passages), "gate": str(args.gate)}
        write(plain, name, graphs, args.out, {**plain.card, "int8": {**origin, "figures": figures}})
    log.info("wrote %s", args.out)


def as_artefact(source: Path, folder: Path) -> Artefact:
    """The source itself, or where it is a run or in int8, its artefact in fp32, written to `folder`."""
    if (source / "config.yaml").is_file():
        export.main([str(source), str(folder)])
        return artefact.load(folder)
    found = artefact.load(source)
    return whole(found, folder) if found.model.endswith(SUFFIX) else found


def whole(int8: Artefact, folder: Path) -> Artefact:
    """Write the artefact in fp32 that one in int8 stands for: its weights as they were rounded, what they multiply not rounded."""
    from train.int8 import dequantise  # and with it onnx, seconds to import

    with tempfile.TemporaryDirectory() as graphs:
        plain = {name: dequantise(int8.folder / name, Path(graphs) / name) for name in GRAPHS}
        card = {name: value for name, value in int8.card.items() if name != "int8"}
        write(int8, int8.model.removesuffix(SUFFIX), plain, folder, card)
    return artefact.load(folder)


def quantise_parts(plain: Artefact, passages: Sequence[str], parts: Sequence[str], folder: Path) -> dict[str, Path]:
    """The artefact's graphs by file name, those of `parts` written to `folder` in int8, with ranges from reading the passages."""
    from train.int8 import quantise

    seen = Recorder(open_backend("onnxruntime", plain.folder))
    read_texts(passages, Model(plain.model, seen, plain.tokenizer, plain.labels, plain.windows, plain.calibration))
    graphs = {name: plain.folder / name for name in GRAPHS}
    for part, name, inputs in zip(PARTS, GRAPHS, (seen.encoded, seen.found), strict=False):  # merging stays in fp32
        if part in parts:
            graphs[name] = quantise(plain.folder / name, folder / name, inputs)
    return graphs


def write(like: Artefact, model: str, graphs: Mapping[str, Path], folder: Path, card: Mapping[str, Any] | None = None) -> None:
    """Write an artefact like another, with a name and graphs of its own."""
    artefact.write(
        folder, model=model, encode=graphs["encode.onnx"], participants=graphs["participants.onnx"], merge=graphs["merge.onnx"],
        tokenizer=like.tokenizer.to_str(), labels=like.labels, windows=like.windows, calibration=like.calibration, card=card,
    )  # fmt: skip


class Recorder:
    """A backend that keeps what its graphs were given, to calibrate on."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.encoded: list[Inputs] = []
        self.found: list[Inputs] = []

    def encode(self, batch: Batch) -> Encoded:
        """What the backend says."""
        self.encoded.append(encode_inputs(batch))
        return self._backend.encode(batch)

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """What the backend says."""
        self.found.append(participants_inputs(word_states, word_mask, triggers))
        return self._backend.participants(word_states, word_mask, triggers)

    def merge(self, pairs: Pairs) -> Floats:
        """What the backend says."""
        return self._backend.merge(pairs)


def compare(plain: Path, quantised: Path, gold: Sequence[Record], backend: str) -> dict[str, dict[str, float | None]]:
    """The gated figures of both artefacts."""
    before, after = (scores(folder, gold, backend) for folder in (plain, quantised))
    return {name: {"fp32": before[name], "int8": after[name]} for name in GATED}


def scores(folder: Path, gold: Sequence[Record], backend: str) -> dict[str, float | None]:
    """Every headline figure of an artefact."""
    reader = Reader.load(folder, backend=backend)
    readings = reader.read_many(record.text for record in gold)
    predicted = [prediction(record, reading) for record, reading in zip(gold, readings, strict=True)]
    return score(gold, predicted, reader.labels).figures()


def refuse(figures: Mapping[str, Mapping[str, Mapping[str, float | None]]], out: Path) -> None:
    """GateError where a gated figure of a backend drops by more than DROP, or has nothing to score."""
    faults = []
    for backend, pairs in figures.items():
        for name, pair in pairs.items():
            before, after = pair["fp32"], pair["int8"]
            if before is None or after is None:
                faults.append(f"{name} has nothing to score with {backend}")
            elif before - after > DROP + 1e-9:
                faults.append(f"{name} drops from {before:.4f} to {after:.4f} with {backend}, more than {DROP}")
    if faults:
        advice = "quantise less with --parts encoder, or calibrate on more passages"
        raise GateError(f"{out}: not written: {'; '.join(faults)}; {advice}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    for name in ("onnx_ir", "onnxscript", "root"):
        logging.getLogger(name).setLevel(logging.WARNING)
    run_script(main)
