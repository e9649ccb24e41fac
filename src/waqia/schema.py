"""What is read and what is labelled: a text with its incidents, every span proved against the raw text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from waqia.errors import RecordError

TEXT_DAY = "text day"  # the source of a date that nothing tells: the day of the text, asked for as a guess
Id = str | int | float  # of a record: any JSON scalar but null, kept as it is (7 and "7" are two ids)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open slice [start, end) of a record's raw text, in code points."""

    start: int
    end: int
    text: str

    def check(self, raw: str, where: str) -> None:
        """Raise RecordError unless the span is not empty and raw[start:end] is its text."""
        if not 0 <= self.start < self.end <= len(raw):
            size, hint = f"the text of {len(raw)} characters", _count_hint(self, raw)
            said = f"span {self.start}:{self.end} lies outside {size} or is empty{hint}"
            raise RecordError(f"{where}: {said}; offsets are half-open code points")
        found = raw[self.start : self.end]
        if found != self.text:
            hint = _count_hint(self, raw)
            raise RecordError(f"{where}: {self.start}:{self.end} reads {found!r}, labelled {self.text!r}{hint}; offsets index the raw text")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order in which records are written."""
        return {"start": self.start, "end": self.end, "text": self.text}


@dataclass(frozen=True, slots=True)
class Participant(Span):
    """A span with its role in an incident; actors carry a sector, and predictions a score in [0, 1].

    The span is the most informative mention; `mentions` are the other spans that name the same one.
    """

    role: str
    sector: str | None
    score: float | None = None
    mentions: tuple[Span, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order in which records are written."""
        others = {"mentions": [span.to_dict() for span in self.mentions]} if self.mentions else {}
        return {"role": self.role, "sector": self.sector, **_score(self.score), **Span.to_dict(self), **others}


@dataclass(frozen=True, slots=True)
class Incident:
    """One happening: its type and status, the trigger that names it, and who and what takes part in it.

    `trigger` is its most explicit mention, `mentions` all others (None: nobody asked for them). `date` is when it happened, "2015-07-30",
    coarser ("2015-07", "2015") or an interval ("2015-07-30/2015-08-02"); `killed` and `injured` are the totals that the text gives.
    Each is None where the text does not tell or nobody asked; a `date` may be a guess that was asked for (`date_guessed`).
    """

    type: str
    status: str
    trigger: Span
    participants: tuple[Participant, ...] = ()
    score: float | None = None
    mentions: tuple[Span, ...] | None = None
    date: str | None = None
    killed: int | None = None
    injured: int | None = None
    facts: Mapping[str, Any] | None = None  # what `document/facts` adds: intervals and bounds with the spans that tell them

    @property
    def date_guessed(self) -> bool:
        """Whether `date` is the day of the text, taken since the text tells none (`Facts.text_day`)."""
        said: Mapping[str, Any] = (self.facts or {}).get("date", {})
        return said.get("source") == TEXT_DAY

    @property
    def all_mentions(self) -> tuple[Span, ...]:
        """The trigger and every other mention."""
        return (self.trigger, *(self.mentions or ()))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in the order in which records are written."""
        return {
            "type": self.type,
            "status": self.status,
            **_score(self.score),
            "trigger": self.trigger.to_dict(),
            **({} if self.mentions is None else {"mentions": [span.to_dict() for span in self.mentions]}),
            **{key: value for key in ("date", "killed", "injured") if (value := getattr(self, key)) is not None},
            **({} if self.facts is None else {"facts": dict(self.facts)}),
            "participants": [participant.to_dict() for participant in self.participants],
        }


@dataclass(frozen=True, slots=True)
class Record:
    """One JSONL row: a text and its incidents.

    `annotated` lists the incident types that the annotators were asked about (None: all of the label set); outside it, silence
    says nothing. `extra` keeps every other field of the row, so that nothing is lost between reading and writing.
    """

    id: Id
    text: str
    incidents: tuple[Incident, ...] = ()
    annotated: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `parse_record` reads back to an equal record."""
        asked = {} if self.annotated is None else {"annotated": list(self.annotated)}
        return {"id": self.id, **self.extra, "text": self.text, **asked, "incidents": [incident.to_dict() for incident in self.incidents]}


@dataclass(frozen=True, slots=True)
class Reading:
    """What Waqia read in one text.

    `types` gives for every incident type the calibrated probability that the text reports one; `windows` counts the slices that
    the text was cut into, `screened` those of them that a screen left unread (none without a screen), `truncated` says whether a word was
    longer than a window and read in part, `error` why there is no reading (None: all went well).
    """

    incidents: tuple[Incident, ...] = ()
    types: Mapping[str, float] = field(default_factory=dict)
    windows: int = 0
    truncated: bool = False
    label_set: str = ""
    model: str = ""
    error: str | None = None
    screened: int = 0

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reading:
        """The reading that `to_dict` gave, from its plain data (as JSON reads it back); RecordError where that has another form."""
        try:
            incidents = tuple(_incident(item) for item in data["incidents"])
            return cls(**{**data, "incidents": incidents, "types": dict(data["types"])})
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise RecordError(f"no reading ({error!r}); expected what Reading.to_dict gives") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `incidents` has the form of a record's."""
        return {
            "incidents": [incident.to_dict() for incident in self.incidents],
            "types": dict(self.types),
            "windows": self.windows,
            "screened": self.screened,
            "truncated": self.truncated,
            "label_set": self.label_set,
            "model": self.model,
            "error": self.error,
        }

    def _repr_html_(self) -> str:
        """What a notebook shows: a card an incident; `waqia.show(text, reading)` shows the text with its spans too."""
        from waqia.formats.html import fragment  # only notebooks ask

        return fragment(self)


def _incident(data: Mapping[str, Any]) -> Incident:
    participants = tuple(Participant(**_with_mentions(item)) for item in data["participants"])
    return Incident(**{**_with_mentions(data), "trigger": Span(**data["trigger"]), "participants": participants})


def _with_mentions(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "mentions": tuple(Span(**item) for item in data["mentions"])} if data.get("mentions") is not None else dict(data)


def _score(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": score}


def _count_hint(span: Span, raw: str) -> str:
    """What the offsets seem to count, where they would read right that way: UTF-16 units, or line ends as one or as two characters."""
    if not 0 <= span.start < span.end:
        return ""
    units = raw.encode("utf-16-le", "surrogatepass")[2 * span.start : 2 * span.end]
    if span.text and units == span.text.encode("utf-16-le", "surrogatepass"):
        return "; counted in UTF-16 units it would read right: convert the offsets to code points"
    plain = raw.replace("\r\n", "\n")
    for said, other in (("one character", plain), ("two characters", plain.replace("\n", "\r\n"))):
        if span.text and other != raw and other[span.start : span.end].replace("\r\n", "\n") == span.text.replace("\r\n", "\n"):
            return f"; with every line end counted as {said} it would read right: label the text as it stands, with its line ends"
    return ""
