"""The models that `eval.speed` measures: of one shape and for every engine, written to a folder that its workers open.

python -m train.experiments.speed_models SHAPE FOLDER --engines ENGINE… --data FILE… [--passages N]

    built.json      the shape, with what its passages cost
    passages.json   the texts, all engines read the same
    torch/          BERT with a token head and the shipped tokenizer, for `transformers` and torch
    tokens.onnx     the same graph for ONNX Runtime and OpenVINO, and tokens-int8.onnx
    artefact/       the whole model as `waqia` reads it, and artefact-int8/
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertForTokenClassification, BertModel
from transformers.utils.logging import disable_progress_bar

from eval.score.command import run
from train.config import FinetuneConfig, load_config
from train.graphs import OPSET, export_graphs, halve
from train.int8 import quantise
from train.quantise import PARTS, SUFFIX, quantise_parts, whole, write
from train.run import Run, build_model, load_joint
from waqia.arguments import Parser
from waqia.model import artefact
from waqia.model.artefact import Artefact
from waqia.model.backends import open_backend
from waqia.model.calibration import Calibration
from waqia.model.decode import softmax
from waqia.model.pipeline import Model, cut_texts, pad_id, read_texts, token_batches
from waqia.model.tensors import Batch, batch
from waqia.records import read_rows

ROOT = Path(__file__).parents[2]
TOKEN_LABELS = 25  # of the token head: about as many as there are incident types
CALIBRATED_ON = 32  # passages that fix the int8 ranges


@dataclass(frozen=True, slots=True)
class Shape:
    """A BERT by its sizes; `trained` where the repository ships its weights."""

    name: str
    layers: int
    width: int
    intermediate: int
    vocabulary: int
    trained: bool
    passages: int  # read in one measurement

    def flops(self, lengths: Sequence[int]) -> int:
        """Multiplications and additions of the encoder's products over windows of these lengths in tokens."""
        linear = 2 * (4 * self.width**2 + 2 * self.width * self.intermediate)
        return sum(self.layers * (linear * n + 4 * self.width * n**2) for n in lengths)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("tiny", 2, 64, 128, 16_384, False, 8),  # for --quick and tests
        Shape("mini", 6, 384, 1536, 16_384, True, 384),  # the shipped model
        Shape("base", 12, 768, 3072, 64_000, False, 48),  # AraBERT-base
    )
}


