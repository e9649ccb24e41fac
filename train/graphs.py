"""A run's ONNX graphs: their weights kept as fp16 (computed in fp32), and how far they are from torch on the run's dev passages."""

from __future__ import annotations

import warnings
from collections.abc import Container
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from train.backend import TorchBackend
from train.run import Run
from waqia.errors import ConfigError
from waqia.model.backends import MERGED, OnnxBackend
from waqia.model.decode import softmax
from waqia.model.merge import PAIR_FEATURES
from waqia.model.pipeline import pad_id
from waqia.model.tensors import Batch, Encoded, Pairs, Participants, Triggers, batch, half_open
from waqia.model.windows import split
from waqia.records import read_records

PARITY_PASSAGES = 64
HALVED = 1024  # tensors of at least so many numbers are stored as fp16
OPSET = 20


def halve(model: nn.Module) -> None:
    """Round the large weights to what fp16 holds, so that torch computes with the very numbers that the artefact stores."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() >= HALVED:
                parameter.copy_(parameter.half().float())


def export_graphs(run: Run, folder: Path) -> None:
    """Write encode.onnx, participants.onnx and merge.onnx with free batch, token and word dimensions."""
    words = torch.tensor([[1, 3, 4], [1, 2, 0]])
    ends = torch.tensor([[3, 4, 5], [2, 4, 0]])
    ids = torch.ones((2, 6), dtype=torch.long)
    by_token, by_word = {0: "windows", 1: "tokens"}, {0: "windows", 1: "words"}
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "word_starts": words, "word_ends": ends}
    shapes = dict(zip(inputs, (by_token, by_token, by_word, by_word), strict=True))
    _export(Encode(run), inputs, list(Encoded.__dataclass_fields__), shapes, folder / "encode.onnx")
    states = torch.randn(2, 3, run.config.heads.width)
    inputs = {"word_states": states, "word_mask": (ends > words).long()}
    # A tensor each: the exporter takes one tensor given thrice for one input.
    inputs |= {name: torch.zeros(2, dtype=torch.long) for name in ("trigger_first", "trigger_last", "trigger_type")}
    one, many = {0: "triggers"}, {0: "triggers", 1: "words"}
    shapes = dict(zip(inputs, (many, many, one, one, one), strict=True))
    _export(FindParticipants(run), inputs, list(Participants.__dataclass_fields__), shapes, folder / "participants.onnx")
    types = torch.rand(2, len(run.labels.incident_types))
    pairs = Pairs(states[:, 0], states[:, 1], types, types + 0, torch.rand(2, PAIR_FEATURES))._asdict()
    _export(Merge(run), pairs, [MERGED], {name: {0: "pairs"} for name in pairs}, folder / "merge.onnx")


class Encode(nn.Module):
    """What encode.onnx computes."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.model = run.model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, word_starts: Tensor, word_ends: Tensor) -> tuple[Tensor, ...]:
        """See IncidentModel.encode."""
        return self.model.encode(input_ids, attention_mask, word_starts, word_ends)


class FindParticipants(nn.Module):
    """What participants.onnx computes."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.head = run.model.participants_head

    def forward(
        self, word_states: Tensor, word_mask: Tensor, trigger_first: Tensor, trigger_last: Tensor, trigger_type: Tensor
    ) -> tuple[Tensor, ...]:
        """See ParticipantsHead.forward."""
        return self.head(word_states, word_mask, *half_open(trigger_first, trigger_last), trigger_type)


class Merge(nn.Module):
    """What merge.onnx computes."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.head = run.model.merge_head

    def forward(self, first_states: Tensor, second_states: Tensor, first_types: Tensor, second_types: Tensor, features: Tensor) -> Tensor:
        """See MergeHead.forward."""
        return self.head(first_states, second_states, first_types, second_types, features)


def _export(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], shapes: dict[str, dict[int, str]], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        torch.onnx.export(
            module.eval(), (), str(path), kwargs=inputs, input_names=list(inputs), output_names=outputs, opset_version=OPSET,
            dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False,
        )  # fmt: skip
    onnx.save(store_as_half(onnx.load(path)), path)


def store_as_half(model: onnx.ModelProto, names: Container[str] | None = None) -> onnx.ModelProto:
    """Keep fp32 constants as fp16 with a cast behind each: half the size, and the same numbers once `halve` has rounded them.

    `names` says which, None all large ones.
    """
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        chosen = values.size >= HALVED if names is None else tensor.name in names
        if tensor.data_type == TensorProto.FLOAT and chosen:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def parity(run: Run, graphs: Path) -> float:
    """Largest difference of any logit or state between torch and ONNX Runtime over real passages of the run's dev files."""
    ours, theirs = TorchBackend(run.model), OnnxBackend.open(graphs)
    # Not the built-in max: whether it keeps what is no number depends on the order.
    return float(np.max([_differences(ours, theirs, one, run) for one in _real_batches(run)]))


def _real_batches(run: Run) -> list[Batch]:
    path = run.config.dev_files[0]
    if not path.is_file():
        told = "graphs are held against torch on this dev file of its run: start in the folder that its path counts from, or put it back"
        raise ConfigError(f"{path}: no such file; {told}")
    records = list(read_records(path, run.labels))[:PARITY_PASSAGES]
    windows = [window for record in records for window in split(record.text, run.tokenizer, run.reader().windows)]
    return [batch(windows[start : start + 8], pad_id(run.tokenizer)) for start in range(0, len(windows), 8)]


def _differences(ours: TorchBackend, theirs: OnnxBackend, one: Batch, run: Run) -> list[float]:
    a, b = ours.encode(one), theirs.encode(one)
    mask = (one.word_ends > one.word_starts).astype(np.int64)
    last = np.maximum(mask.sum(1) - 1, 0)
    types = np.arange(len(last)) % len(run.labels.incident_types)
    triggers = Triggers(last // 2, last // 2 + 1, types)
    p, q = (backend.participants(a.word_states, mask, triggers) for backend in (ours, theirs))
    pairs = [(getattr(x, name), getattr(y, name)) for x, y in ((a, b), (p, q)) for name in x.__dataclass_fields__]
    states = np.ascontiguousarray(a.word_states[np.arange(len(last)), last // 2])
    likely = softmax(a.trigger_logits[np.arange(len(last)), last // 2, 1:])
    mentions = Pairs(states, states[::-1].copy(), likely, likely[::-1].copy(), np.ones((len(last), PAIR_FEATURES), np.float32))
    pairs.append((ours.merge(mentions), theirs.merge(mentions)))
    return [float(np.abs(x - y).max()) for x, y in pairs]
