"""One engine measured in a process of its own, for `eval.speed`: python -m eval.speed.worker FOLDER ENGINE --started TIME

Prints one line of JSON. Nothing but the engine's own imports may be loaded here, since peak memory and cold start are measured too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from waqia.arguments import Parser

Answer = Any  # what an engine says of one passage, to be compared only


@dataclass(frozen=True, slots=True)
class Engine:
    """Reads many passages as fast as it can, and one as soon as it can."""

    many: Callable[[Sequence[str]], list[Answer]]
    one: Callable[[str], Answer]


class UnsupportedError(Exception):
    """The engine cannot run here."""


def open_engine(name: str, folder: Path, threads: int) -> Engine:
    """The engine of this name over the models of a folder."""
    kind, *rest = name.split()
    if kind == "openvino" or "openvino" in rest:
        _need_openvino("bf16" in rest)
    if kind == "pipeline":
        return _pipeline(folder, threads, batch_size=int(rest[-1]))
    if kind == "waqia":
        return _waqia(folder / ("artefact-int8" if rest[-1] == "int8" else "artefact"), rest[0], threads)
    run = {"torch": _torch, "onnxruntime": _onnxruntime, "openvino": _openvino}[kind](folder, rest[0], threads)
    return _windowed(run, folder)


def _need_openvino(bf16: bool) -> None:
    if find_spec("openvino") is None:
        raise UnsupportedError("not installed")
    if bf16:
        import openvino

        if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UnsupportedError("no bf16 on this processor")


def _pipeline(folder: Path, threads: int, batch_size: int) -> Engine:
    """The default way of transformers: `pipeline`, batches in the order of the texts."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    pipe = pipeline("token-classification", model=str(folder / "torch"), device="cpu")

    def answer(tokens: list[dict[str, Any]]) -> Answer:
        return [(token["index"], token["entity"]) for token in tokens]

    def one(text: str) -> Answer:
        return answer(pipe(text))

    if batch_size == 1:
        return Engine(lambda texts: [one(text) for text in texts], one)
    return Engine(lambda texts: [answer(tokens) for tokens in pipe(list(texts), batch_size=batch_size)], one)


def _waqia(artefact: Path, backend: str, threads: int) -> Engine:
    import waqia

    reader = waqia.Reader.load(artefact, backend=backend, threads=threads)

    def answer(reading: waqia.Reading) -> Answer:
        if reading.error is not None:
            raise RuntimeError(reading.error)
        return [[i.type, i.status, i.trigger.start, i.trigger.end, [[p.role, p.sector, p.start, p.end] for p in i.participants]]
                for i in reading.incidents]  # fmt: skip

    return Engine(lambda texts: [answer(reading) for reading in reader.read_many(texts)], lambda text: answer(reader.read(text)))


def encoder_s(name: str, folder: Path, threads: int, texts: Sequence[str]) -> float:
    """Processor seconds of the encode graph alone over the batches of the texts, as `waqia` makes them."""
    from waqia.model import artefact
    from waqia.model.pipeline import pad_id, token_batches
    from waqia.model.tensors import batch
    from waqia.model.windows import split

    _, backend, *rest = name.split()
    loaded = artefact.load(folder / ("artefact-int8" if rest else "artefact"))
    opened = loaded.open(backend, threads)
    windows = [(None, window) for text in texts for window in split(text, loaded.tokenizer, loaded.windows)]
    batches = [batch([window for _, window in chosen], pad_id(loaded.tokenizer)) for chosen in token_batches(windows)]
    opened.encode(batches[0])
    since = time.process_time()
    for one in batches:
        opened.encode(one)
    return time.process_time() - since


Run = Callable[[Any, Any], Any]  # token ids and mask (B, T) -> labels (B, T)


def _windowed(run: Run, folder: Path) -> Engine:
    """A bare engine with the windows and token-budget batches of `waqia`: how fast it is when it is fed well."""
    from tokenizers import Tokenizer

    from waqia.model.pipeline import token_batches
    from waqia.model.tensors import batch
    from waqia.model.windows import WindowSettings, split

    tokenizer, settings = Tokenizer.from_file(str(folder / "torch/tokenizer.json")), WindowSettings(256, 64)

    def many(texts: Sequence[str]) -> list[Answer]:
        cut = [split(text, tokenizer, settings) for text in texts]
        answers: list[list[Any]] = [[] for _ in texts]
        for chosen in token_batches([(place, window) for place, windows in enumerate(cut) for window in windows]):
            padded = batch([window for _, window in chosen], 0)
            labels = run(padded.input_ids, padded.attention_mask)
            for row, (place, window) in enumerate(chosen):
                answers[place].append((int(window.words[0, 0]), labels[row, : len(window.ids)].tolist()))
        return [sorted(answer) for answer in answers]

    return Engine(many, lambda text: many([text])[0])


def _torch(folder: Path, precision: str, threads: int) -> Run:
    import torch
    from transformers import AutoModelForTokenClassification

    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = AutoModelForTokenClassification.from_pretrained(folder / "torch", dtype=dtype).eval()

    def run(ids: Any, mask: Any) -> Any:
        with torch.inference_mode():
            return model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits.argmax(-1).numpy()

    return run


def _graph(folder: Path, precision: str) -> str:
    return str(folder / ("tokens-int8.onnx" if precision == "int8" else "tokens.onnx"))


