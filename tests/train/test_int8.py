from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from train.graphs import store_as_half
from train.int8 import dequantise, quantise

WIDTH = 128
DRAW = np.random.default_rng(0)
ROWS = DRAW.normal(size=(64, 4, WIDTH)).astype(np.float32)
LARGE = np.ones(WIDTH, np.float32)
LARGE[7] = 60.0  # one feature is far larger


def product(left, right, out):
    return helper.make_node("MatMul", [left, right], [out], out)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Two products of what goes in, one of both with a residual sum, and a small one."""
    shapes = {"one": (WIDTH, WIDTH), "two": (WIDTH, WIDTH), "three": (WIDTH, WIDTH), "last": (WIDTH, 3)}
    matrices = [numpy_helper.from_array(DRAW.normal(0, 0.1, shape).astype(np.float16).astype(np.float32), n) for n, shape in shapes.items()]
    nodes = [
        product("given", "one", "a"), product("given", "two", "b"), helper.make_node("Add", ["a", "b"], ["sum"], "sum"),
        product("sum", "three", "c"), helper.make_node("Add", ["c", "given"], ["after"], "after"), product("after", "last", "said"),
    ]  # fmt: skip
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4, width]) for name, width in (("given", WIDTH), ("said", 3))]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], matrices)
    path = tmp_path_factory.mktemp("plain") / "tiny.onnx"
    onnx.save(store_as_half(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)), path)
    return path


def in_int8(plain, folder, rows=ROWS):
    return quantise(plain, folder / "int8.onnx", ({"given": one} for one in np.split(rows, 8)))


def read(path, rows):
    return InferenceSession(path, providers=["CPUExecutionProvider"]).run(["said"], {"given": rows})[0]


def nodes_of(path):
    return onnx.load(path).graph.node


def stored(path):
    """The int8 matrices by name as the numbers that they stand for."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    kept = [name.removesuffix("_quantized") for name, values in constants.items() if values.dtype == np.int8 and values.ndim == 2]
    return {name: constants[f"{name}_quantized"] * constants[f"{name}_scale"] for name in kept}


def test_products_of_one_value_round_it_once_and_small_ones_stay(plain, tmp_path):
    path = in_int8(plain, tmp_path)
    assert stored(path).keys() == {"one", "two", "three"}
    assert [node.input[0] for node in nodes_of(path) if node.op_type == "QuantizeLinear"] == ["given", "sum"]


def test_residual_sums_go_on_with_whole_numbers(plain, tmp_path):
    rounded = {"given_rounded", "sum_rounded"}
    nodes = nodes_of(in_int8(plain, tmp_path))
    assert {node.name for node in nodes if rounded & set(node.input)} == {"a", "b", "c"}


@pytest.mark.parametrize(("by", "multiplied", "most"), [(np.ones(WIDTH, np.float32), [], 0.025), (LARGE, ["given"], 0.06)])
def test_what_is_read_changes_little(plain, tmp_path, by, multiplied, most):
    path = in_int8(plain, tmp_path, ROWS * by)
    assert [node.input[0] for node in nodes_of(path) if node.op_type == "Mul"] == multiplied
    before, after = (read(one, ROWS * by) for one in (plain, path))
    assert np.sqrt(np.square(after - before).mean()) < most * before.std()


@pytest.mark.parametrize("by", [np.ones(WIDTH, np.float32), LARGE], ids=["even", "one large"])
def test_back_in_fp32_it_rounds_nothing_and_quantised_anew_its_weights_stay(plain, tmp_path, by):
    path = in_int8(plain, tmp_path, ROWS * by)
    back = dequantise(path, tmp_path / "back.onnx")
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in nodes_of(back)}
    again = quantise(back, tmp_path / "again.onnx", [{"given": ROWS * by}])
    for name, values in stored(path).items():
        np.testing.assert_allclose(stored(again)[name], values, rtol=2e-3, atol=1e-6)  # fp16 between the two


def test_a_graph_without_large_products_stays_as_it_is(tmp_path):
    nodes = [product("given", "last", "said")]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4, width]) for name, width in (("given", WIDTH), ("said", 3))]
    small = numpy_helper.from_array(DRAW.normal(size=(WIDTH, 3)).astype(np.float32), "last")
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], [small])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "tiny.onnx")
    assert np.array_equal(read(in_int8(tmp_path / "tiny.onnx", tmp_path), ROWS[:2]), read(tmp_path / "tiny.onnx", ROWS[:2]))
