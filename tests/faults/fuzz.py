"""Odd texts by the million through the whole road of reading: offsets, exceptions, and whether batch, order or threads change a reading.

Two models: the one of the package, and `table`, ONNX graphs of this file in which every output is a row of a random table, chosen by a
word's first token. It is some hundred times as fast, and since nothing in it is summed over a batch, any difference between two
readings comes from the code around it: windows, batches, decoding, merging, participants, facts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tests.light.test_fuzz import SETTINGS, odd_text, proved
from waqia import Reader, Reading
from waqia.labels import LabelSet
from waqia.model import artefact
from waqia.model.calibration import Calibration
from waqia.model.windows import WindowSettings

BLOCK = 2000  # texts that are read together, in order and shuffled
ALONE = 50  # one text in so many is read by itself too
WORDS = [
    "قصف",
    "مدفعي",
    "استهدف",
    "حلب",
    "مقتل",
    "ثلاثة",
    "مدنيين",
    "وإصابة",
    "12",
    "آخرين",
    "في",
    "غارة",
    "جوية",
    "على",
    "سوق",
    "مدينة",
    "إدلب",
    "أمس",
    "اعتقلت",
    "الشرطة",
    "متظاهرين",
    "قبل",
    "يومين",
    "هاجم",
    "مسلحون",
    "دورية",
    "للجيش",
    "مساء",
    "الجمعة",
    "،",
    "خرجت",
    "مظاهرة",
    ".",
    "نحو",
    "ثلاثين",
    "قتيلا",
    "3",
    "مارس",
    "2021",
    "وقال",
    "المرصد",
    "إن",
    "الطيران",
    "الحربي",
    "قصف",
    "قصف",
]


def text(chance: random.Random) -> str:
    """Half of the texts are odd pieces, a quarter news words with an odd piece among them, a quarter words of random letters."""
    kind = chance.randrange(4)
    if kind < 2:
        return odd_text(chance)
    words = chance.choices(WORDS, k=chance.randrange(1, 16))
    if kind == 3:
        words = ["".join(chr(chance.randrange(0x621, 0x64B)) for _ in range(chance.randrange(1, 8))) for _ in words]
    words.insert(chance.randrange(len(words) + 1), odd_text(chance))
    return " ".join(words)


def fuzz(folder: Path, texts: int, seed: int, model: str = "table") -> dict[str, Any]:
    """Read so many texts in order with one thread, shuffled with two, some alone; counts, and what was wrong with which text."""
    chance = random.Random(seed)
    made = [table_artefact(folder / f"table-{n}", seed + n, windows) for n, windows in enumerate(SETTINGS)] if model == "table" else [None]
    readers = [(Reader.load(one, threads=1), Reader.load(one, threads=2)) for one in made]
    done: dict[str, Any] = {"model": model, "texts": 0, "incidents": 0, "spans": 0, "differences": 0, "wrong": []}
    source = (text(chance) for _ in range(texts))
    while block := list(islice(source, BLOCK)):
        compare(block, *chance.choice(readers), chance, done)
        done["texts"] += len(block)
    return done


def compare(texts: list[str], one: Reader, other: Reader, chance: random.Random, done: dict[str, Any]) -> None:
    """Read a block in three ways and count."""
    dated = [(text, chance.choice([None, "2023-05-12"])) for text in texts]
    order = chance.sample(range(len(texts)), len(texts))
    first = list(one.read_many(dated))
    second = dict(zip(order, other.read_many([dated[place] for place in order]), strict=True))
    for place, (text, date) in enumerate(dated):
        ways = [first[place], second[place], *([one.read(text, date=date)] if place % ALONE == 0 else [])]
        done["incidents"] += len(ways[0].incidents)
        if any(way != ways[0] for way in ways):
            done["differences"] += 1
            done["wrong"].append(f"read in two ways: {text!r}")
        for fault in faults(text, ways[0], chance, done):
            done["wrong"].append(f"{fault}: {text!r}")


def faults(text: str, reading: Reading, chance: random.Random, done: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a reading: an error, a span that does not read as it says, a character that no window holds."""
    if reading.error is not None:
        yield reading.error
    for span in spans(reading.to_dict()["incidents"]):
        done["spans"] += 1
        if not (0 <= span["start"] < span["end"] <= len(text) and text[span["start"] : span["end"]] == span["text"]):
            yield f"span {span}"
    try:
        proved(text, chance.choice(SETTINGS))
    except Exception as error:  # what goes wrong is what is looked for
        yield f"windows: {error!r}"