def sample(files: Sequence[Path], count: int) -> list[str]:
    """As many passages as asked for, spread evenly over the files, so that their lengths are those of all."""
    texts = [row["text"] for path in files for _, row in read_rows(path)]
    return [texts[place * len(texts) // count] for place in range(min(count, len(texts)))]


def build(shape: Shape, texts: Sequence[str], engines: Sequence[str], folder: Path) -> dict[str, Any]:
    """Write what the engines need; the shape, with the windows, real tokens and floating-point operations of a pass over the texts."""
    folder.mkdir(parents=True, exist_ok=True)
    disable_progress_bar()
    (folder / "passages.json").write_text(json.dumps(texts, ensure_ascii=False), "utf-8")
    shipped = artefact.load()
    tokens = token_model(shape)
    tokens.save_pretrained(folder / "torch")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "models/waqia-mini" / name, folder / "torch" / name)
    backend = open_backend("onnxruntime", shipped.folder)
    reading = Model(shipped.model, backend, shipped.tokenizer, shipped.labels, shipped.windows, shipped.calibration)
    if any(name.startswith(("onnxruntime", "openvino")) for name in engines):
        export_tokens(tokens, folder / "tokens.onnx")
        inputs = [{"input_ids": one.input_ids, "attention_mask": one.attention_mask} for one in batches(texts[:CALIBRATED_ON], reading)]
        quantise(folder / "tokens.onnx", folder / "tokens-int8.onnx", inputs)
    if any(name.startswith("waqia") for name in engines):
        if shape.trained:
            whole(shipped, folder / "artefact")
            shutil.copytree(shipped.folder, folder / "artefact-int8")
        else:
            plain = random_artefact(shape, shipped, texts, reading, folder)
            if any(name.startswith("waqia") and name.endswith("int8") for name in engines):
                write(plain, plain.model + SUFFIX, quantise_parts(plain, texts[:CALIBRATED_ON], PARTS, folder), folder / "artefact-int8")
    lengths = [len(window.ids) for window in chain.from_iterable(cut_texts(texts, reading))]
    return {**asdict(shape), "texts": len(texts), "windows": len(lengths), "tokens": sum(lengths), "flops": shape.flops(lengths)}


def batches(texts: Sequence[str], model: Model) -> list[Batch]:
    """The texts as `waqia` batches them."""
    items = [(place, window) for place, windows in enumerate(cut_texts(texts, model)) for window in windows]
    return [batch([window for _, window in chosen], pad_id(model.tokenizer)) for chosen in token_batches(items)]


def bert(shape: Shape) -> BertConfig:
    """The shape as transformers takes it."""
    return BertConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, num_hidden_layers=shape.layers,
        num_attention_heads=max(1, shape.width // 64), intermediate_size=shape.intermediate, num_labels=TOKEN_LABELS,
        id2label={0: "O", **{place: f"B-{place}" for place in range(1, TOKEN_LABELS)}},
    )  # fmt: skip


def token_model(shape: Shape) -> BertForTokenClassification:
    """An encoder with an untrained token head that says "O" of most tokens, as trained ones do."""
    torch.manual_seed(7)
    model = BertForTokenClassification(bert(shape))
    if shape.trained:
        model.bert = load_joint(ROOT / "models/waqia-mini", "sdpa").encoder
    with torch.no_grad():
        model.classifier.weight.normal_(std=shape.width**-0.5)
        model.classifier.bias[0] = 3.5
    return model.eval()


class Tokens(nn.Module):  # type: ignore[misc, unused-ignore]
    """What tokens.onnx computes: token ids and mask (B, T) -> logits (B, T, TOKEN_LABELS)."""

    def __init__(self, model: BertForTokenClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The logits alone."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export_tokens(model: BertForTokenClassification, path: Path) -> None:
    """Export the token model with free batch and token dimensions, in fp32 as anyone would."""
    ids = torch.ones((2, 6), dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        torch.onnx.export(
            Tokens(model).eval(), (), str(path), kwargs=inputs, input_names=list(inputs), output_names=["logits"], opset_version=OPSET,
            dynamo=True, dynamic_shapes={name: {0: "windows", 1: "tokens"} for name in inputs}, external_data=False, verbose=False,
        )  # fmt: skip


def random_artefact(shape: Shape, shipped: Artefact, texts: Sequence[str], reading: Model, folder: Path) -> Artefact:
    """The joint model with random weights over an encoder of this shape, which finds about as many triggers as the shipped model."""
    config = load_config(FinetuneConfig, ROOT / "configs/arabertv02/finetune.yaml")
    torch.manual_seed(7)
    model = build_model(BertModel(bert(shape), add_pooling_layer=False), config, shipped.labels).eval()
    calibration = Calibration.plain(shipped.labels)
    run = Run(config, shipped.labels, Tokenizer.from_str(shipped.tokenizer.to_str()), model, calibration, {})
    halve(model)
    export_graphs(run, folder)
    threshold = trigger_threshold(folder, texts[:CALIBRATED_ON], reading)
    # Every mention is an incident of its own: random heads would merge by chance.
    every = dict.fromkeys(shipped.labels.incident_types, 0.0)
    calibration = replace(calibration, mention_threshold=threshold, merge_threshold=1.0, trigger_thresholds=every)
    artefact.write(
        folder / "artefact", model=f"random-{shape.name}", encode=folder / "encode.onnx", participants=folder / "participants.onnx",
        merge=folder / "merge.onnx", tokenizer=run.tokenizer.to_str(), labels=run.labels, windows=shipped.windows, calibration=calibration,
    )  # fmt: skip
    return artefact.load(folder / "artefact")


def trigger_threshold(graphs: Path, texts: Sequence[str], reading: Model) -> float:
    """The probability that as many words of the texts begin a mention with these graphs as the shipped model finds incidents."""
    backend = open_backend("onnxruntime", graphs)
    found = sum(len(one.incidents) for one in read_texts(texts, reading))
    scores = []
    for one in batches(texts, reading):
        logits = backend.encode(one).trigger_logits[one.word_ends > one.word_starts]
        scores.append(1 - softmax(logits)[:, 0])
    return float(np.sort(np.concatenate(scores))[-found])


def main(argv: Sequence[str] | None = None) -> None:
    """Build one shape's models and write built.json last."""
    parser = Parser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--engines", nargs="+", required=True, metavar="ENGINE", help="engines of eval.speed")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE", help="JSONL with the texts to read")
    parser.add_argument("--passages", type=int, help="how many of them (default: by shape)")
    args = parser.parse_args(argv)
    shape = SHAPES[args.shape]
    built = build(shape, sample(args.data, args.passages or shape.passages), args.engines, args.folder)
    (args.folder / "built.json").write_text(json.dumps(built), "utf-8")


if __name__ == "__main__":
    run(main)
