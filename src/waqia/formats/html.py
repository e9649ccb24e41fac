"""A reading as one self-contained page: the text right to left with its spans marked in place, and a card for each incident.

Every mention is marked: the number behind a mention of an incident leads to its card, and the card lists all mentions, each leading back.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from string import Template

from waqia.arabic import encodable
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Span

TRIGGER = "الواقعة"
COLOURS = 8  # of roles, in palette.css


def page(text: str, reading: Reading, labels: LabelSet, *, title: str) -> str:
    """The page as HTML; everything that comes from the text or the labels is escaped."""
    folder = files("waqia.formats")
    template = Template(folder.joinpath("page.html").read_text("utf-8"))
    cards = [_card(number, incident, labels) for number, incident in enumerate(reading.incidents, 1)]
    return template.substitute(
        title=_escape(title or "واقعة"),
        palette=folder.joinpath("palette.css").read_text("utf-8"),
        hover="\n".join(_hover(number) for number in range(1, len(cards) + 1)),
        legend="".join(f'<span class="{role_class(role, labels)}">{_escape(labels.roles[role].ar)}</span>' for role in labels.roles),
        text="".join(_marked(text, _marks(reading, labels))),
        cards="".join(_notes(reading)) + "".join(cards),
        count=len(reading.incidents),
        windows=reading.windows,
        model=_escape(f"{reading.model} · {reading.label_set}"),
    )


def fragment(reading: Reading) -> str:
    """The incidents of a reading without its text, as a piece of HTML with its own styles, right to left; everything is escaped.

    Arabic names are those of the label set in the package; labels of another set are shown by their codes.
    """
    from waqia.frame import packaged_labels

    labels = packaged_labels()
    cards = []
    for number, incident in enumerate(reading.incidents, 1):
        kind = labels.incident_types.get(incident.type)
        score = "" if incident.score is None else f" · {_percent(incident.score)}"
        head = f"{number}. <b>{_escape(kind.ar if kind else incident.type)}</b> <code dir='ltr'>{_escape(incident.type)}</code>{score}"
        rows: list[tuple[str, str, str | None]] = [(TRIGGER, "، ".join(dict.fromkeys(m.text for m in incident.all_mentions)), None)]
        rows += [(name, value, None) for name, value in _facts(incident)]
        for p in incident.participants:
            role = labels.roles.get(p.role)
            rows.append((role.ar if role else p.role, p.text, p.sector))
        lines = "".join(
            f"<div>{_escape(name)}: <bdi>{_escape(text)}</bdi>{f' <code>{_escape(sector)}</code>' if sector else ''}</div>"
            for name, text, sector in rows
        )
        cards.append(f'<div style="border:1px solid #8884;border-radius:6px;padding:6px 10px;margin:4px 0">{head}{lines}</div>')
    return f'<div dir="rtl" lang="ar" style="text-align:right">{"".join(_notes(reading))}{"".join(cards)}</div>'


@dataclass(frozen=True, slots=True)
class View:
    """A text with its reading, for a notebook: the whole page in a frame of its own, which no style outside reaches."""

    text: str
    reading: Reading
    labels: LabelSet

    def _repr_html_(self) -> str:
        made = html.escape(page(self.text, self.reading, self.labels, title=""))
        return f'<iframe srcdoc="{made}" sandbox style="width:100%;height:32em;border:0"></iframe>'


def show(text: str, reading: Reading, labels: LabelSet | None = None) -> View:
    """A text with its spans marked in place, as the last expression of a notebook's cell; `labels` default to those in the package."""
    from waqia.frame import packaged_labels

    return View(text, reading, packaged_labels() if labels is None else labels)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A span of the text with the incident it belongs to; `name` is its CSS class, `tip` what it is called in Arabic, `anchor` where its
    card leads back to."""

    span: Span
    number: int
    name: str
    tip: str
    anchor: str

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Which of several marks over the same words gives the colour: a trigger, else the shortest span, else the first incident's."""
        return self.name != "trigger", self.span.end - self.span.start, self.number


def _marks(reading: Reading, labels: LabelSet) -> list[_Mark]:
    marks = []
    for number, incident in enumerate(reading.incidents, 1):
        tip = f"{TRIGGER} {number}: {labels.incident_types[incident.type].ar}"
        marks += [_Mark(m, number, "trigger", tip, _anchor(number, m, incident)) for m in incident.all_mentions]
        for p in incident.participants:
            tip = f"{labels.roles[p.role].ar} {number}"
            marks += [_Mark(m, number, role_class(p.role, labels), tip, _place(number, m)) for m in (p, *p.mentions)]
    return marks


def _anchor(number: int, mention: Span, incident: Incident) -> str:
    """The id of the number behind a mention of an incident: `trigger-1` for its trigger."""
    return f"trigger-{number}" if mention is incident.trigger else f"mention-{number}-{mention.start}-{mention.end}"


def _place(number: int, span: Span) -> str:
    """The id of the words of a participant."""
    return f"part-{number}-{span.start}-{span.end}"


def _marked(text: str, marks: list[_Mark]) -> Iterator[str]:
    """The text cut wherever a span begins or ends, so that spans may nest and cross; mentions of incidents are followed by their number."""
    begin = sorted(marks, key=lambda mark: mark.span.start, reverse=True)
    places = sorted({0, len(text)} | {place for mark in marks for place in (mark.span.start, mark.span.end)})
    over: list[_Mark] = []
    for start, end in zip(places, [*places[1:], len(text)], strict=True):
        ended = [mark for mark in over if mark.span.end == start and mark.name == "trigger"]
        yield "".join(_chip(mark) for mark in ended)
        over = [mark for mark in over if mark.span.end > start]
        while begin and begin[-1].span.start == start:
            over.append(begin.pop())
        yield _piece(text, start, end, over)


