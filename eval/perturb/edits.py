"""Edits of a record's text that carry its gold spans along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from waqia.schema import Record, Span

Edit = tuple[int, int, str]  # text[start:end] becomes the third


def apply(record: Record, edits: Sequence[Edit]) -> Record:
    """The record with its text edited, and its spans carried along; edits in order, none over another."""
    pieces, place = [], 0
    for start, end, new in edits:
        pieces += [record.text[place:start], new]
        place = end
    text = "".join([*pieces, record.text[place:]])

    def moved(span: Span) -> dict[str, Any]:
        start, end = _moved(edits, span.start), _moved(edits, span.end)
        return {"start": start, "end": end, "text": text[start:end]}

    def others(mentions: Sequence[Span]) -> tuple[Span, ...]:
        return tuple(Span(**moved(span)) for span in mentions)

    incidents = tuple(
        replace(
            incident,
            trigger=replace(incident.trigger, **moved(incident.trigger)),
            mentions=None if incident.mentions is None else others(incident.mentions),
            participants=tuple(replace(p, **moved(p), mentions=others(p.mentions)) for p in incident.participants),
        )
        for incident in record.incidents
    )
    return replace(record, text=text, incidents=incidents)


def _moved(edits: Sequence[Edit], place: int) -> int:
    """Where a span's bound lies after the edits; signs put behind its last letter stay inside, marks put before its first outside."""
    return place + sum(len(new) - (end - start) for start, end, new in edits if end <= place)
