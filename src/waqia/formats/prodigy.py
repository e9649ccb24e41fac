"""Prodigy: spans and relations as `rel.manual` shows and saves them, one JSON object a line.

Offsets are code points; a span has a label and nothing else, so that two spans of one label over the same words are one.
Fields that are not the tool's stand under "meta".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from waqia.formats.graph import (
    Edge,
    Graph,
    Node,
    Remark,
    from_record,
    joint_label,
    need,
    split_label,
    to_records,
    without_facts,
    without_twins,
    words,
)
from waqia.formats.offsets import CODE_POINTS
from waqia.labels import LabelSet
from waqia.schema import Record


def read(rows: Iterable[tuple[int, Any]], labels: LabelSet, where: str, *, unit: str | None = None) -> tuple[list[Record], list[Remark]]:
    """Records of the accepted rows, (line, object) each; others are left out and counted."""
    remarks: list[Remark] = []
    records, said = to_records(_graphs(rows, labels, where, remarks), labels, unit=unit or CODE_POINTS)
    return records, remarks + said


def write(records: Sequence[Record], labels: LabelSet) -> tuple[list[dict[str, Any]], list[Remark]]:
    """Rows for `prodigy rel.manual` (as a source with spans and relations to correct) or `db-in`."""
    rows: list[dict[str, Any]] = []
    remarks: list[Remark] = []
    for record in records:
        graph, lost = without_facts(from_record(record))
        graph, twins = without_twins(graph, labels)
        remarks += lost + twins
        rows.append(_row(graph, labels))
    return rows, remarks


def _graphs(rows: Iterable[tuple[int, Any]], labels: LabelSet, where: str, remarks: list[Remark]) -> Iterator[tuple[Graph, str]]:
    for number, row in rows:
        here = f"{where}:{number}"
        need(row, here, {"text": str})
        if row.get("answer", "accept") != "accept":
            remarks.append(Remark(f"answer {row['answer']}, left out", here))
            continue
        yield _graph(row, labels, here, number), here


def _graph(row: dict[str, Any], labels: LabelSet, where: str, number: int) -> Graph:
    nodes: list[Node] = []
    by_token: dict[int, str] = {}
    for span in row.get("spans") or []:
        need(span, f"{where} span", {"start": int, "end": int, "label": str})
        key = f"{span['start']}:{span['end']}:{span['label']}"
        by_token |= dict.fromkeys(range(span.get("token_start", 0), span.get("token_end", -1) + 1), key)
        nodes.append(Node(key, span["start"], span["end"], span.get("text"), *split_label(span["label"], labels)))
    edges = []
    for relation in row.get("relations") or []:
        need(relation, f"{where} relation", {"head": int, "child": int, "label": str})
        ends = [_end(relation, side, by_token) for side in ("head", "child")]
        edges.append(Edge(ends[0], ends[1], relation["label"]))
    extra = dict(row.get("meta") or {})
    annotated, asked, name = extra.pop("annotated", None), bool(extra.pop("mentions_asked", False)), extra.pop("id", f"line {number}")
    return Graph(name, row["text"], tuple(nodes), tuple(edges), None if annotated is None else tuple(annotated), asked, extra)


def _end(relation: dict[str, Any], side: str, by_token: dict[int, str]) -> str:
    span = relation.get(f"{side}_span")
    if isinstance(span, dict) and {"start", "end", "label"} <= set(span):
        return f"{span['start']}:{span['end']}:{span['label']}"
    return by_token.get(relation[side], f"token {relation[side]}")


def _row(graph: Graph, labels: LabelSet) -> dict[str, Any]:
    tokens = words(graph)
    starts, ends = {start: n for n, (start, _) in enumerate(tokens)}, {end: n for n, (_, end) in enumerate(tokens)}
    spans: dict[str, dict[str, Any]] = {}
    for node in graph.nodes:
        held = {"token_start": starts[node.start], "token_end": ends[node.end]}
        spans[node.key] = {"start": node.start, "end": node.end, **held, "label": joint_label(node, labels)}
    relations = [
        {
            "head": spans[edge.head]["token_end"],
            "child": spans[edge.tail]["token_end"],
            "head_span": spans[edge.head],
            "child_span": spans[edge.tail],
            "label": edge.label,
        }
        for edge in graph.edges
    ]
    meta: dict[str, Any] = {**graph.extra, "id": graph.id}
    if graph.annotated is not None:
        meta["annotated"] = list(graph.annotated)
    if graph.asked:
        meta["mentions_asked"] = True
    shown = [
        {"text": graph.text[start:end], "start": start, "end": end, "id": n, "ws": graph.text[end : end + 1].isspace()}
        for n, (start, end) in enumerate(tokens)
    ]
    return {"text": graph.text, "meta": meta, "tokens": shown, "spans": list(spans.values()), "relations": relations}