def spans(item: Any) -> Iterator[dict[str, Any]]:
    """Every object with start, end and text inside plain data: triggers, mentions, participants, facts."""
    if isinstance(item, dict):
        if {"start", "end", "text"} <= item.keys():
            yield item
        item = list(item.values())
    if isinstance(item, list):
        for inner in item:
            yield from spans(inner)


# --- the model of tables


def table_artefact(folder: Path, seed: int, windows: WindowSettings) -> Path:
    """An artefact whose every output is looked up in a random table by the first token of a word."""
    folder.mkdir()
    shipped = artefact.load()
    labels, draw = shipped.labels, np.random.default_rng(seed)
    vocabulary, cls = shipped.tokenizer.get_vocab_size(), shipped.tokenizer.token_to_id("[CLS]")
    (folder / "encode.onnx").write_bytes(encode_graph(draw, vocabulary, cls, labels))
    (folder / "participants.onnx").write_bytes(participants_graph(draw, labels))
    (folder / "merge.onnx").write_bytes(merge_graph())
    plain = replace(Calibration.plain(labels, 0.3), mention_threshold=0.5)
    artefact.write(
        folder / "artefact", model=f"table-{seed}", encode=folder / "encode.onnx", participants=folder / "participants.onnx",
        merge=folder / "merge.onnx", tokenizer=shipped.tokenizer.to_str(), labels=labels, windows=windows, calibration=plain,
    )  # fmt: skip
    return folder / "artefact"


