"""spaCy's DocBin: a Doc a text, incidents and participants as the span group "incidents", relations and facts in `user_data`.

Tokens are cut where spans begin and end, so that every span is one of whole tokens and `doc.text` is the text. Needs `waqia[spacy]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from waqia.errors import ConfigError, RecordError
from waqia.formats.graph import Edge, Graph, Node, Remark, from_record, joint_label, split_label, to_records, words
from waqia.labels import LabelSet
from waqia.schema import Record

GROUP = "incidents"  # the key of the span group, as `spans_key` of a span categoriser names it


def read(data: bytes, labels: LabelSet, where: str) -> tuple[list[Record], list[Remark]]:
    """Records of a serialised DocBin; ConfigError without spaCy."""
    spacy = _spacy()
    try:
        docs = list(spacy.tokens.DocBin().from_bytes(data).get_docs(spacy.blank("ar").vocab))
    except Exception as error:
        raise RecordError(f"{where}: is no DocBin ({type(error).__name__}); expected what DocBin.to_disk writes") from error
    remarks: list[Remark] = []
    graphs = [(_graph(doc, labels, f"{where} doc {number}", remarks), f"{where} doc {number}") for number, doc in enumerate(docs)]
    records, said = to_records(graphs, labels)
    return records, remarks + said


def write(records: Sequence[Record], labels: LabelSet) -> tuple[bytes, list[Remark]]:
    """The bytes of a DocBin; ConfigError without spaCy."""
    spacy = _spacy()
    vocab = spacy.blank("ar").vocab
    bin_ = spacy.tokens.DocBin(store_user_data=True)
    for record in records:
        bin_.add(_doc(from_record(record), labels, spacy, vocab))
    return bytes(bin_.to_bytes()), []


def _spacy() -> Any:
    try:
        import spacy
    except ImportError as error:
        raise ConfigError(f"spaCy cannot be used ({error}); pip install 'waqia[spacy]'") from error
    return spacy


def _doc(graph: Graph, labels: LabelSet, spacy: Any, vocab: Any) -> Any:
    tokens = list(_tokens(graph))
    doc = spacy.tokens.Doc(vocab, words=[graph.text[start:end] for start, end, _ in tokens], spaces=[space for *_, space in tokens])
    starts, ends = {start: n for n, (start, _, _) in enumerate(tokens)}, {end: n + 1 for n, (_, end, _) in enumerate(tokens)}
    doc.spans[GROUP] = [
        spacy.tokens.Span(doc, starts[node.start], ends[node.end], label=joint_label(node, labels), span_id=node.key)
        for node in graph.nodes
    ]
    doc.user_data["waqia"] = {
        "id": graph.id,
        "edges": [[edge.head, edge.tail, edge.label] for edge in graph.edges],
        "facts": {node.key: dict(node.facts) for node in graph.nodes if node.facts},
        "scores": {node.key: node.score for node in graph.nodes if node.score is not None},
        "annotated": None if graph.annotated is None else list(graph.annotated),
        "mentions_asked": graph.asked,
        "fields": dict(graph.extra),
    }
    return doc


def _tokens(graph: Graph) -> Iterator[tuple[int, int, bool]]:
    """Tokens that cover all of the text, and whether a space that is no token of its own follows."""
    at = 0
    pieces: list[tuple[int, int]] = []
    for start, end in [*words(graph), (len(graph.text), len(graph.text))]:
        if start > at:
            pieces.append((at, start))
        if end > start:
            pieces.append((start, end))
        at = end
    bounds = {node.start for node in graph.nodes}
    skip = False
    for (start, end), following in zip(pieces, [*pieces[1:], (0, 0)], strict=True):
        gap = graph.text[following[0] : following[1]]
        space = gap == " " and following[0] not in bounds and not skip and graph.text[start:end] != " "
        if not skip:
            yield start, end, space
        skip = space


def _spans(doc: Any, where: str, remarks: list[Remark]) -> list[Any]:
    """Our span group, else the one that a span categoriser writes unless told otherwise ("sc"), else the entities."""
    key = next((key for key in (GROUP, "sc") if key in doc.spans), None)
    remarks += [Remark(f"span group {other} is not read, left out", where) for other in doc.spans if other != key]
    remarks += [Remark("entity beside a span group, left out", where) for _ in doc.ents if key is not None]
    return list(doc.ents if key is None else doc.spans[key])


def _graph(doc: Any, labels: LabelSet, where: str, remarks: list[Remark]) -> Graph:
    known = doc.user_data.get("waqia") or {}
    facts, scores = known.get("facts", {}), known.get("scores", {})
    nodes = []
    for number, span in enumerate(_spans(doc, where, remarks)):
        key = span.id_ or f"span {number}"
        label, value = split_label(span.label_, labels)
        nodes.append(Node(key, span.start_char, span.end_char, span.text, label, value, scores.get(key), facts.get(key, {})))
    edges = tuple(Edge(*edge) for edge in known.get("edges", []))
    asked = known.get("annotated")
    annotated = None if asked is None else tuple(asked)
    extra = known.get("fields", {})
    return Graph(known.get("id", where), doc.text, tuple(nodes), edges, annotated, bool(known.get("mentions_asked")), extra)
