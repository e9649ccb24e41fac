"""A graph's large linear layers in int8, and back, what `train.quantise` does to each graph; `train.rounding` rounds the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from train.graphs import store_as_half
from train.rounding import Floats, Given, Rounded, best_range, evened, round_weights, step

LARGE = 128  # rows and columns from which a matrix is worth it
EVENED = "_evened"  # after the name of a value whose features were divided
Inputs = Mapping[str, Any]
Products = Mapping[str, Sequence[NodeProto]]  # by the name of what they are given


def quantise(graph: Path, target: Path, inputs: Iterable[Inputs]) -> Path:
    """Write `graph` to `target` with its large linear layers in int8, rounded so that over `inputs` their results change little.

    Only products are given rounded numbers: residual sums go on with the whole ones.
    """
    model, halved = with_whole_weights(onnx.load(graph))
    products = large_products(model)
    seen = see(model, products, inputs)
    before = {theirs[0].name: _quantise_products(model.graph, name, theirs, seen[name]) for name, theirs in products.items()}
    nodes = [one for node in model.graph.node for one in (*before.get(node.name, ()), node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(store_as_half(model, halved), target)
    return target


def see(model: ModelProto, products: Products, inputs: Iterable[Inputs]) -> dict[str, Given]:
    """What the products are given while the graph reads `inputs`."""
    if not products:
        return {}  # a session that is asked for nothing answers with all it has
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in products)
    session = InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = {name: Given() for name in products}
    for one in inputs:
        for name, values in zip(products, session.run(list(products), one), strict=True):
            seen[name].add(values)
    return seen


def _quantise_products(graph: GraphProto, name: str, products: Sequence[NodeProto], given: Given) -> list[NodeProto]:
    """Let the products that are given the value `name` multiply in int8; the nodes that come before the first of them."""
    matrices = [next(tensor for tensor in graph.initializer if tensor.name == node.input[1]) for node in products]
    weights = np.concatenate([numpy_helper.to_array(matrix) for matrix in matrices], axis=1)
    before = []
    by = None if _is_evened(graph, name) else evened(given, weights)
    if by is not None:
        graph.initializer.append(numpy_helper.from_array(1 / by, f"{name}_even"))
        before.append(helper.make_node("Mul", [name, f"{name}_even"], [name + EVENED], name + EVENED))
        name, given, weights = name + EVENED, given.divided(by), weights * by[:, None]
    scale, zero = step(*best_range(given, weights)[:2])
    range_of = [_constant(graph, f"{name}_scale", scale), _constant(graph, f"{name}_zero_point", zero)]
    before.append(helper.make_node("QuantizeLinear", [name, *range_of], [f"{name}_quantized"], f"{name}_quantize"))
    before.append(helper.make_node("DequantizeLinear", [f"{name}_quantized", *range_of], [f"{name}_rounded"], f"{name}_dequantize"))
    widths = np.cumsum([matrix.dims[1] for matrix in matrices])[:-1]
    for node, matrix, part in zip(products, matrices, np.split(weights, widths, axis=1), strict=True):
        graph.initializer.remove(matrix)
        before.append(_in_int8(graph, node.input[1], *round_weights(part, given)))
        node.input[0] = f"{name}_rounded"
    return before


def _in_int8(graph: GraphProto, name: str, rounded: Rounded, scale: Floats) -> NodeProto:
    """Store a matrix in int8; the node that gives it under its old name."""
    kinds = {"quantized": rounded, "scale": scale, "zero_point": np.zeros(len(scale), np.int8)}
    stored = [_constant(graph, f"{name}_{kind}", values) for kind, values in kinds.items()]
    return helper.make_node("DequantizeLinear", stored, [name], f"{name}_dequantize", axis=1)


def _constant(graph: GraphProto, name: str, values: Any) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def _is_evened(graph: GraphProto, name: str) -> bool:
    """Whether a value is one whose features an earlier quantisation has evened."""
    return name.endswith(EVENED) and any(node.op_type == "Mul" and name in node.output for node in graph.node)


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


def large_products(model: ModelProto) -> dict[str, list[NodeProto]]:
    """Products with a constant matrix of LARGE or more either way: linear layers, but for the last ones of the heads."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    found: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and min(shapes.get(node.input[1], [0])) >= LARGE:
            found.setdefault(node.input[0], []).append(node)
    return found
