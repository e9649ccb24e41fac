"""What incidents of different texts are compared by: when and where they were, who and how many, and the words of the sentences about them.

The words are those of the incident's passages: the whole text where it is short, else its first sentence and the sentences about the
incident. A village, a family name or a number that two texts share says more than a common word, so words are weighed by how rare they are.
"""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from waqia.arabic import sentence_starts
from waqia.document.actors import ActorTable
from waqia.document.facts import add_facts, parse_date
from waqia.document.folding import ARTICLE, bare, fold, key
from waqia.document.gazetteer import Gazetteer
from waqia.document.options import Facts
from waqia.document.options import Tables as FactTables
from waqia.document.timewords import month_names, weekday_names
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Incident, Reading

# One strike is told as bombing, as killing or as fighting; a protest that turns violent as protest or as riot. Any other type is a family
# of its own: an arrest and a roadblock of one day are two events.
FAMILIES = {"battles": "armed", "explosions": "armed", "violence": "armed", "protests": "unrest", "riots": "unrest"}
LONGEST = 7  # days: a longer interval ("in 2015") does not say when
SHORT = 1500  # characters: a text up to this long is one passage
COMMON = "common_words.tsv"  # how many of our own passages have a word; ours, CC BY 4.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice of a text that tells of an incident, from `start` (code points)."""

    start: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"start": self.start, "text": self.text}


@dataclass(frozen=True, slots=True)
class Clue:
    """What one incident is compared by, or a text in which none was read (`number` and `type` None).

    Days are ISO: `published` of the text, `start` to `end` of the incident where its text tells them. `place` is a name, `said` the
    folded words of the first place as written, `at` WGS 84 degrees where the gazetteer knows one; `actors` are ids of those who did it;
    `days` ("07-28") and `weekdays` (Monday 0) are those that the passages name without a year.
    """

    row: str
    number: int | None = None
    type: str | None = None
    family: str | None = None
    published: str | None = None
    start: str | None = None
    end: str | None = None
    place: str | None = None
    said: str | None = None
    at: tuple[float, float] | None = None
    actors: tuple[str, ...] = ()
    killed: int | None = None
    injured: int | None = None
    days: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def comparable(self) -> bool:
        """Whether a day and a place are known."""
        return self.place is not None and self.span is not None

    @property
    def span(self) -> tuple[int, int] | None:
        """The ordinals of its first and last day, else of the day of the text; None where unknown or longer than LONGEST."""
        start, end = (self.start, self.end) if self.start and self.end else (self.published, self.published)
        if start is None or end is None:
            return None
        first, last = ordinal(start), ordinal(end)
        return (first, last) if last - first < LONGEST else None


@dataclass(frozen=True, slots=True)
class Tables:
    """What resolves names and knows common words; load once."""

    labels: LabelSet
    facts: FactTables
    common: Mapping[str, int]
    texts: int

    @classmethod
    def packaged(cls, labels: LabelSet) -> Tables:
        """The tables that ship with Waqia."""
        lines = resources.files("waqia.bulk").joinpath(COMMON).read_text("utf-8").splitlines()
        _, texts = lines[0].split("\t")
        common = {word: int(count) for word, count in (line.split("\t") for line in lines[1:])}
        return cls(labels, Facts().open(labels), common, int(texts))

    @property
    def gazetteer(self) -> Gazetteer | None:
        """What knows places."""
        return self.facts.gazetteer

    @property
    def actors(self) -> ActorTable | None:
        """What knows actors."""
        return self.facts.actors


def clues_of(row: Mapping[str, Any], tables: Tables) -> Iterator[tuple[Clue, Incident, list[Passage]]]:
    """Each incident of a row with what it is compared by; RecordError where the row lacks what `waqia batch` writes.

    Facts that the row has are taken as they stand; a row without any gets those of `tables`.
    """
    text = row["text"]
    if text is None and row.get("error"):
        return  # it could not be read
    try:
        date = parse_date(row.get("date"))
        reading = Reading.from_dict({"incidents": row["incidents"], "types": {}})
    except RecordError as error:
        raise RecordError(f"row {row.get('id')!r}: {error}; expected rows as `waqia batch` writes them") from error
    if not any({"places", "actors"} & set(incident.facts or ()) for incident in reading.incidents):
        reading = add_facts(text, reading, date, tables=tables.facts)
    for number, incident in enumerate(reading.incidents):
        passages = passages_of(text, incident)
        yield _clue_of(str(row["id"]), number, incident, date, passages, tables), incident, passages


def text_clue(row: Mapping[str, Any]) -> tuple[Clue, list[Passage]]:
    """What a row in which no incident was read is compared by: its beginning."""
    date, passages = parse_date(row.get("date")), [Passage(0, row["text"][:SHORT])]
    published = None if date is None else date.isoformat()
    return Clue(str(row["id"]), published=published, **_told(passages)), passages


