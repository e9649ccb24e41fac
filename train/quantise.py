"""Quantise an artefact to int8: python -m train.quantise RUN_OR_ARTEFACT OUT --calibrate data/dev.jsonl --gate data/test.jsonl

The linear layers of the encoder and of the heads, but for the small last ones, multiply in int8, with ranges fixed beforehand on the
passages of --calibrate (static, so that neighbours in a batch change nothing). Embeddings stay fp16, all else fp32. Both artefacts are
then scored on --gate: a drop of more than 1 point in incident or actor F1 writes nothing and ends with 5. The figures stand in the new
manifest. An int8 artefact, such as the one in the package, is quantised anew from the fp32 weights that its own stand for.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from eval.score.command import run as run_script
from eval.score.files import prediction
from eval.score.scoring import score
from train import export
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
LARGE = 128  # rows and columns from which a matrix is worth it
Inputs = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    """Calibrate, quantise, score both, refuse or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    with tempfile.TemporaryDirectory() as graphs:
        plain = {name: dequantise(int8.folder / name, Path(graphs) / name) for name in GRAPHS}
        card = {name: value for name, value in int8.card.items() if name != "int8"}
        write(int8, int8.model.removesuffix(SUFFIX), plain, folder, card)
    return artefact.load(folder)


def quantise_parts(plain: Artefact, passages: Sequence[str], parts: Sequence[str], folder: Path) -> dict[str, Path]:
    """The artefact's graphs by file name, those of `parts` written to `folder` in int8, with ranges from reading the passages."""
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


def quantise(graph: Path, target: Path, inputs: Iterable[Inputs]) -> Path:
    """Write `graph` to `target` with its large linear layers in int8, their ranges taken over `inputs`."""
    plain, halved = with_whole_weights(onnx.load(graph))
    with tempfile.TemporaryDirectory() as folder:  # the quantiser leaves files beside what it reads
        whole, written = Path(folder) / "whole.onnx", Path(folder) / "int8.onnx"
        onnx.save(plain, whole)
        quantize_static(
            whole, written, _Feed(inputs),
            quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
            reduce_range=True,  # 7-bit weights: processors without VNNI saturate when they add two products of 8 bits
            nodes_to_quantize=large_products(plain),
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},  # what is added next is fp32
        )  # fmt: skip
        onnx.save(export.store_as_half(onnx.load(written), halved), target)
    return target


def dequantise(graph: Path, target: Path) -> Path:
    """Write what `quantise` made as a graph in fp32 again."""
    model = onnx.load(graph)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    unrounded: dict[str, str] = {}  # what a value was before it was rounded
    kept = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            rounded, scale, zero = (numpy_helper.to_array(constants[name]).astype("float32") for name in node.input)
            constants[node.output[0]] = numpy_helper.from_array((rounded - zero) * scale, node.output[0])  # a scale a column
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            unrounded[node.output[0]] = unrounded.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    given = {unrounded[one.name]: one.name for one in model.graph.output if one.name in unrounded}  # the graph's own names stay
    for names in (names for node in kept for names in (node.input, node.output)):
        plain = [unrounded.get(name, name) for name in names]
        names[:] = [given.get(name, name) for name in plain]
    used = {name for node in kept for name in node.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    onnx.save(export.store_as_half(model), target)
    return target


class _Feed(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, inputs: Iterable[Inputs]) -> None:
        self._inputs: Iterator[Inputs] = iter(inputs)

    def get_next(self) -> Inputs | None:
        return next(self._inputs, None)


def with_whole_weights(model: ModelProto) -> tuple[ModelProto, set[str]]:
    """The graph with its fp16 constants as fp32 ones again, as the quantiser wants them, and their names."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in stored]
    for node in casts:
        tensor = stored[node.input[0]]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), node.output[0]))
        graph.node.remove(node)
    return model, {node.output[0] for node in casts}


def large_products(model: ModelProto) -> list[str]:
    """Names of the products with a constant matrix of LARGE or more either way: linear layers, but for the last ones of the heads."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    return [node.name for node in model.graph.node if node.op_type == "MatMul" and min(shapes.get(node.input[1], [0])) >= LARGE]


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
