"""Offsets as annotation tools count them, brought to code points of the raw text: proved by the words they quote, never guessed.

Browsers count UTF-16 units, in which an emoji is two; some tools count a line end of two characters (CRLF) as one. Which way a text was
counted shows in the words that its spans quote. Where nothing is quoted and the ways give different spans, the user must say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waqia.errors import RecordError
from waqia.schema import Span

CODE_POINTS = "code-points"
UTF16 = "utf-16"
UNITS = (CODE_POINTS, UTF16, "code-points-crlf-as-one", "utf-16-crlf-as-one")  # the order in which they are tried


@dataclass(frozen=True, slots=True)
class Mark:
    """A span as a tool gives it: half-open offsets in the tool's own units, and the words it quotes (None: it quotes none)."""

    start: int
    end: int
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The spans in code points, in the order of the marks, and how each mark had been counted (one of UNITS)."""

    spans: tuple[Span, ...]
    units: tuple[str, ...]


def settle(text: str, marks: Sequence[Mark], where: str, *, unit: str | None = None) -> Settled:
    """Bring all marks of one text to code points.

    The first of UNITS in which every mark reads what it quotes holds for all, if no other gives different spans; else each mark must have
    one reading of its own. RecordError, with the readings, where a mark has none or several. `unit` says how the tool counted.
    """
    if unit is not None and unit not in UNITS:
        raise RecordError(f"{where}: offsets are counted in {unit!r}, expected one of {', '.join(UNITS)}")
    maps = {name: _places(text, name) for name in ([unit] if unit else UNITS)}
    whole: dict[tuple[Span, ...], str] = {}
    for name, places in maps.items():
        spans = [_read(text, mark, places) for mark in marks]
        good = [span for span in spans if span is not None]
        if len(good) == len(marks):
            whole.setdefault(tuple(good), name)
    if len(whole) == 1:
        spans_, name = next(iter(whole.items()))
        same = [(mark.start, mark.end) == (span.start, span.end) for mark, span in zip(marks, spans_, strict=True)]
        return Settled(spans_, tuple(CODE_POINTS if alike else name for alike in same))
    return _each(text, marks, maps, where)


def to_unit(text: str, place: int, unit: str) -> int:
    """A place in code points as `unit` counts it."""
    before = text[:place]
    if unit.endswith("crlf-as-one"):
        before = before.replace("\r\n", "\n")
    return len(before.encode("utf-16-le", "surrogatepass")) // 2 if unit.startswith(UTF16) else len(before)


def _each(text: str, marks: Sequence[Mark], maps: dict[str, dict[int, int]], where: str) -> Settled:
    spans, units, faults = [], [], []
    for mark in marks:
        readings: dict[Span, str] = {}
        for name, places in maps.items():
            span = _read(text, mark, places)
            if span is not None:
                readings.setdefault(span, name)
        if len(readings) == 1:
            span, name = next(iter(readings.items()))
            spans.append(span)
            units.append(name)
        else:
            faults.append(f"{where}: {_fault(text, mark, maps, readings)}")
    if faults:
        raise RecordError("\n".join(faults))
    return Settled(tuple(spans), tuple(units))


def _fault(text: str, mark: Mark, maps: dict[str, dict[int, int]], readings: dict[Span, str]) -> str:
    if readings:
        said = ", ".join(f"{span.text!r} at {span.start} ({name})" for span, name in readings.items())
        return f"offsets {mark.start}:{mark.end} can be read as {said}; say how the tool counts with --offsets"
    said = ", ".join(f"{found!r} ({name})" for name, found in _shown(text, mark, maps))
    quote = "" if mark.quote is None else f", labelled {mark.quote!r}"
    return (
        f"offsets {mark.start}:{mark.end} read {said or 'nothing: they lie outside the text or are empty'}{quote}; offsets index the text"
    )


def _shown(text: str, mark: Mark, maps: dict[str, dict[int, int]]) -> Iterator[tuple[str, str]]:
    for name in list(maps)[:2]:
        span = _read(text, Mark(mark.start, mark.end), maps[name])
        if span is not None:
            yield name, span.text


def _places(text: str, unit: str) -> dict[int, int]:
    """Place in the tool's units -> place in code points; there is none inside a character or a line end counted as one."""
    places: dict[int, int] = {}
    at, wide, joined = 0, unit.startswith(UTF16), unit.endswith("crlf-as-one")
    for place, letter in enumerate(text):
        if joined and letter == "\n" and place and text[place - 1] == "\r":
            continue
        places[at] = place
        at += 2 if wide and letter > "\uffff" else 1
    places[at] = len(text)
    return places


def _read(text: str, mark: Mark, places: dict[int, int]) -> Span | None:
    start, end = places.get(mark.start), places.get(mark.end)
    if start is None or end is None or start >= end:
        return None
    found = text[start:end]
    same = mark.quote is None or found == mark.quote or _lines(found) == _lines(mark.quote.replace("\\n", "\n"))
    return Span(start, end, found) if same else None


def _lines(text: str) -> str:
    """White space as tools quote it: Label Studio writes a line end as backslash and n, brat as a space."""
    return re.sub(r"\s+", " ", text)
