"""brat: a text file and a standoff file a record, with events, attributes, relations and notes.

A trigger and its incident are `T` and `E` lines, participants are arguments of the event, status and sector attributes, other mentions
`mention` relations, date and totals a note of the event. https://brat.nlplab.org/standoff.html
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from waqia.errors import RecordError
from waqia.formats.graph import FACTS, MENTION, Edge, Graph, Node, Remark, from_record, to_records
from waqia.labels import LabelSet
from waqia.schema import Record

_BREAKS = re.compile(r"[\r\n]+")
_ESCAPES = re.compile("(?:=[0-9A-F]{2})+")


def read(documents: Iterable[tuple[str, str, str]], labels: LabelSet, *, unit: str | None = None) -> tuple[list[Record], list[Remark]]:
    """Records of documents: (file name without ending, text, annotations) each."""
    remarks: list[Remark] = []
    graphs = [(_graph(_unescaped(name), text, notes, labels, f"{name}.ann", remarks), f"{name}.ann") for name, text, notes in documents]
    records, said = to_records(graphs, labels, unit=unit)
    return records, remarks + said


def write(records: Sequence[Record], labels: LabelSet) -> tuple[dict[str, tuple[str, str]], list[Remark]]:
    """File name without ending -> (text, annotations). Fields of a record beside text and incidents have no place here."""
    remarks: list[Remark] = []
    documents: dict[str, tuple[str, str]] = {}
    for record in records:
        said = str(record.id)
        remarks += [Remark(f"field {name} cannot be expressed, lost", said) for name in record.extra]
        remarks += [Remark("annotated cannot be expressed, lost", said)] * (record.annotated is not None)
        remarks += [Remark("id that is a number comes back as text", said)] * (not isinstance(record.id, str))
        graph = from_record(record)
        if graph.asked and not any(edge.label == MENTION for edge in graph.edges):
            remarks.append(Remark("that other mentions were looked for cannot be expressed, lost", said))
        remarks += [Remark("score cannot be expressed, lost", said) for node in graph.nodes if node.score is not None]
        name = _file_name(said)
        if name in documents:
            raise RecordError(f"id {record.id!r}: brat names files by the id, and there is another {said} already; give it another id")
        documents[name] = record.text, "".join(f"{line}\n" for line in _lines(graph, labels))
    return documents, remarks


def configuration(labels: LabelSet) -> dict[str, str]:
    """annotation.conf and visual.conf for the folder of the documents; Arabic text runs right to left."""
    arguments = ", ".join(f"{name}*:{name}" for name in labels.roles)
    actors = "|".join(name for name, role in labels.roles.items() if role.sector)
    conf = ["[entities]", *labels.roles, "[relations]", f"{MENTION}\tArg1:<ANY>, Arg2:<ANY>", "[events]"]
    conf += [f"{name}\t{arguments}" for name in labels.incident_types]
    conf += [
        "[attributes]",
        f"status\tArg:<EVENT>, Value:{'|'.join(labels.statuses)}",
        f"sector\tArg:{actors}, Value:{'|'.join(labels.sectors)}",
    ]
    shown = ["[labels]", *(f"{name} | {kind.ar}" for name, kind in labels.incident_types.items())]
    shown += [*(f"{name} | {role.ar}" for name, role in labels.roles.items()), "[drawing]", "[options]", "Text direction:rtl"]
    return {"annotation.conf": "\n".join(conf) + "\n", "visual.conf": "\n".join(shown) + "\n"}


def _file_name(name: str) -> str:
    """An id as brat can open it: its page takes "%" and "?" in a name for those of an address, so that "=2F" stands for a slash."""
    return "".join(c if c.isalnum() or c in " -_" else "".join(f"={byte:02X}" for byte in c.encode()) for c in name)


def _unescaped(name: str) -> str:
    """The id of a file's name; of one that holds a "%", as it was written before, too."""
    if "%" in name:
        return unquote(name)
    return _ESCAPES.sub(lambda found: bytes.fromhex(found[0].replace("=", "")).decode("utf-8", "replace"), name)


