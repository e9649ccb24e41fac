"""CoNLL columns with IOB2 tags: a token a line, a blank line between texts.

Ours have a column of all triggers and then one an incident with its trigger, roles and other mentions, as semantic roles are written in
CoNLL-2005; comments keep id, text and fields. Of other files the first column is read as the token and the last as its tag.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from waqia.errors import RecordError
from waqia.formats.graph import MENTION, Edge, Graph, Node, Remark, from_record, joint_label, split_label, to_records, without_facts, words
from waqia.formats.offsets import CODE_POINTS
from waqia.labels import LabelSet
from waqia.schema import Record

_HEAD = "# columns = token triggers incidents"


def read(text: str, labels: LabelSet, where: str) -> tuple[list[Record], list[Remark]]:
    """Records of a file's text; what roles belong to is taken from our columns, or from there being one trigger only."""
    remarks: list[Remark] = []
    records, said = to_records(_graphs(text, labels, where, remarks), labels, unit=CODE_POINTS)
    return records, remarks + said


def write(records: Sequence[Record], labels: LabelSet) -> tuple[str, list[Remark]]:
    """The file's text; tokens are cut where spans begin and end, and of spans of one incident that overlap the first is kept."""
    lines, remarks = [_HEAD], []
    for record in records:
        graph, lost = without_facts(from_record(record))
        remarks += lost
        lines += [*_block(graph, labels, remarks), ""]
    return "\n".join(lines) + "\n", remarks


def _block(graph: Graph, labels: LabelSet, remarks: list[Remark]) -> Iterator[str]:
    fields: dict[str, Any] = {"fields": dict(graph.extra)} if graph.extra else {}
    fields |= {} if graph.annotated is None else {"annotated": list(graph.annotated)}
    fields |= {"mentions_asked": True} if graph.asked else {}
    yield f"# id = {json.dumps(graph.id, ensure_ascii=False)}"
    yield f"# text = {json.dumps(graph.text, ensure_ascii=False)}"
    if fields:
        yield f"# more = {json.dumps(fields, ensure_ascii=False)}"
    nodes = {node.key: node for node in graph.nodes}
    tokens = words(graph)
    others = {edge.tail for edge in graph.edges if edge.label == MENTION}
    remarks += [
        Remark("other mention of a participant cannot be expressed, lost", str(graph.id)) for k in others if nodes[k].label in labels.roles
    ]
    triggers = [node for node in graph.nodes if node.label in labels.incident_types and node.key not in others]
    columns = [_tags([(node, joint_label(node, labels)) for node in triggers], tokens, str(graph.id), None)]
    for trigger in triggers:
        spans = [(trigger, joint_label(trigger, labels))]
        for edge in graph.edges:
            if edge.head == trigger.key:
                node = nodes[edge.tail]
                spans.append((node, MENTION if edge.label == MENTION else joint_label(node, labels)))
        columns.append(_tags(spans, tokens, str(graph.id), remarks))
    for token, (start, end) in enumerate(tokens):
        shown = graph.text[start:end] if graph.text[start:end].strip() else "_"
        yield "\t".join([shown, *(column[token] for column in columns)])


def _tags(spans: Iterable[tuple[Node, str]], tokens: list[tuple[int, int]], where: str, remarks: list[Remark] | None) -> list[str]:
    tags = ["O"] * len(tokens)
    for node, label in spans:
        inside = [n for n, (start, end) in enumerate(tokens) if node.start <= start and end <= node.end]
        if any(tags[n] != "O" for n in inside):
            if remarks is not None:
                remarks.append(Remark("span that overlaps another of its incident cannot be expressed, lost", where))
            continue
        for n in inside:
            tags[n] = f"{'B' if n == inside[0] else 'I'}-{label}"
    return tags


def _graphs(text: str, labels: LabelSet, where: str, remarks: list[Remark]) -> Iterator[tuple[Graph, str]]:
    ours = text.startswith(_HEAD)
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], 1):
        if line.strip():
            if line != _HEAD and not line.startswith("-DOCSTART-"):
                block.append((number, line))
            continue
        if block:
            here = f"{where}:{block[0][0]}"
            yield _graph(block, ours, labels, where, here, remarks), here
        block = []


