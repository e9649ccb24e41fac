from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from tests.light.test_backends import shapes
from train import quantise
from train.quantise import as_artefact, compare, quantise_parts, refuse, write
from waqia import Reader
from waqia.errors import GateError
from waqia.model import artefact
from waqia.model.backends import GRAPHS
from waqia.records import read_records

SCORES = 1e-4  # what scores may differ by between ONNX Runtime and OpenVINO


@pytest.fixture(scope="module")
def dev(root, labels):
    return list(read_records(root / "data/dev.jsonl", labels))[:40]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The shipped artefact in fp32."""
    return as_artefact(artefact.DEFAULT, tmp_path_factory.mktemp("plain") / "artefact")


@pytest.fixture(scope="module")
def int8(plain, dev, tmp_path_factory):
    """And quantised anew."""
    folder = tmp_path_factory.mktemp("int8")
    write(plain, "again-int8", quantise_parts(plain, [record.text for record in dev], quantise.PARTS, folder), folder / "artefact")
    return folder / "artefact"


def types_of(path):
    """Operators of a graph with how many tensors of each number type it stores."""
    graph = onnx.load(path).graph
    large = [tensor for tensor in graph.initializer if np.prod(tensor.dims) > 1e5]
    return {node.op_type for node in graph.node}, [onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in large]


def test_layers_are_int8_and_embeddings_stay_as_they_were(int8):
    operators, stored = types_of(int8 / "encode.onnx")
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert stored.count("INT8") == 6 * 6  # six products in each of six layers
    assert stored.count("FLOAT16") == 2  # words and positions
    assert "FLOAT" not in stored


def test_an_int8_artefact_is_smaller_and_says_what_model_it_is(plain, int8):
    assert (int8 / "encode.onnx").stat().st_size < 0.75 * (plain.folder / "encode.onnx").stat().st_size
    assert Reader.load(int8, threads=1).model == "again-int8"


def test_an_int8_artefact_becomes_the_fp32_one_that_it_stands_for(plain, int8):
    assert plain.model == "waqia-mini"
    for name in GRAPHS:
        assert not {"QuantizeLinear", "DequantizeLinear"} & types_of(plain.folder / name)[0]
        first, again = (types_of(folder / name) for folder in (artefact.DEFAULT, int8))
        assert first == again


def test_of_an_artefact_in_fp32_nothing_is_made(plain, tmp_path):
    assert as_artefact(plain.folder, tmp_path / "out").folder == plain.folder
    assert not (tmp_path / "out").exists()


def test_neighbours_in_a_batch_change_nothing_in_int8(int8, dev):
    reader = Reader.load(int8, threads=1)
    texts = [record.text for record in dev]
    together = shapes(reader.read_many(texts))
    assert any(together)
    assert together == shapes(reader.read(text) for text in texts)


def test_both_artefacts_are_scored(plain, int8, dev):
    figures = compare(plain.folder, int8, dev, "onnxruntime")
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


@pytest.fixture(scope="module")
def one_by_one(plain, passages):
    """What ONNX Runtime reads in fp32, text by text."""
    alone = Reader.load(plain.folder, threads=1)
    return [alone.read(text) for text in passages]


@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_reads_as_onnx_runtime_does_in_fp32(plain, passages, one_by_one, threads):
    pytest.importorskip("openvino")
    together = list(Reader.load(plain.folder, backend="openvino", threads=threads).read_many(passages))
    assert any(shapes(together))
    assert shapes(together) == shapes(one_by_one)
    for a, b in zip(one_by_one, together, strict=True):
        assert a.types == pytest.approx(b.types, abs=SCORES)
        assert [i.score for i in a.incidents] == pytest.approx([i.score for i in b.incidents], abs=SCORES)
