from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from tests.base.test_backends import shapes
from train import quantise
from train.quantise import compare, quantise_parts, refuse, write
from waqia import Reader, artefact
from waqia.errors import GateError
from waqia.schema import read_records


@pytest.fixture(scope="module")
def dev(root, labels):
    return list(read_records(root / "data/dev.jsonl", labels))[:16]


@pytest.fixture(scope="module")
def int8(dev, tmp_path_factory):
    """The shipped artefact in int8."""
    folder, plain = tmp_path_factory.mktemp("int8"), artefact.load()
    write(plain, quantise_parts(plain, [record.text for record in dev], quantise.PARTS, folder), folder / "artefact")
    return folder / "artefact"


def types_of(path):
    """Operators of a graph with how many tensors of each number type it stores."""
    graph = onnx.load(path).graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) > 1e5]
    return {node.op_type for node in graph.node}, [onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in large]


def test_layers_are_int8_and_embeddings_stay_as_they_were(int8):
    operators, stored = types_of(int8 / "encode.onnx")
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert stored.count("INT8") == 2 * 4  # two wide products in each of four layers
    assert stored.count("FLOAT16") == 2  # words and positions
    assert "FLOAT" not in stored


def test_an_int8_artefact_is_smaller_and_says_that_it_is_another_model(int8):
    assert (int8 / "encode.onnx").stat().st_size < (artefact.DEFAULT / "encode.onnx").stat().st_size
    assert Reader.load(int8, threads=1).model == "waqia-mini-int8"


def test_neighbours_in_a_batch_change_nothing_in_int8(int8, dev):
    reader = Reader.load(int8, threads=1)
    texts = [record.text for record in dev]
    together = shapes(reader.read_many(texts))
    assert any(together)
    assert together == shapes(reader.read(text) for text in texts)


def test_both_artefacts_are_scored(int8, dev):
    figures = compare(artefact.DEFAULT, int8, dev, "onnxruntime")
    assert figures.keys() == set(quantise.GATED)
    assert all(0 < value < 1 for pair in figures.values() for value in pair.values())


def figures_of(before, after):
    return {"onnxruntime": {"incidents F1": {"fp32": before, "int8": after}}}


@pytest.mark.parametrize("after", [0.49, 0.5, 0.6])
def test_a_drop_of_a_point_passes_the_gate(tmp_path, after):
    refuse(figures_of(0.5, after), tmp_path)


@pytest.mark.parametrize("after", [0.4899, 0.1, None])
def test_a_larger_drop_is_refused_with_the_figure_and_exit_code_5(tmp_path, after):
    with pytest.raises(GateError, match=r"incidents F1 (drops from 0\.5000 to 0\.|has nothing to score).*--parts encoder") as refused:
        refuse(figures_of(0.5, after), tmp_path)
    assert refused.value.exit_code == 5


def lines_of(path, target, count):
    target.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:count]), "utf-8")
    return str(target)


def test_the_command_writes_the_figures_into_the_manifest(root, tmp_path, monkeypatch):
    monkeypatch.setattr(quantise, "DROP", 1.0)  # of a dozen passages one is more than a point
    dev, test = (lines_of(root / f"data/{name}.jsonl", tmp_path / f"{name}.jsonl", 12) for name in ("dev", "test"))
    quantise.main([str(artefact.DEFAULT), str(tmp_path / "out"), "--calibrate", dev, "--gate", test, "--parts", "encoder"])
    card = json.loads((tmp_path / "out/manifest.json").read_text("utf-8"))["card"]["int8"]
    assert (card["parts"], card["calibrated_on"], card["passages"], card["gate"]) == (["encoder"], dev, 12, test)
    assert set(card["figures"]["onnxruntime"]["actors F1"]) == {"fp32", "int8"}
    assert Reader.load(tmp_path / "out").read("قصف مدفعي على حلب").error is None


def test_a_refused_artefact_is_not_written(root, tmp_path, monkeypatch):
    monkeypatch.setattr(quantise, "DROP", -1.0)
    dev = lines_of(root / "data/dev.jsonl", tmp_path / "dev.jsonl", 4)
    with pytest.raises(GateError, match="not written"):
        quantise.main([str(artefact.DEFAULT), str(tmp_path / "out"), "--calibrate", dev, "--gate", dev, "--parts", "encoder"])
    assert not (tmp_path / "out").exists()
