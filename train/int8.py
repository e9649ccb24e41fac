"""A graph's large linear layers in int8, and back: what `train.quantise` does to each graph."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from train.graphs import store_as_half

LARGE = 128  # rows and columns from which a matrix is worth it
Inputs = Mapping[str, Any]


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
        onnx.save(store_as_half(onnx.load(written), halved), target)
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
    onnx.save(store_as_half(model), target)
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
