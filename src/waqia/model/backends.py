"""Backends: what runs an artefact's graphs on the CPU, ONNX Runtime or OpenVINO; both read the same files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from waqia.errors import ArtefactError, ConfigError
from waqia.model.tensors import Backend, Batch, Encoded, Floats, Pairs, Participants, Triggers, ends
from waqia.model.windows import Ints

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BACKENDS = ("onnxruntime", "openvino")
MOST_THREADS = 256  # a runtime asked for far more never answers
GRAPHS = ("encode.onnx", "participants.onnx", "merge.onnx")
MERGED = "same_logits"  # what merge.onnx gives
SLOW = ["SkipLayerNormFusion"]  # ONNX Runtime's fused kernel takes five times as long as the Add and the LayerNormalization it replaces


def open_backend(name: str, graphs: Path | Mapping[str, bytes], threads: int | None = None) -> Backend:
    """Open an artefact's graphs, from its folder or from their bytes by name; `threads` None leaves the number to the runtime.

    ConfigError where the backend is unknown or not installed, ArtefactError where it refuses a graph.
    """
    if name not in BACKENDS:
        raise ConfigError(f"backend is {name!r}, expected one of {', '.join(BACKENDS)}")
    return OpenVinoBackend.open(graphs, threads) if name == "openvino" else OnnxBackend.open(graphs, threads)


class OnnxBackend:
    """ONNX Runtime."""

    def __init__(self, encode: InferenceSession, participants: InferenceSession, merge: InferenceSession) -> None:
        self._encode, self._participants, self._merge = encode, participants, merge

    @classmethod
    def open(cls, graphs: Path | Mapping[str, bytes], threads: int | None = None) -> OnnxBackend:
        """Open the graphs; ArtefactError if ONNX Runtime refuses them."""
        # From 1.32 on it writes a device id and reports usage, unless this stands before the first import; a user's own choice holds.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime  # takes a moment, and nothing but reading needs it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # as fast, and what a long batch took is given back
        # Threads that wait must not spin: beside other busy processes that costs more than it brings.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        sessions = []
        for name in GRAPHS:
            try:
                one = onnxruntime.InferenceSession(_source(graphs, name), options, ["CPUExecutionProvider"], disabled_optimizers=SLOW)
                sessions.append(one)
            except Exception as error:  # ONNX Runtime's own errors share no base of use
                raise ArtefactError(f"{_where(graphs, name)}: ONNX Runtime cannot open it ({error}); export the artefact again") from error
        return cls(*sessions)

    def encode(self, batch: Batch) -> Encoded:
        """One pass of the encoder and its heads."""
        return Encoded(*self._encode.run(list(Encoded.__dataclass_fields__), encode_inputs(batch)))

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Roles, status and sectors of N triggers."""
        inputs = participants_inputs(word_states, word_mask, triggers)
        return Participants(*self._participants.run(list(Participants.__dataclass_fields__), inputs))

    def merge(self, pairs: Pairs) -> Floats:
        """Logits that two mentions tell the same happening."""
        return np.asarray(self._merge.run([MERGED], pairs._asdict())[0])


class OpenVinoBackend:
    """OpenVINO, computing in fp32 (or the graph's int8) even where the processor has bf16: results stay those of ONNX Runtime."""

    def __init__(self, encode: Any, participants: Any, merge: Any) -> None:
        self._encode, self._participants, self._merge = encode, participants, merge  # openvino.InferRequest each
        self._lock = Lock()  # a request serves one thread at a time

    @classmethod
    def open(cls, graphs: Path | Mapping[str, bytes], threads: int | None = None) -> OpenVinoBackend:
        """Open the graphs; ConfigError where OpenVINO is not installed, ArtefactError if it refuses them."""
        try:
            with _without_openvino_telemetry():
                import openvino
        except ImportError as error:
            raise ConfigError(
                f"backend 'openvino' cannot be used ({error}); pip install 'waqia[openvino]', or take 'onnxruntime'"
            ) from error

        core, requests = openvino.Core(), []
        # Threads bound to cores would all crowd on the same ones when several processes read.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        for name in GRAPHS:
            try:
                graph = core.read_model(_source(graphs, name))
                # OpenVINO adds a bias wrongly to a sum of several rows (openvino issue 23616, still in 2026.4) unless the sum is an output.
                graph.add_outputs([node.output(0) for node in graph.get_ops() if node.get_type_name() == "ReduceSum"])
                requests.append(core.compile_model(graph, "CPU", settings).create_infer_request())
            except Exception as error:  # OpenVINO raises RuntimeError for everything
                raise ArtefactError(f"{_where(graphs, name)}: OpenVINO cannot open it ({error}); export the artefact again") from error
        return cls(*requests)

    def encode(self, batch: Batch) -> Encoded:
        """One pass of the encoder and its heads."""
        return Encoded(*self._run(self._encode, encode_inputs(batch), list(Encoded.__dataclass_fields__)))

    def participants(self, word_states: Floats, word_mask: Ints, triggers: Triggers) -> Participants:
        """Roles, status and sectors of N triggers."""
        inputs = participants_inputs(word_states, word_mask, triggers)
        return Participants(*self._run(self._participants, inputs, list(Participants.__dataclass_fields__)))

    def merge(self, pairs: Pairs) -> Floats:
        """Logits that two mentions tell the same happening."""
        return self._run(self._merge, pairs._asdict(), [MERGED])[0]

    def _run(self, request: Any, inputs: dict[str, Any], outputs: list[str]) -> list[Floats]:
        with self._lock:
            said = request.infer(inputs)
        return [np.array(said[name]) for name in outputs]  # a copy: the request gives its memory to the next call


def _source(graphs: Path | Mapping[str, bytes], name: str) -> str | bytes:
    """What both runtimes open: a path, or the graph itself."""
    return str(graphs / name) if isinstance(graphs, Path) else graphs[name]


def _where(graphs: Path | Mapping[str, bytes], name: str) -> str:
    return str(graphs / name) if isinstance(graphs, Path) else name


@contextmanager
def _without_openvino_telemetry() -> Iterator[None]:
    """Import OpenVINO as if its telemetry package were not installed: it has its own stand-in for that case, and no other switch.

    A user's own answer, the file that `opt_in_out` of that package writes, holds; so does what was imported before.
    """
    name = "openvino_telemetry"
    if name in sys.modules or "openvino" in sys.modules or (Path.home() / "intel" / name).exists():
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(name, None)


def encode_inputs(batch: Batch) -> dict[str, Any]:
    """What encode.onnx takes, by name."""
    return {name: getattr(batch, name) for name in Batch.__dataclass_fields__}


def participants_inputs(word_states: Floats, word_mask: Ints, triggers: Triggers) -> dict[str, Any]:
    """What participants.onnx takes, by name."""
    first, last = ends(triggers.start, triggers.stop)
    words = {"word_states": word_states, "word_mask": word_mask}
    return words | {"trigger_first": first, "trigger_last": last, "trigger_type": triggers.type}
