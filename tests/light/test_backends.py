from __future__ import annotations

import pickle
import sys

import pytest

from waqia import ArtefactError, ConfigError, Reader
from waqia.model.backends import open_backend


def shapes(readings):
    """Everything but the scores."""
    return [
        [(i.type, i.status, i.trigger, [(p.role, p.sector, p.start, p.end) for p in i.participants]) for i in reading.incidents]
        for reading in readings
    ]


@pytest.mark.parametrize("threads", [1, 2])
def test_neighbours_in_a_batch_and_threads_change_no_label_and_no_offset(passages, reader, readings, threads):
    together = list((reader if threads == 1 else Reader.load(threads=threads)).read_many(passages))
    assert sum(len(reading.incidents) for reading in together) >= len(passages)
    assert shapes(together) == shapes(readings)


@pytest.fixture(scope="module")
def with_openvino():
    pytest.importorskip("openvino")
    return Reader.load(backend="openvino", threads=1)


@pytest.fixture(scope="module")
def one_by_one(with_openvino, passages):
    return [with_openvino.read(text) for text in passages]


@pytest.mark.parametrize("threads", [1, 2])
def test_with_openvino_too_neighbours_and_threads_change_nothing(passages, with_openvino, one_by_one, threads):
    reader = with_openvino if threads == 1 else Reader.load(backend="openvino", threads=threads)
    together = shapes(reader.read_many(passages))
    assert any(together)
    assert together == shapes(one_by_one)


def test_a_pickled_reader_keeps_its_backend(with_openvino):
    copy = pickle.loads(pickle.dumps(with_openvino))
    assert type(copy._model.backend) is type(with_openvino._model.backend)


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="'tensorrt', expected one of onnxruntime, openvino"):
        Reader.load(backend="tensorrt")


def test_a_missing_openvino_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=r"pip install 'waqia\[openvino\]'"):
        Reader.load(backend="openvino")


def test_a_graph_that_openvino_cannot_open_is_named(tmp_path):
    pytest.importorskip("openvino")
    (tmp_path / "encode.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtefactError, match=r"encode\.onnx: OpenVINO cannot open it"):
        open_backend("openvino", tmp_path)