def _piece(text: str, start: int, end: int, over: Iterable[_Mark]) -> str:
    """Text under one and the same set of spans: the first mark colours it, a second of another kind underlines it, the tip names all."""
    marks = sorted(over, key=lambda mark: mark.rank)
    piece = _escape(text[start:end])
    if not marks:
        return piece
    names = list(dict.fromkeys(mark.name for mark in marks))
    shown = [names[0], *(f"also-{name}" for name in names[1:2])]
    shown += ["open-start"] * (marks[0].span.start < start) + ["open-end"] * (marks[0].span.end > end)
    numbers = " ".join(dict.fromkeys(str(mark.number) for mark in sorted(marks, key=lambda mark: mark.number)))
    tip = _escape("، ".join(mark.tip for mark in marks))
    begun = dict.fromkeys(mark.anchor for mark in marks if mark.span.start == start and mark.name != "trigger")
    anchors = "".join(f'<a id="{anchor}"></a>' for anchor in begun)
    return f'{anchors}<mark class="{" ".join(shown)}" data-incidents="{numbers}" title="{tip}">{piece}</mark>'


def _chip(mark: _Mark) -> str:
    link = f'id="{mark.anchor}" href="#incident-{mark.number}"'
    return f'<a class="number" {link} aria-label="{TRIGGER} {mark.number}">{mark.number}</a>'


def _hover(number: int) -> str:
    return f'body:has(#incident-{number}:hover) .text mark[data-incidents~="{number}"] {{ outline: 2px solid var(--ink); }}'


def _card(number: int, incident: Incident, labels: LabelSet) -> str:
    kind, status = labels.incident_types[incident.type], labels.statuses[incident.status]
    score = "" if incident.score is None else f'<span class="score">الثقة {_percent(incident.score)}</span>'
    facts = "".join(f'<dt>{name}</dt><dd><bdi dir="ltr">{_escape(value)}</bdi></dd>' for name, value in _facts(incident))
    rows = "".join(_rows(number, role, list(group), labels) for role, group in groupby(incident.participants, lambda p: p.role))
    mentions = sorted(incident.all_mentions, key=lambda mention: mention.start)
    links = "، ".join(_link(_anchor(number, m, incident), m.text, "trigger", "") for m in mentions)
    return (
        f'<article class="card" id="incident-{number}"><h2><a class="number" href="#trigger-{number}">{number}</a> {_escape(kind.ar)}'
        f' <code dir="ltr">{_escape(incident.type)}</code>{score}</h2>'
        f'<p><span class="status">{_escape(status.ar)}</span>'
        f" {links}</p>"
        f"<dl>{facts}{rows}</dl></article>"
    )


def _facts(incident: Incident) -> Iterator[tuple[str, str]]:
    """What is told of an incident as a whole: its date, and how many were killed and injured; each with its Arabic name.

    A date that the text does not tell is named a guess.
    """
    day = "يوم النص (تقدير)" if incident.date_guessed else "التاريخ"
    told = ((day, incident.date), ("القتلى", incident.killed), ("الجرحى", incident.injured))
    yield from ((name, str(value)) for name, value in told if value is not None)


def _link(anchor: str, text: str, name: str, tip: str) -> str:
    return f'<a class="back" href="#{anchor}"><mark class="{name}"{tip}>{_escape(text)}</mark></a>'


def _rows(number: int, role: str, participants: Iterable[Participant], labels: LabelSet) -> str:
    return f"<dt>{_escape(labels.roles[role].ar)}</dt>" + "".join(_row(number, p, labels) for p in participants)


def _row(number: int, p: Participant, labels: LabelSet) -> str:
    code = "" if p.sector is None else f'{_escape(labels.sectors[p.sector].ar)} <code dir="ltr">{_escape(p.sector)}</code>'
    sector = f' <span class="sector">{code}</span>' if code else ""
    tip = "" if p.score is None else f' title="الثقة {_percent(p.score)}"'
    named = _link(_place(number, p), p.text, role_class(p.role, labels), tip)
    others = "، ".join(_link(_place(number, m), m.text, role_class(p.role, labels), "") for m in sorted(p.mentions, key=lambda m: m.start))
    also = f' <span class="again">وأيضاً {others}</span>' if others else ""
    return f"<dd>{named}{sector}{also}</dd>"


def _notes(reading: Reading) -> Iterator[str]:
    if reading.error is not None:
        yield f'<p class="card note">تعذّرت قراءة النص: <bdi>{_escape(reading.error)}</bdi></p>'
    elif not reading.incidents:
        yield '<p class="card note">لا وقائع في هذا النص</p>'
    if reading.truncated:
        yield '<p class="card note">لم يُقرأ النص كله: آخره متروك</p>'


def _percent(score: float) -> str:
    return f"{score:.0%}"


def role_class(role: str, labels: LabelSet) -> str:
    """The CSS class that gives a role its colour, by its place in the label set; in one of more roles than colours they come again."""
    return f"role-{list(labels.roles).index(role) % COLOURS + 1}"


def _escape(text: str) -> str:
    """Escaped for element text and attributes; what no HTML page can hold is shown as U+FFFD."""
    return html.escape(encodable(text).replace("\0", "\ufffd"))