def _graph(name: str, text: str, notes: str, labels: LabelSet, where: str, remarks: list[Remark]) -> Graph:
    nodes: dict[str, Node] = {}
    triggers: dict[str, str] = {}  # E -> T
    later: list[tuple[int, str, list[str], str]] = []
    for number, line in enumerate(notes.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        key, _, rest = line.partition("\t")
        body, _, said = rest.partition("\t")
        parts = body.split(" ")
        try:
            if key[0] == "T":
                nodes[key] = _text_bound(key, parts[0], body[len(parts[0]) + 1 :], said, text, where, remarks)
            elif key[0] == "E":
                triggers[key] = parts[0].split(":")[1]
                later.append((number, key, parts, said))
            else:
                later.append((number, key, parts, said))
        except (ValueError, IndexError) as error:
            raise RecordError(f"{where}:{number}: {line[:60]!r} is no line of brat's standoff format") from error
    edges: list[Edge] = []
    for number, key, parts, said in later:
        try:
            _line(key, parts, said, nodes, triggers, edges, where, remarks)
        except (KeyError, ValueError, IndexError) as error:
            raise RecordError(f"{where}:{number}: {key} names what is not in the file, or is incomplete") from error
    return Graph(name, text, tuple(nodes.values()), tuple(edges))


def _text_bound(key: str, label: str, places: str, said: str, text: str, where: str, remarks: list[Remark]) -> Node:
    pieces = [tuple(map(int, piece.split())) for piece in places.split(";")]
    start, end = pieces[0][0], pieces[-1][1]
    whole = all(not text[left[1] : right[0]].strip() for left, right in itertools.pairwise(pieces))
    if not whole:
        remarks.append(Remark("discontinuous span, taken from its first to its last word", where))
    return Node(key, start, end, said if whole else None, label)


def _line(
    key: str,
    parts: list[str],
    said: str,
    nodes: dict[str, Node],
    triggers: Mapping[str, str],
    edges: list[Edge],
    where: str,
    remarks: list[Remark],
) -> None:
    kind = key[0]
    if kind == "E":
        head = triggers[key]
        for argument in filter(None, parts[1:]):
            role, tail = argument.split(":")
            edges.append(Edge(head, triggers.get(tail, tail), role.rstrip("0123456789")))
    elif kind == "R":
        ends = [part.split(":")[1] for part in parts[1:3]]
        edges.append(Edge(triggers.get(ends[0], ends[0]), triggers.get(ends[1], ends[1]), parts[0]))
    elif kind == "*":
        edges += [Edge(triggers.get(parts[1], parts[1]), triggers.get(other, other), MENTION) for other in parts[2:]]
    elif kind in "AM" and len(parts) == 3 and parts[0] in ("status", "sector"):
        target = triggers.get(parts[1], parts[1])
        nodes[target] = replace(nodes[target], value=parts[2])
    elif kind == "#" and (facts := _facts(said)):
        target = triggers.get(parts[1], parts[1])
        nodes[target] = replace(nodes[target], facts=facts)
    else:
        remarks.append(Remark(f"{parts[0]} is not read, left out", where))


def _facts(said: str) -> dict[str, Any]:
    pairs = dict(part.split("=", 1) for part in said.split() if "=" in part)
    return {name: int(value) if name != "date" and value.isdecimal() else value for name, value in pairs.items() if name in FACTS}


def _lines(graph: Graph, labels: LabelSet) -> list[str]:
    lines = [f"T{node.key}\t{node.label} {_fragments(graph.text, node)}\t{_BREAKS.sub(' ', node.quote or '')}" for node in graph.nodes]
    others = {edge.tail for edge in graph.edges if edge.label == MENTION}
    events = [node for node in graph.nodes if node.label in labels.incident_types]
    names = {node.key: f"T{node.key}" for node in graph.nodes} | {node.key: f"E{number}" for number, node in enumerate(events, 1)}
    attributes: list[str] = []
    for number, node in enumerate(events, 1):
        roles: Counter[str | None] = Counter()
        arguments = ""
        for edge in graph.edges:
            if edge.head == node.key and edge.label != MENTION:
                roles[edge.label] += 1
                arguments += f" {edge.label}{'' if roles[edge.label] == 1 else roles[edge.label]}:T{edge.tail}"
        lines.append(f"E{number}\t{node.label}:T{node.key}{arguments}")
        if node.key in others:
            continue  # the incident has the status
        attributes.append(f"status E{number} {node.value}")
        if node.facts:
            lines.append(f"#{number}\tAnnotatorNotes E{number}\t" + " ".join(f"{name}={value}" for name, value in node.facts.items()))
    attributes += [f"sector T{node.key} {node.value}" for node in graph.nodes if node.label in labels.roles and node.value]
    lines += [f"A{number}\t{attribute}" for number, attribute in enumerate(attributes, 1)]
    mentions = [edge for edge in graph.edges if edge.label == MENTION]
    lines += [f"R{number}\t{MENTION} Arg1:{names[edge.head]} Arg2:{names[edge.tail]}" for number, edge in enumerate(mentions, 1)]
    return lines


def _fragments(text: str, node: Node) -> str:
    """Places of a span; brat cuts spans at line ends."""
    places = [node.start]
    for found in _BREAKS.finditer(text, node.start, node.end):
        places += [found.start(), found.end()]
    places.append(node.end)
    pairs = [pair for pair in zip(places[::2], places[1::2], strict=True) if pair[0] < pair[1]]
    return ";".join(f"{start} {end}" for start, end in pairs)
