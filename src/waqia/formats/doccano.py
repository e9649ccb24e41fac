"""doccano: sequence labelling with relations, one JSON object a line, as it imports and exports "JSONL (relation)".

Spans have a label and nothing else ("shelling:alleged", "initiator:REB"), and quote no words. All else that a record has stands beside the
text as JSON in one field, "waqia", which doccano carries along; it also says how offsets are counted (UTF-16 units, as its pages do). It is
one field of text since doccano reads a file as a table: a field that some rows lack becomes NaN there, which its database refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from waqia.errors import RecordError
from waqia.formats.graph import Edge, Graph, Node, Remark, from_record, joint_label, need, split_label, to_record, without_facts
from waqia.formats.offsets import UTF16, to_unit
from waqia.labels import LabelSet
from waqia.records import dump_row
from waqia.schema import Record

_BESIDE = "waqia"
_OURS = (_BESIDE, "record_id", "offsets", "annotated", "mentions_asked")
_THEIRS = ("id", "text", "entities", "relations", "label", "labels", "Comments", "comments")


def label_types(labels: LabelSet) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Label types of spans and of relations, to be imported under Labels of a doccano project."""
    plain = labels.default_status
    names = [name if status == plain else f"{name}:{status}" for name in labels.incident_types for status in labels.statuses]
    for name, role in labels.roles.items():
        names += [f"{name}:{sector}" for sector in labels.sectors] if role.sector else [name]
    return [{"text": name} for name in names], [{"text": name} for name in (*labels.roles, "mention")]


def read(rows: Iterable[tuple[int, Any]], labels: LabelSet, where: str, *, unit: str | None = None) -> tuple[list[Record], list[Remark]]:
    """Records of exported rows, (line, object) each; RecordError lists every fault."""
    records: list[Record] = []
    remarks: list[Remark] = []
    faults: list[str] = []
    for number, row in rows:
        try:
            graph, counted = _graph(row, labels, f"{where}:{number}")
            record, said = to_record(graph, labels, f"{where}:{number}", unit=counted or unit)
        except RecordError as error:
            faults += str(error).splitlines()
            continue
        records.append(record)
        remarks += said
    if faults:
        raise RecordError("\n".join(faults))
    return records, remarks


def write(records: Sequence[Record], labels: LabelSet) -> tuple[list[dict[str, Any]], list[Remark]]:
    """Rows to import."""
    rows: list[dict[str, Any]] = []
    remarks: list[Remark] = []
    above = 0
    for record in records:
        graph, lost = without_facts(from_record(record))
        remarks += lost
        rows.append(_row(graph, labels, above))
        above += len(graph.nodes) + len(graph.edges)
    return rows, remarks


def _graph(row: Any, labels: LabelSet, where: str) -> tuple[Graph, str | None]:
    need(row, where, {"text": str})
    nodes = list(_nodes(row, labels, where))
    edges = []
    for relation in row.get("relations") or []:
        need(relation, f"{where} relation", {"from_id": int, "to_id": int, "type": str})
        edges.append(Edge(str(relation["from_id"]), str(relation["to_id"]), relation["type"]))
    own = _own(row, where)
    extra = {**(own.get("fields") or {}), **{key: value for key, value in row.items() if key not in _THEIRS + _OURS}}
    if row.get("Comments"):
        extra["comments"] = row["Comments"]
    annotated, name = own.get("annotated"), own.get("record_id", row.get("id", where))
    asked = None if annotated is None else tuple(annotated)
    return Graph(name, row["text"], tuple(nodes), tuple(edges), asked, bool(own.get("mentions_asked")), extra), own.get("offsets")


def _own(row: dict[str, Any], where: str) -> dict[str, Any]:
    """What stands beside the text of ours: in one field, or in fields of their own as files before wrote them."""
    if _BESIDE not in row:
        return row
    try:
        own = json.loads(row[_BESIDE])
    except (TypeError, ValueError) as error:
        raise RecordError(f"{where}: {_BESIDE} is {row[_BESIDE]!r:.60}, expected the JSON text that `waqia convert` wrote") from error
    need(own, f"{where} {_BESIDE}", {"offsets": str})
    return dict(own)


def _nodes(row: dict[str, Any], labels: LabelSet, where: str) -> Iterator[Node]:
    if "entities" in row:
        need(row, where, {"entities": list})
        for entity in row["entities"]:
            need(entity, f"{where} entity", {"id": int, "label": str, "start_offset": int, "end_offset": int})
            label, value = split_label(entity["label"], labels)
            yield Node(str(entity["id"]), entity["start_offset"], entity["end_offset"], None, label, value)
        return
    spans = row.get("label", row.get("labels"))
    if not isinstance(spans, list):
        raise RecordError(f"{where}: has neither entities nor label; export as JSONL (of a sequence labelling project)")
    for number, span in enumerate(spans):
        if not (isinstance(span, list) and len(span) == 3 and type(span[0]) is type(span[1]) is int and isinstance(span[2], str)):
            raise RecordError(f"{where}: label {number} is {span!r}, expected [start, end, label]")
        yield Node(f"label {number}", span[0], span[1], None, *split_label(span[2], labels))


def _row(graph: Graph, labels: LabelSet, above: int) -> dict[str, Any]:
    """Ids are unique in the whole file: doccano looks relations up among all of it."""
    entities = [
        {
            "id": above + int(node.key),
            "label": joint_label(node, labels),
            "start_offset": to_unit(graph.text, node.start, UTF16),
            "end_offset": to_unit(graph.text, node.end, UTF16),
        }
        for node in graph.nodes
    ]
    relations = [
        {"id": above + number, "from_id": above + int(edge.head), "to_id": above + int(edge.tail), "type": edge.label}
        for number, edge in enumerate(graph.edges, 1)
    ]
    ours: dict[str, Any] = {"record_id": graph.id, "offsets": UTF16}
    if graph.annotated is not None:
        ours["annotated"] = list(graph.annotated)
    if graph.asked:
        ours["mentions_asked"] = True
    if graph.extra:
        ours["fields"] = dict(graph.extra)
    return {"text": graph.text, "entities": entities, "relations": relations, _BESIDE: dump_row(ours)}