def _graph(block: list[tuple[int, str]], ours: bool, labels: LabelSet, where: str, here: str, remarks: list[Remark]) -> Graph:
    known: dict[str, Any] = {}
    rows: list[tuple[int, list[str]]] = []
    for number, line in block:
        if line.startswith("# ") and " = " in line:
            name, _, value = line[2:].partition(" = ")
            known[name] = _value(value, f"{where}:{number}")
        else:
            rows.append((number, line.split("\t") if ours else line.split()))
    width = len(rows[0][1]) if rows else 2
    for number, row in rows:
        if len(row) != width or width < 2:
            raise RecordError(f"{where}:{number}: has {len(row)} columns, expected {max(width, 2)}: a token and its tags")
    text, places = _text(known.get("text"), rows, where, here, remarks)
    nodes, edges = _columns(rows, places, ours, labels, where, here, remarks)
    more = known.get("more") or {}
    annotated = more.get("annotated")
    asked = None if annotated is None else tuple(annotated)
    return Graph(known.get("id", here), text, tuple(nodes), tuple(edges), asked, bool(more.get("mentions_asked")), more.get("fields", {}))


def _value(value: str, where: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value  # a comment as CoNLL-U writes them


def _text(
    text: str | None, rows: list[tuple[int, list[str]]], where: str, here: str, remarks: list[Remark]
) -> tuple[str, list[tuple[int, int]]]:
    tokens = [row[0] for _, row in rows]
    if text is None:
        remarks.append(Remark("no text beside the tokens, joined with spaces", here))
        text = " ".join(tokens)
    places, at = [], 0
    for (number, _), token in zip(rows, tokens, strict=True):
        start = at if token == "_" and text[at : at + 1].isspace() else text.find(token, at)
        if start < 0:
            raise RecordError(f"{where}:{number}: token {token!r} is not in the text after character {at}; leave tokens as they are")
        at = start + len(token)
        places.append((start, at))
    return text, places


def _columns(
    rows: list[tuple[int, list[str]]],
    places: list[tuple[int, int]],
    ours: bool,
    labels: LabelSet,
    where: str,
    here: str,
    remarks: list[Remark],
) -> tuple[list[Node], list[Edge]]:
    width = len(rows[0][1]) if rows else 0
    nodes: list[Node] = []
    edges: list[Edge] = []
    for column in range(2, width) if ours else range(width - 1, width):
        made = [(n, *place) for n, place in enumerate(_spans(rows, places, column, where))]
        new = []
        for n, start, end, joint in made:
            label, value = ("", None) if joint == MENTION else split_label(joint, labels)
            new.append(Node(f"{column}.{n}", start, end, None, label, value))
        triggers = [node for node in new if node.label in labels.incident_types]
        if ours and len(triggers) != 1:
            raise RecordError(f"{here}: column {column + 1} has {len(triggers)} triggers, expected one: a column is an incident")
        if len(triggers) == 1:
            head = triggers[0]
            new = [node if node.label else Node(node.key, node.start, node.end, None, head.label, head.value) for node in new]
            edges += [Edge(head.key, node.key, None) for node in new if node is not head]
        nodes += new
    return nodes, edges


def _spans(rows: list[tuple[int, list[str]]], places: list[tuple[int, int]], column: int, where: str) -> Iterator[tuple[int, int, str]]:
    start, end, label = 0, 0, ""
    for (number, row), place in zip(rows, places, strict=True):
        tag, _, name = row[column].partition("-")
        if tag not in ("B", "I", "O") or (tag == "O") != (not name) or (tag == "I" and name != label):
            raise RecordError(
                f"{where}:{number}: tag {row[column]!r} after {label or 'O'!r} is no IOB2; spans begin with B- and go on with I-"
            )
        if tag != "I" and label:
            yield start, end, label
        if tag != "I":
            start, label = place[0], name
        end = place[1]
    if label:
        yield start, end, label
