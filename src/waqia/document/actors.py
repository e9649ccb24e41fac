"""Actors: the same armed group, army or body under its many names -> one id, name and sector («داعش», «تنظيم الدولة»).

A span is matched from its front. Attached clitics and head nouns («عناصر», «ميليشيا», «دورية تابعة ل») are passed over, then the longest
alias that begins there decides. Any other word in the way («مدنيون موالون للنظام», «قرى تسيطر عليها قسد») ends the search: no match is
no match.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path

from waqia.document.folding import bare, fold, key, uncliticised
from waqia.document.tables import table_text
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Reading

COLUMNS = ("id", "name_en", "name_ar", "aliases_ar", "sector", "country", "from", "to")
PACKAGED = "aliases.tsv"
STRETCH = 50_000  # characters of a text that are looked through at once: what bounds the memory for a long one
_SPACE = re.compile(r"\s")
_FIRST, _LAST = 1800, 9999

# Nouns for the people, arms and parts of an actor, singular and in the construct; endings are added below.
_ARMED = """
عنصر عناصر مسلح مقاتل مقاتله مقاتلات جندي جنود مجند ضابط ضباط قوه قوات قوي وحده وحدات فرقه فرق لواء الويه كتيبه كتايب سريه
سرايا فوج فصيل فصايل ميليشيا ميليشيات ميلشيا ميلشيات مليشيا مليشيات مليشيه تنظيم تنظيمات حركه حركات جماعه جماعات مجموعه
مجموعات جبهه جيش جيوش عصابه عصابات خليه خلايا قيادي قياده قايد قاده امير امراء متزعم زعيم عضو اعضاء منتسب حرس دوريه دوريات
حاجز حواجز نقطه نقاط رتل ارتال قافله اليه اليات عربه عربات دبابه دبابات مدرعه مدرعات مدفعيه مدفع مدافع راجمه راجمات صاروخ
صواريخ قذيفه قذايف طيران طايره طايرات مروحيه مروحيات حوامه حوامات مسيره مسيرات درون سلاح قناص قناصه قناصات طيار قاعده قواعد
مقر مقار مقرات موقع مواقع معسكر معسكرات ثكنه ثكنات مرتزق مرتزقه شبيحه ارهابي شهيد قتيل اسير اسري معتقل متطرف متشدد موالي
بارجه بوارج سفينه سفن زورق زوارق غاره غارات ضربه ضربات قصف هجوم عدوان محتل غزاه اسطول مفرزه مدفعيات رمايات معاقل معقل
"""
# Nouns before a name that say what it is or who speaks for it; a nationality after them («صحيفة تركية», «مصدر عراقي») is not an army's.
_NAMED = """
جهاز اجهزه هييه ناطق متحدث مصدر مصادر مراسل نشطاء ناشط مدير مكتب مركز وكاله قناه صحيفه جريده منظمه مندوب ممثل موظف مسوول
مستشار غرفه عمليات اداره ادارات شبكه مخفر امني امنيه اعلامي رسمي حزب
"""
# Adjectives, links and prepositions that stand between a head and the name.
_LINKS = """
تابع تابعه تابعين تابعون تابعات التابع منتمي منتميه منتمين منتمون موال مواليه موالي موالين موالون محسوب محسوبه محسوبين مدعوم
مدعومه مدعومين مرتبط مرتبطه مرتبطين من في ب ل لدي باسم علي الي عن ما يسمي تسمي يعرف يدعي مجهول مجهوله حربي حربيه عسكري عسكريه
عسكريين عسكريون مسلح مسلحه مسلحين مسلحون مسير مسيره بدون طيار انتحاريه انتحاري استطلاع مذخره حربيين سابق سابقه سابقين محلي
محليه محليين ارهابي ارهابيه ارهابيين بريه بري جويه جوي بحريه بحري مدفعيه صاروخيه صاروخي ثقيله مشتركه مشترك خاص خاصه اجنبي
اجنبيه كبير كبار بارز رفيع ميداني ميدانيه باسمها مروحي مروحيه احد احدي بعض عدد عده عشرات مءات ميات افراد بقايا فلول خلايا
ثلاثه اربعه خمسه سته سبعه ثمانيه تسعه عشره اثنان اثنين ان نوع طراز قوات قيام
"""
_ENDINGS = ("", "ي", "ين", "ون", "و", "ه", "ان", "ات", "ا")
_PASSED_ARMED = frozenset(bare(word + end) for word in _ARMED.split() for end in _ENDINGS) | frozenset(map(bare, _LINKS.split()))
_PASSED = frozenset(bare(word + end) for word in _NAMED.split() for end in _ENDINGS) | _PASSED_ARMED
_PEOPLE = ("ين", "ون")  # «إسرائيليين» alone are people, «جنود إسرائيليين» an army's
_ADJECTIVE = ("", "ه", "ين", "ون", "ي", "ان", "ات", "يه")  # روسي, روسية, روسيين, روسيون


@dataclass(frozen=True, slots=True)
class Actor:
    """One row of a table: who an actor was in the years from `first` to `last`, both included; the same id may have several rows.

    `others` are sectors that it may have beside `sector`: a state is GOV as party to a deal, MIL as striker.
    """

    id: str
    name_en: str
    name_ar: str
    sector: str
    country: str
    first: int
    last: int
    others: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, str]:
        """Plain data for JSON: what does not change with the text."""
        return {"id": self.id, "name_en": self.name_en, "name_ar": self.name_ar, "sector": self.sector, "country": self.country}


@dataclass(frozen=True, slots=True)
class _Entry:
    actor: Actor
    shared: bool  # an alias that this actor only has where the text names it otherwise too
    nationality: bool  # an adjective, which names an army only after words for arms or alone
    where: str  # file and line


Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActorTable:
    """Aliases as folded words -> the rows that bear them. Make one with `packaged` or `load`; picklable."""

    entries: Mapping[Words, tuple[_Entry, ...]]
    longest: int
    _first_words: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_first_words", frozenset(words[0] for words in self.entries))

    @classmethod
    def packaged(cls, labels: LabelSet) -> ActorTable:
        """The table that ships with Waqia: actors of the Middle East and North Africa, CC BY 4.0."""
        return _packaged(tuple(labels.sectors))

    @classmethod
    def load(cls, path: str | Path, labels: LabelSet) -> ActorTable:
        """A user's own tab-separated table with the columns COLUMNS; RecordError names file, line and fault.

        `aliases_ar` holds names separated by «|». «@روسي» stands for the adjective in every ending («الطيران الروسي»), «?الجيش» for a name
        that others bear too: it counts only where the text names this actor otherwise as well. `from` and `to` are years, empty where open.
        `sector` is a code of the label set, or the usual one and others that are allowed, «MIL|GOV».
        """
        text = table_text(path, COLUMNS)
        return _table(_rows(text, str(path), tuple(labels.sectors)))

    def over(self, other: ActorTable) -> ActorTable:
        """Both tables; where both know an alias, this one decides (a user's table over the packaged one)."""
        return ActorTable({**other.entries, **self.entries}, max(self.longest, other.longest))

    @property
    def actors(self) -> list[Actor]:
        """Every row once, ordered by id and years."""
        found = {entry.actor for entries in self.entries.values() for entry in entries}
        return sorted(found, key=lambda actor: (actor.id, actor.first))

    def find(self, span: str, year: int | None = None, named: frozenset[str] = frozenset()) -> Actor | None:
        """The actor that a span names, or None.

        `year` chooses among the rows of an actor, None takes the newest; `named` are the ids that the text names without doubt, which
        decide names that several bear.
        """
        words, armed = fold(span).split(), True
        for position, word in enumerate(words):
            usable = armed and not (position == 0 and word.endswith(_PEOPLE))
            entries, size = self._at(words, position)
            passed = any(form in _PASSED_ARMED for form in uncliticised(word))
            if size > 1 and passed and self._at(words, position + 1)[1] >= size:
                continue  # «طيران الاحتلال الروسي»: «الاحتلال الروسي» says more than «طيران الاحتلال»
            found = [entry for entry in entries if usable or not entry.nationality]
            if actor := _choose(found, year, named):
                return actor
            forms = uncliticised(word)
            if not any(form in _PASSED for form in forms):
                return None
            armed = armed and any(form in _PASSED_ARMED for form in forms)
        return None

    def named(self, text: str, year: int | None = None) -> frozenset[str]:
        """The ids of all actors that a text names anywhere by names that nobody shares, and their countries («@SY»)."""
        actors = self.mentioned(text, year)
        return frozenset(actor.id for actor in actors) | frozenset(f"@{actor.country}" for actor in actors)

    def mentioned(self, text: str, year: int | None = None) -> list[Actor]:
        """Every actor that a text names anywhere by names that nobody shares, once each, in the order of the text."""
        found = dict[Actor, None]()
        for words, begins in self._stretches(text):
            for position in range(begins):
                entries, _ = self._at(words, position)
                if entries and not any(entry.shared for entry in entries) and (actor := _choose(entries, year, frozenset())):
                    found[actor] = None
        return list(found)

    def _stretches(self, text: str) -> Iterator[tuple[list[str], int]]:
        """The folded words of a text in stretches, and at how many of them an alias may begin: what it goes on with stands behind."""
        start, words = 0, list[str]()
        while start < len(text):
            space = _SPACE.search(text, start + STRETCH)
            stop = space.start() if space else len(text)
            words += fold(text[start:stop]).split()
            begins = max(0, len(words) - self.longest + 1) if stop < len(text) else len(words)
            yield words, begins
            start, words = stop, words[begins:]

    def _at(self, words: Sequence[str], position: int) -> tuple[tuple[_Entry, ...], int]:
        """The rows of the longest alias that begins at a word, and how many words it has."""
        firsts = [first for first in uncliticised(words[position]) if first in self._first_words]
        if not firsts:
            return (), 0
        rest = [bare(word) for word in words[position + 1 : position + self.longest]]
        for first in firsts:
            for size in range(len(rest), -1, -1):
                if found := self.entries.get((first, *rest[:size])):
                    return found, size + 1
        return (), 0


@dataclass(frozen=True, slots=True)
class LinkedActors:
    """A reading whose known actors have one sector each, and who they are: (incident number, participant number) -> Actor."""

    reading: Reading
    actors: Mapping[tuple[int, int], Actor]


def link_actors(text: str, reading: Reading, table: ActorTable, *, date: str | None = None) -> LinkedActors:
    """Give every actor span of a reading its id where the table knows it, by its span or else its other mentions.

    `date` is the text's ("2015-07-30", "2015" or None): an incident's own date comes first where it has one. The sector of a known actor
    is the table's, so one actor never has two sectors in one article, unless its role changed between two dated incidents or the table
    allows it several («MIL|GOV»: a state strikes and signs).
    """
    named = table.named(text, _year(date))
    incidents, actors = [], {}
    for number, incident in enumerate(reading.incidents):
        year, participants = _year(incident.date) or _year(date), list(incident.participants)
        for place, participant in enumerate(participants):
            if participant.sector is None:
                continue
            spans = (participant.text, *(mention.text for mention in participant.mentions))
            actor = next((found for span in spans if (found := table.find(span, year, named))), None)
            if actor:
                actors[number, place] = actor
                if participant.sector not in actor.others:
                    participants[place] = replace(participant, sector=actor.sector)
        incidents.append(replace(incident, participants=tuple(participants)))
    return LinkedActors(replace(reading, incidents=tuple(incidents)), actors)


def _year(date: str | None) -> int | None:
    return int(date[:4]) if date and date[:4].isdigit() and len(date) >= 4 else None


def _choose(entries: Iterable[_Entry], year: int | None, named: frozenset[str]) -> Actor | None:
    """The row of that year (None: the newest); of several actors the one that the text, or whose country it, names otherwise."""
    alive = [entry for entry in entries if year is None or entry.actor.first <= year <= entry.actor.last]
    own = [entry for entry in alive if not entry.shared]
    shared = [entry for entry in alive if entry.shared]
    if shared and not any(_is_named(entry.actor, named) for entry in own):
        closest = [entry for entry in shared if entry.actor.id in named] or [entry for entry in shared if _is_named(entry.actor, named)]
        if len({entry.actor.id for entry in closest}) == 1:
            own = closest
    return max(own, key=lambda entry: entry.actor.last).actor if own else None


def _is_named(actor: Actor, named: frozenset[str]) -> bool:
    return actor.id in named or f"@{actor.country}" in named


@cache
def _packaged(sectors: tuple[str, ...]) -> ActorTable:
    """Proved once a process: a reader is loaded often where many are."""
    text = resources.files("waqia.document").joinpath(PACKAGED).read_text("utf-8")
    return _table(_rows(text, PACKAGED, sectors))


def _rows(text: str, where: str, sectors: Sequence[str]) -> Iterator[tuple[_Entry, Words]]:
    """Every alias of every row, proved; RecordError at the first fault."""
    reader = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    if missing := [column for column in COLUMNS if column not in header]:
        raise RecordError(f"{where}:1: missing column {', '.join(missing)}; expected a tab-separated header with {', '.join(COLUMNS)}")
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for number, cells in enumerate(reader, 2):
        if not any(cells) or cells[0].startswith("#"):
            continue
        at = f"{where}:{number}"
        if len(cells) != len(header):
            raise RecordError(f"{at}: {len(cells)} cells, the header has {len(header)}; write an empty cell where there is nothing")
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        actor = _actor(row, at, sectors)
        for first, last, line in spans.setdefault(actor.id, []):
            if first <= actor.last and actor.first <= last:
                raise RecordError(f"{at}: id {actor.id!r} stands in line {line} for some of the same years; give each row years of its own")
        spans[actor.id].append((actor.first, actor.last, number))
        yield from _aliases(row, actor, at)


def _actor(row: Mapping[str, str], at: str, known: Sequence[str]) -> Actor:
    for column in ("id", "name_en", "name_ar"):
        if not row[column]:
            raise RecordError(f"{at}: {column} is empty; every row needs an id and both names")
    sectors = row["sector"].split("|")
    if unknown := [sector for sector in sectors if sector not in known]:
        raise RecordError(f"{at}: sector {unknown[0]!r} is unknown, expected one of {', '.join(known)}, or several with «|»")
    years = []
    for column, open_end in (("from", _FIRST), ("to", _LAST)):
        if row[column] and not (row[column].isascii() and row[column].isdigit() and len(row[column]) == 4):
            raise RecordError(f"{at}: {column} is {row[column]!r}, expected a year such as 2014, or nothing")
        years.append(int(row[column] or open_end))
    if years[0] > years[1]:
        raise RecordError(f"{at}: from {years[0]} lies after to {years[1]}; swap them")
    return Actor(row["id"], row["name_en"], row["name_ar"], sectors[0], row["country"], years[0], years[1], tuple(sectors[1:]))


def _aliases(row: Mapping[str, str], actor: Actor, at: str) -> Iterator[tuple[_Entry, Words]]:
    for alias in dict.fromkeys((row["name_ar"], *filter(None, map(str.strip, row["aliases_ar"].split("|"))))):
        name = alias.lstrip("?@")
        if not key(name):
            raise RecordError(f"{at}: alias {alias!r} holds no letter; write a name or leave it out")
        entry = _Entry(actor, alias.startswith("?"), "@" in alias[:2], at)
        names = [name + end for end in _ADJECTIVE] if alias.startswith("@") else [name]
        yield from ((entry, words) for words in dict.fromkeys(map(key, names)))


def _table(rows: Iterable[tuple[_Entry, Words]]) -> ActorTable:
    """Rows by alias; RecordError where two actors have an alias in the same years and neither marks it as shared."""
    entries: dict[Words, tuple[_Entry, ...]] = {}
    for entry, words in rows:
        others = entries.get(words, ())
        if any(other.actor == entry.actor for other in others):
            continue  # two spellings that fold to one
        for other in others:
            overlap = other.actor.first <= entry.actor.last and entry.actor.first <= other.actor.last
            if overlap and not (entry.shared or other.shared):
                both = f"{other.actor.id!r} ({other.where}) and {entry.actor.id!r} ({entry.where})"
                raise RecordError(f"alias {' '.join(words)!r} is given twice, to {both}; write «?» before it in one of the rows")
        entries[words] = (*others, entry)
    return ActorTable(entries, max((len(words) for words in entries), default=1))
