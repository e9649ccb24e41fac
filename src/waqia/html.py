"""A reading as one self-contained page: the text right to left with its spans marked in place, and a card for each incident."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from itertools import pairwise
from string import Template

from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Span


def page(text: str, reading: Reading, labels: LabelSet, *, title: str) -> str:
    """The page as HTML; everything that comes from the text or the labels is escaped."""
    template = Template(files("waqia").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(title or "واقعة"),
        text="".join(_marked(text, reading)),
        cards="".join(_card(number, incident, labels) for number, incident in enumerate(reading.incidents, 1)) or _nothing(reading),
        legend="".join(f'<span class="{_class(role)}">{escape(labels.roles[role].ar)}</span>' for role in labels.roles),
        count=len(reading.incidents),
        model=escape(f"{reading.model} · {reading.label_set}"),
    )


def _marked(text: str, reading: Reading) -> Iterator[str]:
    """The text cut at every span's bounds; each piece carries the classes of all spans over it, each trigger its number."""
    spans: list[tuple[int, str, Span]] = []
    for number, incident in enumerate(reading.incidents, 1):
        spans.append((number, "trigger", incident.trigger))
        spans += [(number, _class(p.role), p) for p in incident.participants]
    bounds = sorted({0, len(text)} | {place for _, _, span in spans for place in (span.start, span.end)})
    for start, end in pairwise(bounds):
        over = [(number, name) for number, name, span in spans if span.start <= start and end <= span.end]
        piece = escape(text[start:end])
        if over:
            # A word that triggers one incident may be a participant of another: the trigger is what is shown.
            names = {name for _, name in over}
            shown = "trigger" if "trigger" in names else next(name for _, name in over)
            incidents = " ".join(str(number) for number in sorted({number for number, _ in over}))
            piece = f'<mark class="{shown}" data-incidents="{incidents}">{piece}</mark>'
        ends = [number for number, name, span in spans if name == "trigger" and span.end == end]
        yield piece + "".join(f'<a class="number" href="#incident-{number}" id="trigger-{number}">{number}</a>' for number in ends)


def _card(number: int, incident: Incident, labels: LabelSet) -> str:
    kind, status = labels.incident_types[incident.type], labels.statuses[incident.status]
    score = "" if incident.score is None else f'<span class="score" title="score">{incident.score:.0%}</span>'
    rows = "".join(_row(p, labels) for p in incident.participants)
    return (
        f'<article class="card" id="incident-{number}"><h2><a class="number" href="#trigger-{number}">{number}</a> {escape(kind.ar)}'
        f' <code dir="ltr">{escape(incident.type)}</code>{score}</h2>'
        f'<p><span class="status">{escape(status.ar)}</span> <mark class="trigger">{escape(incident.trigger.text)}</mark></p>'
        f"<dl>{rows}</dl></article>"
    )


def _row(p: Participant, labels: LabelSet) -> str:
    code = "" if p.sector is None else f'{escape(labels.sectors[p.sector].ar)} <code dir="ltr">{escape(p.sector)}</code>'
    sector = f' <span class="sector">{code}</span>' if code else ""
    return f'<dt>{escape(labels.roles[p.role].ar)}</dt><dd><mark class="{_class(p.role)}">{escape(p.text)}</mark>{sector}</dd>'


def _nothing(reading: Reading) -> str:
    return f'<p class="card">{escape(reading.error) if reading.error else "لا وقائع في هذا النص"}</p>'


def _class(name: str) -> str:
    return "role-" + "".join(c if c.isalnum() else "-" for c in name)