def graph(nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], constants: dict[str, np.ndarray]) -> bytes:
    """An ONNX graph; inputs and outputs by name as (kind, number of dimensions)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    kinds = {int: TensorProto.INT64, float: TensorProto.FLOAT}
    ends = [
        [helper.make_tensor_value_info(name, kinds[kind], [f"{name}{n}" for n in range(size)]) for name, (kind, size) in side.items()]
        for side in (inputs, outputs)
    ]
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    made = [helper.make_node(op, given, [out], **options) for op, given, out, options in nodes]
    model = helper.make_model(helper.make_graph(made, "table", *ends, held), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def width(labels: LabelSet) -> int:
    """Features of a word: what it says of roles as first word, as last word and as trigger, of statuses, of sectors, and of merging."""
    return 3 * len(labels.roles) + len(labels.statuses) + len(labels.sectors) + 1


def encode_graph(draw: np.random.Generator, vocabulary: int, cls: int, labels: LabelSet) -> bytes:
    """encode.onnx: rows of four tables by the first token of each word; the types of a window are the largest of its words."""
    kinds = len(labels.incident_types)
    triggers = draw.normal(0, 1.5, (vocabulary, 1 + kinds))
    triggers[:, 0] += np.where(draw.random(vocabulary) < 0.15, -4, 9)
    types = draw.normal(-1, 1.5, (vocabulary, kinds))
    types[cls] = -50  # what words that only fill a batch up look at
    states = draw.normal(0, 1.2, (vocabulary, width(labels)))
    tables = {"triggers": triggers, "types": types, "inside": draw.normal(-0.5, 1, vocabulary), "states": states}
    nodes = [
        ("GatherElements", ["input_ids", "word_starts"], "tokens", {"axis": 1}),
        ("Gather", ["types", "tokens"], "typed", {}),
        ("ReduceMax", ["typed", "words"], "type_logits", {"keepdims": 0}),
        ("Gather", ["triggers", "tokens"], "trigger_logits", {}),
        ("Gather", ["inside", "tokens"], "inside_logits", {}),
        ("Gather", ["states", "tokens"], "word_states", {}),
    ]
    names = ("input_ids", "attention_mask", "word_starts", "word_ends")
    outputs = {"type_logits": (float, 2), "trigger_logits": (float, 3), "inside_logits": (float, 2), "word_states": (float, 3)}
    constants = {name: table.astype(np.float32) for name, table in tables.items()} | {"words": np.array([1])}
    return graph(nodes, dict.fromkeys(names, (int, 2)), outputs, constants)


def participants_graph(draw: np.random.Generator, labels: LabelSet) -> bytes:
    """participants.onnx: a role's logit is what first word, last word and trigger say, added up."""
    roles, statuses, sectors = len(labels.roles), len(labels.statuses), len(labels.sectors)
    ends = np.cumsum([0, roles, roles, roles, statuses, sectors])
    parts = ("first", "last", "own", "status", "sector_logits")
    nodes: list[Any] = [
        ("Slice", ["word_states", f"from_{name}", f"to_{name}", "features"], name, {}) for name in ("first", "last", "sector_logits")
    ]
    nodes += [
        ("Unsqueeze", ["trigger_first", "one"], "place", {}),
        ("GatherND", ["word_states", "place"], "trigger", {"batch_dims": 1}),
        ("Slice", ["trigger", "from_own", "to_own", "one"], "own", {}),
        ("Slice", ["trigger", "from_status", "to_status", "one"], "status", {}),
        ("Gather", ["by_type", "trigger_type"], "typed", {}),
        ("Add", ["status", "typed"], "status_logits", {}),
        ("Unsqueeze", ["first", "two"], "firsts", {}),
        ("Unsqueeze", ["last", "one"], "lasts", {}),
        ("Unsqueeze", ["own", "one_two"], "owns", {}),
        ("Add", ["firsts", "lasts"], "both", {}),
        ("Add", ["both", "owns"], "sum", {}),
        ("Sub", ["sum", "rare"], "role_logits", {}),
    ]
    constants: dict[str, np.ndarray] = {f"from_{name}": ends[n : n + 1] for n, name in enumerate(parts)}
    constants |= {f"to_{name}": ends[n + 1 : n + 2] for n, name in enumerate(parts)}
    constants |= {"one": np.array([1]), "two": np.array([2]), "one_two": np.array([1, 2]), "features": np.array([2])}
    by_type = draw.normal(0, 1, (len(labels.incident_types), statuses))
    constants |= {"by_type": by_type.astype(np.float32), "rare": np.array([5.5], np.float32)}
    inputs = {"word_states": (float, 3), "word_mask": (int, 2), **{f"trigger_{name}": (int, 1) for name in ("first", "last", "type")}}
    return graph(nodes, inputs, {"role_logits": (float, 4), "status_logits": (float, 2), "sector_logits": (float, 3)}, constants)


def merge_graph() -> bytes:
    """merge.onnx: the last feature of both mentions, and whether they have one stem."""
    nodes: list[Any] = [
        *(("Gather", [name, "last"], f"{name}_said", {"axis": 1}) for name in ("first_states", "second_states")),
        ("Gather", ["features", "zero"], "stem", {"axis": 1}),
        ("Add", ["first_states_said", "second_states_said"], "both", {}),
        ("Add", ["both", "stem"], "same_logits", {}),
    ]
    inputs = dict.fromkeys(("first_states", "second_states", "first_types", "second_types", "features"), (float, 2))
    return graph(nodes, inputs, {"same_logits": (float, 1)}, {"last": np.array(-1), "zero": np.array(0)})