def _onnxruntime(folder: Path, precision: str, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(_graph(folder, precision), options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(["logits"], {"input_ids": ids, "attention_mask": mask})[0].argmax(-1)


def _openvino(folder: Path, precision: str, threads: int) -> Run:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    request = openvino.Core().compile_model(_graph(folder, precision), "CPU", settings).create_infer_request()
    return lambda ids, mask: request.infer({"input_ids": ids, "attention_mask": mask})["logits"].argmax(-1)


def measure(name: str, folder: Path, threads: int, latencies: int, started: float) -> dict[str, Any]:
    """Cold start, one pass over all passages, latency one by one, peak memory, and what was read."""
    texts = json.loads((folder / "passages.json").read_text("utf-8"))
    engine = open_engine(name, folder, threads)
    engine.one(texts[0])
    cold = time.time() - started
    engine.many(texts[: max(1, len(texts) // 4)])  # what is slow only at first is not measured
    cpu, wall = time.process_time(), time.perf_counter()
    together = engine.many(texts)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    alone, waits = [], []
    for text in texts[:latencies]:
        since = time.perf_counter()
        alone.append(engine.one(text))
        waits.append(time.perf_counter() - since)
    changed = sum(a != b for a, b in zip(alone, together, strict=False))
    times = {"cold_s": cold, "cpu_s": cpu, "wall_s": wall, "latencies_s": waits}
    said = {**times, "peak_mb": memory_mb(), "changed": changed, "answers": together if name.startswith("waqia") else []}
    return said | ({"encoder_cpu_s": encoder_s(name, folder, threads, texts)} if name.startswith("waqia") else {})


def many_articles(name: str, folder: Path, threads: int, articles: int) -> dict[str, Any]:
    """Processor time an article and peak memory when so many are read in one stream."""
    texts = json.loads((folder / "passages.json").read_text("utf-8"))
    _, backend, *rest = name.split()
    import waqia

    reader = waqia.Reader.load(folder / ("artefact-int8" if rest else "artefact"), backend=backend, threads=threads)
    stream: Iterator[str] = islice(cycle(texts), articles)
    cpu = time.process_time()
    incidents = sum(len(reading.incidents) for reading in reader.read_many(stream))
    return {"articles": articles, "cpu_s": (time.process_time() - cpu) / articles, "peak_mb": memory_mb(), "incidents": incidents}


def gemm(folder: Path, threads: int, seconds: float) -> dict[str, float | None]:
    """Best GFLOP/s of processor time of one product at the model's shapes, tokens x width x intermediate, by precision."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    shape = json.loads((folder / "shape.json").read_text("utf-8"))
    m, k, n = 1024, shape["width"], shape["intermediate"]
    a, b = torch.randn(m, k), torch.randn(k, n)
    half_a, half_b = a.bfloat16(), b.bfloat16()
    u8, s8 = (np.random.default_rng(7).integers(*bounds, size) for bounds, size in (((0, 255), (m, k)), ((-63, 63), (k, n))))
    runs: dict[str, list[Callable[[], Any]]] = {
        "fp32": [lambda: a @ b, _product("MatMul", a.numpy(), b.numpy(), threads)],
        "bf16": [lambda: half_a @ half_b],
        "int8": [_product("MatMulInteger", u8.astype(np.uint8), s8.astype(np.int8), threads)],
    }
    return {name: max(2 * m * k * n / _fastest(run, seconds) / 1e9 for run in each) for name, each in runs.items()}


def _product(kind: str, a: Any, b: Any, threads: int) -> Callable[[], Any]:
    """A graph of one product with constant weights, in ONNX Runtime."""
    import onnxruntime
    from onnx import helper, numpy_helper

    given, out = helper.np_dtype_to_tensor_dtype(a.dtype), "FLOAT" if kind == "MatMul" else "INT32"
    graph = helper.make_graph(
        [helper.make_node(kind, ["a", "b"], ["c"])], "product", [helper.make_tensor_value_info("a", given, a.shape)],
        [helper.make_tensor_value_info("c", helper.TensorProto.DataType.Value(out), None)], [numpy_helper.from_array(b, "b")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"a": a})


def _fastest(run: Callable[[], Any], seconds: float) -> float:
    """Least processor seconds of one call, over calls for so long."""
    run()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        since = time.process_time()
        run()
        best = min(best, time.process_time() - since)
    return best


def memory_mb(which: str = "VmHWM") -> float | None:
    """Most memory that this process ever held, or holds (VmRSS), in MB (10^6 bytes); None where the system does not say (no Linux)."""
    status = Path("/proc/self/status")  # getrusage would count the parent's memory, from before exec
    if not status.exists():
        return None
    return int(status.read_text("utf-8").partition(f"{which}:")[2].split()[0]) * 1024 / 1e6


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("engine", help="an engine of eval.speed, or gemm")
    parser.add_argument("--started", type=float, default=0.0, help="time.time() at which this process was started")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--latencies", type=int, default=100, help="passages read one by one")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each product of gemm")
    parser.add_argument("--articles", type=int, help="read a stream of so many instead (waqia engines)")
    args = parser.parse_args(argv)
    try:
        if args.engine == "gemm":
            result: dict[str, Any] = dict(gemm(args.folder, args.threads, args.seconds))
        elif args.articles:
            result = many_articles(args.engine, args.folder, args.threads, args.articles)
        else:
            result = measure(args.engine, args.folder, args.threads, args.latencies, args.started)
    except UnsupportedError as reason:
        result = {"unsupported": str(reason)}
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