def passages_of(text: str, incident: Incident) -> list[Passage]:
    """The text where it is short, else its first sentence and those with a mention, a participant or next to one; neighbours joined."""
    if len(text) <= SHORT:
        return [Passage(0, text)]
    starts = sentence_starts(text)
    ends = [*starts[1:], len(text)]
    about = {0}
    for span in (*incident.all_mentions, *incident.participants):
        number = bisect_right(starts, span.start) - 1
        about |= {n for n in (number - 1, number, number + 1) if 0 <= n < len(starts)}
    passages: list[Passage] = []
    for n in sorted(about):
        if passages and passages[-1].start + len(passages[-1].text) == starts[n]:
            passages[-1] = Passage(passages[-1].start, passages[-1].text + text[starts[n] : ends[n]])
        else:
            passages.append(Passage(starts[n], text[starts[n] : ends[n]]))
    return passages


def words_of(text: str) -> list[str]:
    """The folded words of a text once each, the article and attached letters cut; of one letter none."""
    return list(dict.fromkeys(word for word in map(stem, fold(text).split()) if len(word) > 1))


def stem(word: str) -> str:
    """A folded word without «و ف», then «لل» or one of «ب ل ك» before the article, «ب ل» before four letters, and the article."""
    if len(word) > 4 and word[0] in "وف":
        word = word[1:]
    if len(word) > 4 and word.startswith("لل"):
        return word[2:]
    if (word[:1] in ("ب", "ل", "ك") and word[1:].startswith(ARTICLE)) or (word[:1] in ("ب", "ل") and len(word) > 4):
        word = word[1:]
    return bare(word)


@lru_cache(4096)
def ordinal(day: str) -> int:
    """The number of an ISO day."""
    return datetime.date.fromisoformat(day).toordinal()


def to_plain(clue: Clue) -> dict[str, Any]:
    """Plain data for JSON; what the passages tell is left out, `from_plain` reads it from them again."""
    told = ("days", "weekdays", "words")
    return {name: value for name in Clue.__slots__ if name not in told and (value := getattr(clue, name)) not in (None, ())}


def from_plain(data: Mapping[str, Any], passages: Iterable[Mapping[str, Any]]) -> Clue:
    """The clue that `to_plain` gave, with the passages of its source."""
    at, actors = data.get("at"), tuple(data.get("actors", ()))
    told = _told([Passage(**passage) for passage in passages])
    return Clue(**{**data, "at": tuple(at) if at else None, "actors": actors, **told})


def _told(passages: Iterable[Passage]) -> dict[str, Any]:
    text = " ".join(passage.text for passage in passages)
    plain = fold(text)
    days = sorted({f"{_MONTHS[found[2]]:02d}-{int(found[1]):02d}" for found in _DAY.finditer(plain)})
    weekdays = sorted({_WEEKDAYS[found[1]] for found in _WEEKDAY.finditer(plain)})
    return {"days": tuple(days), "weekdays": tuple(weekdays), "words": tuple(words_of(text))}


def _clue_of(row: str, number: int, incident: Incident, date: datetime.date | None, passages: Iterable[Passage], tables: Tables) -> Clue:
    if incident.type not in tables.labels.incident_types:
        raise RecordError(f"row {row!r}: type {incident.type!r} is not in the label set {tables.labels.name}; give its label set")
    group, facts = tables.labels.incident_types[incident.type].group, incident.facts or {}
    when = {"start": None, "end": None} if incident.date_guessed or "date" not in facts else facts["date"]
    place, said, at = _place(incident, facts, tables.labels.fact_roles.get("place"))
    return Clue(
        row,
        number,
        incident.type,
        FAMILIES.get(group, incident.type),
        None if date is None else date.isoformat(),
        when["start"],
        when["end"],
        place,
        said,
        at,
        _actors(facts, next(iter(tables.labels.actors), None)),
        incident.killed,
        incident.injured,
        **_told(passages),
    )


def _place(incident: Incident, facts: Mapping[str, Any], role: str | None) -> tuple[str | None, str | None, tuple[float, float] | None]:
    """The name of the first known place of an incident, else what it says itself; the folded words that it says; and the point."""
    words = [" ".join(key(p.text)) for p in incident.participants if p.role == role]
    said = words[0] or None if words else None
    for place in facts.get("places", ())[:1]:
        return place["name"], said, (place["latitude"], place["longitude"])
    return said, said, None


def _actors(facts: Mapping[str, Any], doer: str | None) -> tuple[str, ...]:
    """The ids of the known actors who did it."""
    return tuple(sorted({actor["id"] for actor in facts.get("actors", ()) if actor["role"] == doer}))


_MONTHS = {fold(name): number for name, number in month_names()}
_WEEKDAYS = {fold(name): number for name, number in weekday_names()}
_DAY = re.compile(rf"\b(\d{{1,2}}) (?:من )?(?:شهر )?({'|'.join(sorted(map(re.escape, _MONTHS), key=len, reverse=True))})\b")
_WEEKDAY = re.compile(rf"\b[وبل]?ال({'|'.join(_WEEKDAYS)})\b")
