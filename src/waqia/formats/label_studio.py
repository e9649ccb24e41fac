"""Label Studio: tasks as its JSON import and export hold them, and the labelling configuration made from our label set.

Triggers and participants are regions of <Labels>; status, sector, date and totals are per-region controls under the region's id; relations
lead from the trigger. Offsets are written in code points, as the page of 1.23.2 counts them (looked at; with UTF-16 units it marked words
two letters further on behind two emoji); files of versions that count otherwise are read too. https://labelstud.io/guide/task_format and https://labelstud.io/guide/predictions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from waqia.errors import RecordError
from waqia.formats.graph import MENTION, Edge, Graph, Node, Remark, from_record, need, to_records
from waqia.labels import LabelSet
from waqia.schema import Record

_COLOURS = ("#c0392b", "#d35400", "#8e44ad", "#2471a3", "#117864", "#7d6608", "#5d6d7e", "#a04000")


def template(labels: LabelSet) -> str:
    """The labelling configuration: paste it under Settings > Labeling Interface > Code."""
    groups = list(dict.fromkeys(kind.group for kind in labels.incident_types.values()))
    lines = ["<View>", '  <Relations choice="single">']
    lines += [f"    <Relation value={quoteattr(name)}/>" for name in (*labels.roles, MENTION)]
    lines += ["  </Relations>", '  <Labels name="label" toName="text">']
    for name, kind in labels.incident_types.items():
        colour = _COLOURS[groups.index(kind.group) % len(_COLOURS)]
        lines.append(f'    <Label value={quoteattr(name)} alias={quoteattr(name)} hint={quoteattr(kind.ar)} background="{colour}"/>')
    lines += [f'    <Label value={quoteattr(name)} hint={quoteattr(role.ar)} background="#1e8449"/>' for name, role in labels.roles.items()]
    lines += ["  </Labels>", '  <View style="direction: rtl; text-align: right">', '    <Text name="text" value="$text"/>', "  </View>"]
    actors = ",".join(name for name, role in labels.roles.items() if role.sector)
    types = ",".join(labels.incident_types)
    lines += _choices("status", types, labels.statuses) + _choices("sector", actors, labels.sectors)
    shown = f'perRegion="true" whenTagName="label" whenLabelValue={quoteattr(types)}'
    lines.append(f'  <TextArea name="date" toName="text" {shown} placeholder="2015-07-30"/>')
    lines += [f'  <Number name="{name}" toName="text" {shown} min="0"/>' for name in ("killed", "injured")]
    return "\n".join([*lines, "</View>"]) + "\n"


def _choices(name: str, shown_for: str, values: Iterable[str]) -> list[str]:
    shown = f'perRegion="true" whenTagName="label" whenLabelValue={quoteattr(shown_for)}'
    head = f'  <Choices name="{name}" toName="text" choice="single" {shown}>'
    return [head, *(f"    <Choice value={quoteattr(value)}/>" for value in values), "  </Choices>"]


def read(tasks: Any, labels: LabelSet, where: str, *, unit: str | None = None) -> tuple[list[Record], list[Remark]]:
    """Records of an exported list of tasks; of several annotations the ground truth, else the first not cancelled."""
    if not isinstance(tasks, list):
        raise RecordError(f"{where}: found {type(tasks).__name__}, expected the list of tasks that Label Studio exports as JSON")
    remarks: list[Remark] = []
    records, said = to_records(_graphs(tasks, where, remarks), labels, unit=unit)
    return records, remarks + said


def write(records: Sequence[Record], labels: LabelSet, *, prelabel: bool = False) -> tuple[list[dict[str, Any]], list[Remark]]:
    """Tasks to import; with `prelabel` the incidents stand as predictions to correct, else as annotations."""
    return [_task(from_record(record), labels, prelabel) for record in records], []


def _graphs(tasks: list[Any], where: str, remarks: list[Remark]) -> Iterator[tuple[Graph, str]]:
    for number, task in enumerate(tasks):
        here = f"{where} task {number}"
        if isinstance(task, dict) and "data" not in task:
            raise RecordError(f'{here}: has no "data": export as JSON (JSON-MIN has no relations)')
        need(task, here, {"data": dict})
        need(task["data"], f"{here} data", {"text": str})
        done = [a for a in task.get("annotations") or [] if isinstance(a, dict) and not a.get("was_cancelled")]
        done.sort(key=lambda annotation: not annotation.get("ground_truth"))
        if not done:
            remarks.append(Remark("task without a finished annotation, left out", here))
            continue
        remarks += [Remark("task with several annotations, one taken", here)] * (len(done) > 1)
        yield _graph(task, done[0].get("result") or [], here, remarks), here


def _graph(task: dict[str, Any], result: list[Any], where: str, remarks: list[Remark]) -> Graph:
    regions: dict[str, dict[str, Any]] = {}
    edges: list[Edge] = []
    for part in result:
        need(part, where, {"type": str})
        if part["type"] == "relation":
            head, tail = part["from_id"], part["to_id"]
            if part.get("direction") == "left":
                head, tail = tail, head
            edges.append(Edge(head, tail, next(iter(part.get("labels") or []), None)))
        elif isinstance(part.get("id"), str) and isinstance(part.get("value"), dict):
            _into(regions.setdefault(part["id"], {}), part)
    bare = [key for key, region in regions.items() if "label" not in region]
    remarks += [Remark("region without a label, left out", where) for _ in bare]
    nodes = [_node(key, region, where) for key, region in regions.items() if "label" in region]
    data = dict(task["data"])
    text, annotated, asked = data.pop("text"), data.pop("annotated", None), bool(data.pop("mentions_asked", False))
    name = data.pop("id", task.get("id", where))
    return Graph(name, text, tuple(nodes), tuple(edges), None if annotated is None else tuple(annotated), asked, data)


def _into(region: dict[str, Any], part: dict[str, Any]) -> None:
    """Add what one result says of a region; all results of a region share its id."""
    value, name = part["value"], part.get("from_name")
    if part["type"] == "labels":
        region |= {"start": value.get("start"), "end": value.get("end"), "quote": value.get("text"), "score": part.get("score")}
        region["label"] = next(iter(value.get("labels") or []), "")
    elif part["type"] == "choices" and value.get("choices"):
        region["value"] = value["choices"][0]
    elif name == "date" and value.get("text"):
        region["date"] = value["text"][0] if isinstance(value["text"], list) else value["text"]
    elif name in ("killed", "injured") and value.get("number") is not None:
        region[name] = value["number"]


def _node(key: str, region: dict[str, Any], where: str) -> Node:
    need(region, f"{where} region {key}", {"start": int, "end": int, "label": str})
    facts: dict[str, Any] = {name: region[name] for name in ("date", "killed", "injured") if name in region}
    return Node(key, region["start"], region["end"], region["quote"], region["label"], region.get("value"), region["score"], facts)


def _task(graph: Graph, labels: LabelSet, prelabel: bool) -> dict[str, Any]:
    data = {**graph.extra, "id": graph.id, "text": graph.text}
    if graph.annotated is not None:
        data["annotated"] = list(graph.annotated)
    if graph.asked or prelabel:  # who corrects a reading is asked for other mentions, also where the model found no incident
        data["mentions_asked"] = True
    result = [part for node in graph.nodes for part in _parts(node, labels)]
    for edge in graph.edges:
        result.append({"type": "relation", "from_id": edge.head, "to_id": edge.tail, "direction": "right", "labels": [edge.label]})
    if prelabel:
        scores = [node.score for node in graph.nodes if node.score is not None and node.label in labels.incident_types]
        least = {"score": min(scores)} if scores else {}
        return {"data": data, "predictions": [{"model_version": "waqia", **least, "result": result}]}
    return {"data": data, "annotations": [{"result": result}]}


def _parts(node: Node, labels: LabelSet) -> Iterator[dict[str, Any]]:
    place = {"start": node.start, "end": node.end}
    base = {"id": node.key, "to_name": "text"}
    score = {} if node.score is None else {"score": node.score}
    yield {**base, "from_name": "label", "type": "labels", **score, "value": {**place, "text": node.quote, "labels": [node.label]}}
    if node.value is not None:
        name = "status" if node.label in labels.incident_types else "sector"
        yield {**base, "from_name": name, "type": "choices", "value": {**place, "text": node.quote, "choices": [node.value]}}
    for name, value in node.facts.items():
        if name == "date":
            yield {**base, "from_name": name, "type": "textarea", "value": {**place, "text": [value]}}
        else:
            yield {**base, "from_name": name, "type": "number", "value": {**place, "number": value}}
