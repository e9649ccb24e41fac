"""What the runtimes are asked for and given, and what the built-in sentence is asked, with arrays in place of graphs."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from waqia.errors import ArtefactError, ConfigError
from waqia.model import artefact, backends, probe
from waqia.model.backends import GRAPHS, OnnxBackend, OpenVinoBackend, encode_inputs, open_backend, participants_inputs
from waqia.model.calibration import Calibration
from waqia.model.tensors import Batch, Encoded, Pairs, Participants, Triggers

BYTES = {name: name.encode() for name in GRAPHS}
BATCH = Batch(*(np.full((1, 2), n, np.int64) for n in range(4)))
PAIRS = Pairs(*(np.full((1, 2), n, np.float32) for n in range(5)))
TRIGGERS = Triggers(np.array([3]), np.array([5]), np.array([7]))
STATES, MASK = np.ones((1, 2, 4), np.float32), np.ones((1, 2), np.int64)


def test_the_graphs_are_given_the_first_and_the_last_word_of_each_trigger():
    start, stop, type_ = np.array([0, 4]), np.array([1, 7]), np.array([2, 0])
    inputs = participants_inputs(np.zeros((2, 7, 1), np.float32), np.ones((2, 7), np.int64), Triggers(start, stop, type_))
    assert {name: inputs[name].tolist() for name in inputs if name.startswith("trigger_")} == {
        "trigger_first": [0, 4],
        "trigger_last": [0, 6],
        "trigger_type": [2, 0],
    }


def test_the_encoder_is_given_every_array_of_a_batch_by_name():
    assert {name: int(array[0, 0]) for name, array in encode_inputs(BATCH).items()} == {
        "input_ids": 0,
        "attention_mask": 1,
        "word_starts": 2,
        "word_ends": 3,
    }


def test_the_participants_graph_is_given_first_and_last_words():
    inputs = participants_inputs(STATES, MASK, TRIGGERS)
    assert inputs["word_states"] is STATES
    assert inputs["word_mask"] is MASK
    assert {name: array.tolist() for name, array in inputs.items() if name.startswith("trigger")} == {
        "trigger_first": [3],
        "trigger_last": [4],
        "trigger_type": [7],
    }


class Graph:
    """A session of ONNX Runtime, or a request of OpenVINO: the place of an output among those that it gives is what it says."""

    def __init__(self, *given, outputs=(), **named):
        self.given, self.named, self.inputs, self.outputs = given, named, [], outputs

    def run(self, outputs, inputs):
        self.inputs.append(inputs)
        return [np.array([place]) for place, _ in enumerate(outputs)]

    def infer(self, inputs):
        self.inputs.append(inputs)
        return {name: np.array([place]) for place, name in enumerate(self.outputs)}


def speaks(backend, graphs):
    """Ask a backend all that it can be asked, and see which graph was given what."""
    said = backend.encode(BATCH)
    assert isinstance(said, Encoded)
    assert [int(said.type_logits[0]), int(said.trigger_logits[0]), int(said.inside_logits[0]), int(said.word_states[0])] == [0, 1, 2, 3]
    parts = backend.participants(STATES, MASK, TRIGGERS)
    assert isinstance(parts, Participants)
    assert [int(parts.role_logits[0]), int(parts.status_logits[0]), int(parts.sector_logits[0])] == [0, 1, 2]
    assert backend.merge(PAIRS).tolist() == [0]
    (encode,), (participants,), (merge,) = (graph.inputs for graph in graphs)
    assert encode.keys() == encode_inputs(BATCH).keys()
    assert participants.keys() == participants_inputs(STATES, MASK, TRIGGERS).keys()
    assert merge == PAIRS._asdict()


def onnx(monkeypatch, session):
    """ONNX Runtime replaced; the options that sessions are opened with."""
    options = SimpleNamespace(entries={})
    options.add_session_config_entry = options.entries.__setitem__
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(SessionOptions=lambda: options, InferenceSession=session))
    return options


@pytest.mark.parametrize(("threads", "asked"), [(None, 0), (3, 3)])
def test_onnx_runtime_opens_graphs_on_the_cpu_without_spinning_threads_and_kept_memory(monkeypatch, threads, asked):
    opened = []

    def session(*given, **named):
        opened.append(Graph(*given, **named))
        return opened[-1]

    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    options = onnx(monkeypatch, session)
    backend = open_backend("onnxruntime", BYTES, threads)
    assert type(backend) is OnnxBackend
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (asked, 1)
    assert (options.log_severity_level, options.enable_cpu_mem_arena) == (3, False)
    assert options.entries == {"session.intra_op.allow_spinning": "0"}
    assert [one.given for one in opened] == [(BYTES[name], options, ["CPUExecutionProvider"]) for name in GRAPHS]
    assert [one.named for one in opened] == [{"disabled_optimizers": ["SkipLayerNormFusion"]}] * 3
    speaks(backend, opened)


def test_a_users_own_word_on_telemetry_holds(monkeypatch):
    onnx(monkeypatch, Graph)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    open_backend("onnxruntime", BYTES)
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def refuse(*_, **__):
    raise RuntimeError("no graph")


def openvino(monkeypatch, read=None):
    """OpenVINO replaced: the settings of each compiled graph, the outputs added to it, and its request."""
    seen = []
    outputs = iter([("type_logits", "trigger_logits", "inside_logits", "word_states"), ("role_logits", "status_logits", "sector_logits")])

    def op(kind):
        return SimpleNamespace(get_type_name=lambda: kind, output=lambda number: (kind, number))

    def read_model(source):
        graph = SimpleNamespace(source=source, added=[], get_ops=lambda: [op("Add"), op("ReduceSum")])
        graph.add_outputs = graph.added.extend
        return graph

    def compile_model(graph, device, settings):
        request = Graph(outputs=next(outputs, ("same_logits",)))
        seen.append((graph.source, graph.added, device, settings, request))
        return SimpleNamespace(create_infer_request=lambda: request)

    core = SimpleNamespace(read_model=read or read_model, compile_model=compile_model)
    monkeypatch.setitem(sys.modules, "openvino", SimpleNamespace(Core=lambda: core))
    return seen


@pytest.mark.parametrize(("threads", "asked"), [(None, {}), (3, {"INFERENCE_NUM_THREADS": 3})])
def test_openvino_computes_in_fp32_on_threads_that_are_bound_to_no_core(monkeypatch, threads, asked):
    seen = openvino(monkeypatch)
    backend = open_backend("openvino", BYTES, threads)
    assert type(backend) is OpenVinoBackend
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    assert [row[:4] for row in seen] == [(BYTES[name], [("ReduceSum", 0)], "CPU", settings | asked) for name in GRAPHS]
    speaks(backend, [row[4] for row in seen])


def test_openvino_gives_copies(monkeypatch):
    seen = openvino(monkeypatch)
    backend = open_backend("openvino", BYTES)
    same = np.zeros(1)
    seen[2][4].infer = lambda inputs: {"same_logits": same}
    assert backend.merge(PAIRS) is not same


@pytest.mark.parametrize("graphs", [BYTES, Path("folder")])
def test_a_graph_that_a_runtime_refuses_is_named(monkeypatch, graphs):
    onnx(monkeypatch, refuse)
    openvino(monkeypatch, read=refuse)
    where = "encode.onnx" if graphs is BYTES else "folder/encode.onnx"
    for name, said in (("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO")):
        with pytest.raises(ArtefactError) as found:
            open_backend(name, graphs)
        assert str(found.value) == f"{where}: {said} cannot open it (no graph); export the artefact again"


def test_graphs_of_a_folder_are_opened_by_their_path(monkeypatch):
    seen = openvino(monkeypatch)
    open_backend("openvino", Path("folder"))
    assert [row[0] for row in seen] == [f"folder/{name}" for name in GRAPHS]


def test_an_unknown_runtime_and_one_that_is_not_installed_say_what_to_do(monkeypatch):
    with pytest.raises(ConfigError) as found:
        open_backend("tensorrt", BYTES)
    assert str(found.value) == "backend is 'tensorrt', expected one of onnxruntime, openvino"
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        ConfigError, match=r"^backend 'openvino' cannot be used \(.*\); pip install 'waqia\[openvino\]', or take 'onnxruntime'$"
    ):
        open_backend("openvino", BYTES)


def test_openvino_is_imported_as_if_its_telemetry_were_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("openvino", "openvino_telemetry"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with backends._without_openvino_telemetry():
        assert sys.modules["openvino_telemetry"] is None
    assert "openvino_telemetry" not in sys.modules
    monkeypatch.setitem(sys.modules, "openvino", SimpleNamespace())
    with backends._without_openvino_telemetry():
        assert "openvino_telemetry" not in sys.modules
    monkeypatch.delitem(sys.modules, "openvino")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", "imported before")
    with backends._without_openvino_telemetry():
        assert sys.modules["openvino_telemetry"] == "imported before"
    monkeypatch.delitem(sys.modules, "openvino_telemetry")
    (tmp_path / "intel").mkdir()
    (tmp_path / "intel" / "openvino_telemetry").write_text("1")  # a user's own answer
    with backends._without_openvino_telemetry():
        assert "openvino_telemetry" not in sys.modules


class Said:
    """A backend that says what a test wants, and keeps what it was asked."""

    def __init__(self, labels):
        self.types, self.statuses, self.roles, self.sectors = (
            len(names) for names in (labels.incident_types, labels.statuses, labels.roles, labels.sectors)
        )

    def encode(self, batch):
        self.batch, words = batch, batch.word_starts.shape[1]
        triggers = np.zeros((1, words, 1 + self.types), np.float32)
        triggers[0, probe.TRIGGER, 2], triggers[0, -1, 1] = 4, 2
        states = np.arange(words * 2, dtype=np.float32).reshape(1, words, 2)
        types = np.arange(self.types, dtype=np.float32)[None] / 10
        return Encoded(types, triggers, np.zeros((1, words)), states)

    def participants(self, states, mask, triggers):
        self.states, self.mask, self.triggers = states, mask, triggers
        words = states.shape[1]
        roles = np.full((1, words, words, self.roles), -3, np.float32)
        roles[0, 2, 1, 0] = 2
        sectors = np.zeros((1, words, self.sectors), np.float32)
        sectors[0, 3, 1] = 5
        return Participants(roles, np.array([[0, 1] + [0] * (self.statuses - 2)], np.float32), sectors)

    def merge(self, pairs):
        self.pairs = pairs
        return np.array([1.0], np.float32)


@pytest.fixture
def asked(labels):
    """A backend, and what the built-in sentence gives with temperatures of 2, 4, 5 and 10."""
    shipped = artefact.load()
    said = Said(labels)
    calibration = replace(Calibration.plain(labels), type_temperature=2, trigger_temperature=4, role_temperature=5, merge_temperature=10)
    return said, probe.ask(said, shipped.tokenizer, labels, shipped.windows, calibration)


def test_the_built_in_sentence_asks_for_the_air_strike_and_pairs_it_with_the_last_word(asked):
    said, _ = asked
    assert probe.SENTENCE.split()[6] == "غارة"
    words = said.batch.word_starts.shape[1]
    assert said.batch.input_ids.shape[0] == 1
    assert [array.tolist() for array in said.triggers] == [[6], [7], [0]]
    assert said.mask.tolist() == [[1] * words]
    assert said.states.shape == (1, words, 2)
    assert said.pairs.first_states.tolist() == [[12.0, 13.0]]
    assert said.pairs.second_states.tolist() == [[2.0 * words - 2, 2.0 * words - 1]]
    assert said.pairs.features.tolist() == [[1.0, 1.0, 1.0]]
    assert said.pairs.first_types[0, 1] == pytest.approx(np.exp(4) / (np.exp(4) + said.types - 1))
    assert said.pairs.second_types[0, 0] == pytest.approx(np.exp(2) / (np.exp(2) + said.types - 1))


def test_the_built_in_sentence_gives_probabilities_by_label(asked, labels):
    said, answers = asked

    def sigmoid(x):
        return round(float(1 / (1 + np.exp(-x))), 4)

    assert list(answers) == ["merging", "types", "trigger", "statuses", "roles", "sectors"]
    assert answers["merging"] == {"same": sigmoid(0.1)}
    assert answers["types"] == {name: sigmoid(n / 20) for n, name in enumerate(labels.incident_types)}
    assert list(answers["trigger"].values())[:2] == pytest.approx([1 / (np.e + said.types), np.e / (np.e + said.types)], abs=1e-4)
    assert list(answers["statuses"].values())[1] == pytest.approx(np.e / (np.e + said.statuses - 1), abs=1e-4)
    assert list(answers["roles"].values())[:2] == [sigmoid(0.4), sigmoid(-0.6)]
    assert list(answers["sectors"].values())[1] == pytest.approx(np.exp(5) / (np.exp(5) + said.sectors - 1), abs=1e-4)
    assert min(answers["sectors"].values()) == pytest.approx(1 / said.sectors, abs=1e-4)
    for head, names in (("statuses", labels.statuses), ("roles", labels.roles), ("sectors", labels.sectors)):
        assert list(answers[head]) == list(names)


@pytest.mark.parametrize("head", ["types", "statuses", "roles", "sectors"])
def test_the_head_that_gives_another_number_than_there_are_labels_is_named(labels, head):
    shipped, said = artefact.load(), Said(labels)
    setattr(said, head, getattr(said, head) + 1)
    with pytest.raises(ArtefactError, match=f"^the graphs give {getattr(said, head)} numbers for {head}, labels.json has"):
        probe.ask(said, shipped.tokenizer, labels, shipped.windows, Calibration.plain(labels))


def test_merging_gives_one_number(labels):
    shipped, said = artefact.load(), Said(labels)
    said.merge = lambda pairs: np.zeros(2, np.float32)
    with pytest.raises(ArtefactError, match=r"^the graphs give 2 numbers for merging, labels\.json has 1 labels$"):
        probe.ask(said, shipped.tokenizer, labels, shipped.windows, Calibration.plain(labels))


def test_answers_under_other_labels_or_too_far_off_are_told():
    with pytest.raises(ArtefactError) as found:
        probe.compare({"types": {"a": 0.5, "b": 0.5}}, {"types": {"a": 0.5, "c": 0.5}})
    assert str(found.value) == "types of the built-in sentence name other labels: ['b', 'c']"
    with pytest.raises(ArtefactError) as found:
        probe.compare({}, {"types": {"a": 0.5}})
    assert str(found.value) == "types of the built-in sentence name other labels: ['a']"
    with pytest.raises(ArtefactError) as found:
        probe.compare({"types": {"a": 0.5}}, {"types": {"a": 0.75}})
    told = "the built-in sentence is read otherwise than by the artefact that was written: types a 0.75, expected 0.5"
    assert str(found.value) == told


def test_more_numbers_than_labels_are_told():
    with pytest.raises(ArtefactError) as found:
        probe._named("types", ["a", "b"], np.zeros(3))
    assert str(found.value) == "the graphs give 3 numbers for types, labels.json has 2 labels"
    assert probe._named("types", ["a", "b"], np.array([0.12345, 1])) == {"a": 0.1235, "b": 1.0}
