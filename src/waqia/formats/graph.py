"""What every annotation tool shows: labelled spans joined by relations. A record is taken apart into that and put together from it.

An incident is its trigger, labelled with the type; relations lead from the trigger to its participants (labelled with their role) and,
named "mention", to its other mentions; other mentions of a participant are joined to it in the same way.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from waqia.errors import RecordError
from waqia.formats.offsets import CODE_POINTS, Mark, settle
from waqia.labels import LabelSet
from waqia.records import id_key, parse_record
from waqia.schema import Id, Participant, Record, Span

MENTION = "mention"  # the relation to another mention
FACTS = ("date", "killed", "injured")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a conversion lost, repaired or took for granted: what, and in which record."""

    what: str
    where: str


def counted(remarks: Iterable[Remark]) -> list[str]:
    """One line a kind of remark: how often, what, and where first."""
    remarks = list(remarks)
    first: dict[str, str] = {}
    for remark in remarks:
        first.setdefault(remark.what, remark.where)
    return [f"{count} × {what} (first: {first[what]})" for what, count in Counter(remark.what for remark in remarks).most_common()]


@dataclass(frozen=True, slots=True)
class Node:
    """A labelled span; offsets in the tool's units, `label` a type or a role, `value` the status or the sector (None: not given)."""

    key: str
    start: int
    end: int
    quote: str | None
    label: str
    value: str | None = None
    score: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation between two nodes, by their keys; `label` is a role, "mention", or None where the annotator chose none."""

    head: str
    tail: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A text with its nodes and edges; `asked` says that annotators looked for other mentions, so that none means none."""

    id: Id
    text: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    annotated: tuple[str, ...] | None = None
    asked: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def from_record(record: Record) -> Graph:
    """Take a record apart; a participant of several incidents, alike in all, is one node."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    known: dict[Participant, str] = {}

    def add(span: Span, label: str, value: str | None, score: float | None = None, facts: Mapping[str, Any] | None = None) -> str:
        key = str(len(nodes) + 1)
        nodes.append(Node(key, span.start, span.end, span.text, label, value, score, facts or {}))
        return key

    for incident in record.incidents:
        told = [name for name in FACTS if name != "date" or not incident.date_guessed]  # a guess is no label
        facts = {name: value for name in told if (value := getattr(incident, name)) is not None}
        trigger = add(incident.trigger, incident.type, incident.status, incident.score, facts)
        edges += [Edge(trigger, add(span, incident.type, incident.status), MENTION) for span in incident.mentions or ()]
        for participant in incident.participants:
            if participant not in known:
                known[participant] = key = add(participant, participant.role, participant.sector, participant.score)
                edges += [Edge(key, add(span, participant.role, participant.sector), MENTION) for span in participant.mentions]
            edges.append(Edge(trigger, known[participant], participant.role))
    asked = any(incident.mentions is not None for incident in record.incidents)
    return Graph(record.id, record.text, tuple(nodes), tuple(edges), record.annotated, asked, record.extra)


def to_record(graph: Graph, labels: LabelSet, where: str, *, unit: str | None = None) -> tuple[Record, list[Remark]]:
    """Put a record together and prove it; RecordError lists every fault. `unit` says how offsets are counted, if nothing proves it."""
    remarks: list[Remark] = []
    faults: list[str] = []
    for node in graph.nodes:
        if node.label not in labels.incident_types and node.label not in labels.roles:
            faults.append(f"{where}: label {node.label!r} is neither an incident type nor a role of {labels.name}; see `waqia labels`")
    keys = {node.key for node in graph.nodes}
    faults += [
        f"{where}: a relation joins {e.head!r} and {e.tail!r}, one of which is missing" for e in graph.edges if {e.head, e.tail} - keys
    ]
    if faults:
        raise RecordError("\n".join(faults))
    settled = settle(graph.text, [Mark(node.start, node.end, node.quote) for node in graph.nodes], where, unit=unit)
    remarks += [Remark(f"offsets counted in {name}, repaired", where) for name in settled.units if name != CODE_POINTS]
    spans = {node.key: span for node, span in zip(graph.nodes, settled.spans, strict=True)}
    joined = _joined(graph, labels, where, remarks)
    row = {
        "id": graph.id,
        **graph.extra,
        "text": graph.text,
        **({} if graph.annotated is None else {"annotated": list(graph.annotated)}),
        "incidents": list(_incidents(graph, spans, joined, labels, where, remarks)),
    }
    return parse_record(row, labels, where), remarks


def to_records(graphs: Iterable[tuple[Graph, str]], labels: LabelSet, *, unit: str | None = None) -> tuple[list[Record], list[Remark]]:
    """Records of all (graph, where); RecordError lists the faults of all, one a line, and ids that stand twice."""
    records: list[Record] = []
    remarks: list[Remark] = []
    faults: list[str] = []
    first: dict[str, str] = {}
    for graph, where in graphs:
        try:
            record, said = to_record(graph, labels, where, unit=unit)
        except RecordError as error:
            faults += str(error).splitlines()
            continue
        name = id_key(record.id)
        if name in first:
            faults.append(f"{where}: id {record.id!r} stands already in {first[name]}; ids must be unique in a file")
        first[name] = where
        records.append(record)
        remarks += said
    if faults:
        raise RecordError("\n".join(faults))
    return records, remarks


def need(item: Any, where: str, kinds: Mapping[str, type]) -> None:
    """RecordError unless an item is an object that has these fields, each of its type."""
    if not isinstance(item, dict):
        raise RecordError(f"{where}: found {type(item).__name__}, expected an object with {', '.join(kinds)}")
    for name, kind in kinds.items():
        if not isinstance(item.get(name), kind) or isinstance(item.get(name), bool):
            raise RecordError(f"{where}: {name} is {item.get(name)!r:.60}, expected {kind.__name__}")


@dataclass(frozen=True, slots=True)
class _Joined:
    """Span -> its other mentions, trigger -> its participants; all by key, in the order of the edges."""

    mentions: Mapping[str, list[str]]
    participants: Mapping[str, list[str]]
    owner: Mapping[str, str]  # other mention -> the span that it is a mention of


def _joined(graph: Graph, labels: LabelSet, where: str, remarks: list[Remark]) -> _Joined:
    nodes = {node.key: node for node in graph.nodes}
    owner: dict[str, str] = {}
    drawn: list[tuple[str, str]] = []
    for edge in graph.edges:
        head, tail = nodes[edge.head], nodes[edge.tail]
        if (head.label in labels.incident_types) == (tail.label in labels.incident_types):
            if owner.get(tail.key, head.key) != head.key or head.label != tail.label:
                raise RecordError(f"{where}: {tail.quote or tail.key!r} is joined as a mention of two, or of one with another label")
            owner[tail.key] = head.key
            continue
        if tail.label in labels.incident_types:
            head, tail = tail, head
            remarks.append(Remark("relation drawn from participant to trigger, turned", where))
        if edge.label in labels.roles and edge.label != tail.label:
            raise RecordError(
                f"{where}: {tail.quote or tail.key!r} is labelled {tail.label}, but joined as {edge.label}; make them the same"
            )
        drawn.append((head.key, tail.key))
    owner = {key: _root(key, owner, where) for key in owner}
    mentions: dict[str, list[str]] = {key: [] for key in nodes}
    participants: dict[str, list[str]] = {key: [] for key in nodes}
    for key, root in owner.items():
        mentions[root].append(key)
    for trigger, participant in drawn:  # what is drawn from or to another mention holds for the whole
        trigger, participant = owner.get(trigger, trigger), owner.get(participant, participant)
        if participant not in participants[trigger]:
            participants[trigger].append(participant)
    return _Joined(mentions, participants, owner)


def _root(key: str, owner: Mapping[str, str], where: str) -> str:
    seen = {key}
    while key in owner:
        key = owner[key]
        if key in seen:
            raise RecordError(f"{where}: relations between mentions run in a circle; let them all start at one mention")
        seen.add(key)
    return key


def _incidents(
    graph: Graph, spans: Mapping[str, Span], joined: _Joined, labels: LabelSet, where: str, remarks: list[Remark]
) -> Iterator[dict[str, Any]]:
    nodes = {node.key: node for node in graph.nodes}
    asked = graph.asked or any(joined.mentions[node.key] for node in graph.nodes if node.label in labels.incident_types)
    used: set[str] = set()
    for node in graph.nodes:
        if node.label in labels.roles or node.key in joined.owner:
            continue
        used |= set(joined.participants[node.key])
        yield {
            "type": node.label,
            "status": node.value or _taken(labels.default_status, "status", where, remarks),
            **({} if node.score is None else {"score": node.score}),
            "trigger": spans[node.key].to_dict(),
            **({"mentions": [spans[key].to_dict() for key in joined.mentions[node.key]]} if asked else {}),
            **node.facts,
            "participants": [_participant(nodes[key], spans, joined, labels, where, remarks) for key in joined.participants[node.key]],
        }
    for node in graph.nodes:
        if node.label in labels.roles and node.key not in used and node.key not in joined.owner:
            remarks.append(Remark(f"{node.label} joined to no incident, left out", where))


def _participant(
    node: Node, spans: Mapping[str, Span], joined: _Joined, labels: LabelSet, where: str, remarks: list[Remark]
) -> dict[str, Any]:
    sector = node.value
    if labels.roles[node.label].sector and sector is None and labels.unknown_sector is not None:
        sector = _taken(labels.unknown_sector, "sector", where, remarks)
    others = [spans[key].to_dict() for key in joined.mentions[node.key]]
    return {
        "role": node.label,
        "sector": sector,
        **({} if node.score is None else {"score": node.score}),
        **spans[node.key].to_dict(),
        **({"mentions": others} if others else {}),
    }


def _taken(value: str, what: str, where: str, remarks: list[Remark]) -> str:
    remarks.append(Remark(f"no {what} chosen, taken as {value}", where))
    return value


# --- tools whose spans have a label and nothing else: "shelling:alleged", "initiator:REB"


def joint_label(node: Node, labels: LabelSet) -> str:
    """Label and value in one; the default status of the label set goes without saying."""
    plain = node.value is None or (node.label in labels.incident_types and node.value == labels.default_status)
    return node.label if plain else f"{node.label}:{node.value}"


def split_label(joint: str, labels: LabelSet) -> tuple[str, str | None]:
    """The label and the value that `joint_label` joined; a type alone has the default status."""
    label, _, value = joint.rpartition(":")
    if not label or joint in labels.incident_types or joint in labels.roles:
        label, value = joint, ""
    if not value and label in labels.incident_types:
        return label, labels.default_status
    return label, value or None


def words(graph: Graph) -> list[tuple[int, int]]:
    """Tokens of the text, half-open: runs of letters or single signs, cut wherever a span begins or ends so that spans are whole tokens."""
    starts, ends = {node.start for node in graph.nodes}, {node.end for node in graph.nodes}
    tokens: list[tuple[int, int]] = []
    for found in re.finditer(r"\w+|\s+|[^\w\s]", graph.text):
        first, last = found.span()
        if found[0].isspace() and not any(place in starts or place + 1 in ends for place in range(first, last)):
            continue  # white space is a token only where a span takes some of it in
        places = [first, *(place for place in range(first + 1, last) if place in starts or place in ends), last]
        tokens += itertools.pairwise(places)
    return tokens


def without_facts(graph: Graph) -> tuple[Graph, list[Remark]]:
    """The graph as such tools can hold it, and remarks for scores, dates and totals that they cannot."""
    lost = [Remark(f"{name} of an incident cannot be expressed, lost", str(graph.id)) for node in graph.nodes for name in node.facts]
    lost += [Remark("score cannot be expressed, lost", str(graph.id)) for node in graph.nodes if node.score is not None]
    return replace(graph, nodes=tuple(replace(node, facts={}, score=None) for node in graph.nodes)), lost


def without_twins(graph: Graph, labels: LabelSet) -> tuple[Graph, list[Remark]]:
    """Nodes of the same words and label made one, for tools that know spans by these; each is remarked: two incidents may become one."""
    known: dict[tuple[int, int, str], str] = {}
    same: dict[str, str] = {}
    remarks: list[Remark] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        place = node.start, node.end, joint_label(node, labels)
        same[node.key] = known.setdefault(place, node.key)
        if same[node.key] == node.key:
            nodes.append(node)
        else:
            remarks.append(Remark(f"two spans {place[2]} over the same words made one, with what is joined to both", str(graph.id)))
    edges = dict.fromkeys(Edge(same[edge.head], same[edge.tail], edge.label) for edge in graph.edges)
    return replace(graph, nodes=tuple(nodes), edges=tuple(edge for edge in edges if edge.head != edge.tail)), remarks
