"""Places: the phrase as written («قرية الكفير بريف إدلب الغربي») -> coordinates, country, alternatives, and whether they are sure.

A phrase is read from its front: attached clitics and head words («بلدة», «حي», «مخيم», «ريف», «قرب») are passed over, the
first name that the gazetteer knows is the place, the names behind it are what encloses it. Homonyms are told apart by what
encloses them, then by the other places of the text, then by size. Where only an enclosing name is known, its coordinates are
given and `exact` is False.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

from waqia.arabic import DIACRITICS
from waqia.document.folding import ARTICLE, bare, fold, uncliticised
from waqia.document.gazetteer import Entry, Gazetteer
from waqia.labels import OF_THAT_NAME
from waqia.schema import Participant, Reading

_Spot = tuple[int, int, Participant]  # number of the incident, of the participant in it, and itself

SURE = 0.6  # a best candidate below this share is called ambiguous
SAME_KM = 25.0  # two candidates of one name as near as this are the same place
FAR_KM = 170.0  # further from the name that encloses it, a homonym is another place
AROUND = 128  # places before and after one that help to decide it: what bounds the cost of a long text
STRETCH = 50_000  # characters of a text in which a phrase that a head word marks is such a help
SHIFT_KM = 15.0  # «شمال حلب», «ريف منبج الجنوبي»: this far from the centre
_ENCLOSED, _NEAR, _VOTES = (
    4.0,
    3.0,
    2.0,
)  # weights of the enclosing name, the text's other places, and their countries, beside log10 of size
_KNOWN_ABROAD = 5.0  # a place of fewer than 100,000 people is not taken from a country that the text does not speak of
_SIZE = {
    "country": 7.0,
    "city": 6.0,
    "region": 5.0,
    "governorate": 5.0,
    "rural": 5.0,
    "town": 4.7,
    "district": 4.2,
    "site": 3.6,
    "village": 3.4,
}
_HEADS = """
مدينه مدن مدينتي بلده بلدات بلدتي بلدتا قريه قري قريتي قريتا حي احياء احيا مخيم مخيمات مخيمي ريف ارياف ريفي محافظه محافظات
محافظتي ناحيه قضاء قضا منطقه مناطق مقاطعه جبل جبال تل معبر مطار طريق الطريق سد جسر سهل وادي بحيره نهر حقل حقول محطه سجن سوق
ساحه ميدان شارع دوار مفرق مدخل مداخل اطراف محيط ضواحي ضاحيه قرب بالقرب جوار في من الي علي عند بين داخل خارج وسط مركز حدود
الحدود حدوديه حدودي مزرعه مزارع قاعده مطعم مسجد جامع مشفي مستشفي مدرسه معسكر حاجز محور جبهه خط نقطه مقر موقع مبني بناء بيت
منزل واقع واقعه تابع تابعه مجاور مجاوره ولايه اماره لواء مديريه عزله اقليم دوله بلد بلاد مملكه جمهوريه شبه جزيره ساحل ضفه
هضبه صحراء صحرا باديه قطاع شرق غرب شمال جنوب شرقي غربي شمالي جنوبي شرقيه غربيه شماليه جنوبيه عاصمه كامل عدد عده بعض مختلف
متفرقه قريبه قريب كل ذاته نفسه نفسها ذاتها مذكوره محليه مكان ان ارض اراضي اجواء سماء سما قبال
"""
_HEAD = frozenset(bare(word) for word in _HEADS.split())
_TOLD = re.compile(
    r"(?<!\w)[وبلف]?(?:ال)?(?:مدين[ةه]|بلد[ةه]|قري[ةه]|ناحي[ةه]|مخيم|حي|ريف|محافظ[ةه]|منطق[ةه]|قضاء|سد|جسر|شمال[يى]?|جنوب[يى]?|شرق[يى]?|غرب[يى]?)"
    rf"(?:[ \"“”«»_#]+[\w{DIACRITICS}]+){{1,7}}"
)
_PARTS = frozenset(["عين", "تل", "دير", "بيت", "خان", "كفر", "ابو", "ام", "راس", "بني", "ابن", "بن", "شيخ"])  # what longer names begin with
_DIRECTIONS = {"شمال": (1, 0), "جنوب": (-1, 0), "شرق": (0, 1), "غرب": (0, -1)}
_ENDINGS = ("", "ي", "يه")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a phrase lies. `score` in (0, 1] is the share of the best candidate; WGS 84 degrees.

    `exact` is False where the phrase says something finer than, or beside, the entry («ريف منبج», a village that the gazetteer lacks);
    `inferred` where no name of the phrase is known and the text's other places decide. `alternatives` are other entries of that name.
    """

    entry: Entry
    latitude: float
    longitude: float
    score: float
    exact: bool = True
    ambiguous: bool = False
    inferred: bool = False
    alternatives: tuple[Entry, ...] = ()

    @property
    def vagueness(self) -> tuple[bool, bool, bool]:
        """What orders places of one incident, the most exact least: inferred ones last, before them regions, then what is not exact."""
        return self.inferred, self.entry.kind in {"country", "region", "governorate", "rural"}, not self.exact

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON; the entry's name, country, admin and source stand beside the coordinates."""
        entry = self.entry
        plain: dict[str, object] = {"name": entry.name, "name_ar": entry.name_ar, "latitude": self.latitude, "longitude": self.longitude}
        plain |= {"kind": entry.kind, "country": entry.country, "admin": entry.admin, "source": entry.source, "score": round(self.score, 4)}
        plain |= {"exact": self.exact, "ambiguous": self.ambiguous, "inferred": self.inferred}
        others = [{"name": e.name, "country": e.country, "latitude": e.latitude, "longitude": e.longitude} for e in self.alternatives]
        return {**plain, "alternatives": others}


@dataclass(frozen=True, slots=True)
class _Name:
    """A run of words that the gazetteer knows, and what stands before it."""

    entries: tuple[Entry, ...]
    finer: bool  # words before it name something that the gazetteer lacks, or «ريف», «قرب»
    direction: tuple[int, int]  # north and east, each -1, 0 or 1


def resolve(phrase: str, gazetteer: Gazetteer, context: Iterable[str] = (), *, infer: bool = False) -> Place | None:
    """The place of a phrase, or None where no name in it is known.

    `context` are the other place phrases of the text, the nearest first. With `infer`, a phrase without a known name («البلدة», a village
    that the gazetteer lacks) takes the place of the first phrase of the context that has one, marked `inferred` and scored half.
    """
    others = [names for text in dict.fromkeys(context) if text != phrase and (names := _names(text, gazetteer))]
    return _resolved(_names(phrase, gazetteer), others, infer=infer)


def _resolved(names: list[_Name], others: Sequence[Sequence[_Name]], *, infer: bool) -> Place | None:
    while names and _foreign(names[0], names[1:], others):
        names = [replace(name, finer=True) for name in names[1:2]] + names[2:]
    if names:
        return _decide(names, others)
    if infer and (known := [names for names in others if names[0].entries[0].kind != "country"]):
        found = _decide(known[0], others)
        return replace(found, exact=False, inferred=True, score=found.score / 2)
    return None


def resolve_places(
    text: str, reading: Reading, gazetteer: Gazetteer, *, role: str | None = OF_THAT_NAME["place"], infer: bool = True
) -> dict[tuple[int, int], Place]:
    """Every place of a reading: (incident number, participant number) -> Place; what is not there could not be resolved.

    `role` is the one that tells places (`LabelSet.fact_roles`). Context are the reading's other places, nearest first, then what the text
    calls a place by a head word; of a long text those that are near (AROUND, STRETCH).
    """
    spots = [(n, k, p) for n, i in enumerate(reading.incidents) for k, p in enumerate(i.participants) if p.role == role]
    starts = range(0, len(text) if spots else 0, STRETCH)
    told = [told_places(text[start : start + STRETCH]) for start in starts]
    names = {phrase: _names(phrase, gazetteer) for phrase in (*(spot[2].text for spot in spots), *chain.from_iterable(told))}
    found = {}
    for (number, position, participant), near in zip(spots, _nearest(spots), strict=True):
        context = dict.fromkeys([*(spot[2].text for spot in near), *told[participant.start // STRETCH]])
        others = [names[phrase] for phrase in context if phrase != participant.text and names[phrase]]
        place = _resolved(names[participant.text], others, infer=infer)
        if place:
            found[number, position] = place
    return found


def _nearest(spots: Sequence[_Spot]) -> Iterator[list[_Spot]]:
    """For each place participant those around it, of its own incident first, then the nearest first; at most AROUND on either side."""
    every = _Line.of(spots)
    own = {number: _Line.of(list(some)) for number, some in groupby(spots, key=itemgetter(0))}
    for spot in spots:
        around = {other[:2]: other for line in (own[spot[0]], every) for other in line.around(spot)}
        yield sorted(around.values(), key=lambda other: (other[0] != spot[0], abs(other[2].start - spot[2].start), *other[:2]))


class _Line(NamedTuple):
    """Place participants in the order of the text, and where each stands in it."""

    spots: Sequence[_Spot]
    at: Mapping[tuple[int, int], int]

    @classmethod
    def of(cls, spots: Sequence[_Spot]) -> _Line:
        ordered = sorted(spots, key=lambda spot: spot[2].start)
        return cls(ordered, {spot[:2]: at for at, spot in enumerate(ordered)})

    def around(self, spot: _Spot) -> Sequence[_Spot]:
        """At most AROUND before it and behind it, and itself."""
        at = self.at[spot[:2]]
        return self.spots[max(0, at - AROUND) : at + AROUND + 1]


def told_places(text: str) -> list[str]:
    """Phrases that a head word marks as places («مدينة منبج شرقي حلب»), in the order of the text, the same one once."""
    return list(dict.fromkeys(match.group().strip() for match in _TOLD.finditer(text)))


def text_place(text: str, gazetteer: Gazetteer) -> Place | None:
    """The first place that the text tells by a head word and that the gazetteer knows, marked `inferred` and scored half; else None.

    For an incident whose place nobody read: a guess, never to be taken for a place that the incident is said to have.
    """
    told = told_places(text)
    found = [place for phrase in told if (place := resolve(phrase, gazetteer, [other for other in told if other != phrase]))]
    best = min(found, key=lambda place: (place.entry.kind in {"country", "region", "governorate", "rural"}, not place.exact), default=None)
    return None if best is None else replace(best, inferred=True, score=best.score / 2)


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance between two (latitude, longitude) in degrees, on a sphere of 6371 km."""
    (north, east), (north2, east2) = (map(math.radians, point) for point in (a, b))
    half = math.sin((north2 - north) / 2) ** 2 + math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return 12742 * math.asin(min(1.0, math.sqrt(half)))


def _names(phrase: str, gazetteer: Gazetteer) -> list[_Name]:
    """The known names of a phrase in their order, the first of them the place."""
    words, names, position = fold(phrase).split(), list[_Name](), 0
    finer, rural, north, east = False, False, 0, 0
    while position < len(words):
        entries, size = _longest(words, position, gazetteer)
        if entries and words[position] in _HEAD and _longest(words, position + 1, gazetteer)[1] >= size:
            entries = ()  # «مدينة عين عيسى»: «عين عيسى» is longer than what «مدينة العين» has of it
        if entries:
            position += size
            behind = _direction(words[position]) if rural and position < len(words) else None
            north, east = (north, east) if behind is None else behind
            names.append(_Name(entries, finer or rural, (north, east)))
            finer, rural, north, east = False, False, 0, 0
            continue
        forms = uncliticised(words[position])
        step = next((step for form in forms if (step := _direction(form))), None)
        if step:
            rural, north, east = True, north or step[0], east or step[1]
        elif any(form in {"ريف", "ارياف", "ريفي", "ضواحي"} for form in forms):
            rural = True
        elif not any(form in _HEAD for form in forms) and not words[position].isdigit():
            finer = True
        position += 1
    return names


def _longest(words: Sequence[str], position: int, gazetteer: Gazetteer) -> tuple[tuple[Entry, ...], int]:
    if position >= len(words):
        return (), 0
    rest = [bare(word) for word in words[position + 1 : position + gazetteer.longest]]
    for first in uncliticised(words[position]):
        for size in range(len(rest), -1, -1):
            if size == 0 and (first in _HEAD or len(first) < 2):
                continue  # «المدينة» alone is no place, «المدينة المنورة» is
            if bare(words[position + size]) in _PARTS and position + size + 1 < len(words):
                continue  # «مدينة عين» of an unknown «عين …»
            found = gazetteer.find((first, *rest[:size]))
            if found and not (size == 0 and _begins_another(words, position, found)):
                return found, size + 1
    return (), 0


def _begins_another(words: Sequence[str], position: int, found: Sequence[Entry]) -> bool:
    """Whether one word without the article begins a name that nobody knows («عين ديوار» is not «العين»)."""
    following = words[position + 1] if position + 1 < len(words) else ""
    if not following or any(form.startswith(ARTICLE) for form in _clitic_cut(words[position])):
        return False
    plain = {fold(name) for entry in found for name in (entry.name_ar, entry.name)}
    known = any(form in _HEAD or _direction(form) for form in uncliticised(following))
    return not known and not any(form in plain for form in _clitic_cut(words[position]))


def _clitic_cut(word: str) -> tuple[str, ...]:
    """The word as it stands, and without one letter before it; the article stays («بالعين» -> «العين»)."""
    return word, word[1:]


def _direction(word: str) -> tuple[int, int] | None:
    plain = bare(word)
    return next((step for stem, step in _DIRECTIONS.items() if plain in {stem + end for end in _ENDINGS}), None)


def _decide(names: Sequence[_Name], others: Sequence[Sequence[_Name]]) -> Place:
    """The first name's best entry, or the enclosing one's where every homonym lies elsewhere."""
    ranked = _ranked(names[0], names[1:], others)
    if len(names) > 1:
        around = _ranked(names[1], names[2:], others)[0][1]
        if not any(_inside(entry, around) for _, entry in ranked):
            inner = _decide(names[1:], others)
            return replace(inner, exact=False)
    top = ranked[0][1]
    weights = [(math.exp(value - ranked[0][0]), entry) for value, entry in ranked]
    same = sum(weight for weight, entry in weights if distance_km(entry.at, top.at) <= SAME_KM)
    score = same / sum(weight for weight, _ in weights)
    elsewhere = tuple(entry for _, entry in weights if distance_km(entry.at, top.at) > SAME_KM)
    latitude, longitude = _shifted(top, names[0].direction)
    return Place(top, latitude, longitude, score, not names[0].finer, score < SURE, False, elsewhere[:5])


def _foreign(name: _Name, enclosing: Sequence[_Name], others: Sequence[Sequence[_Name]]) -> bool:
    """Whether a small place lies in countries that nothing else of the text lies in: then the text means one that the gazetteer lacks."""
    if enclosing or len(others) < 2:
        return False
    votes = _countries([names for names in others if names[0].entries != name.entries])
    return bool(votes) and all(_size(entry) < _KNOWN_ABROAD and not votes.get(entry.country) for entry in name.entries)


def _ranked(name: _Name, enclosing: Sequence[_Name], others: Sequence[Sequence[_Name]]) -> list[tuple[float, Entry]]:
    """Entries with their log weights, best first; of entries alike the gazetteer's order decides."""
    phrases = [names for names in others if names[0].entries != name.entries]
    votes = _countries([*phrases, *[[other] for other in enclosing]])

    def weight(entry: Entry) -> float:
        value = _size(entry) + _VOTES * votes.get(entry.country, 0.0)
        if enclosing:
            value += _ENCLOSED * max(_closeness(entry, other, 50.0) for other in enclosing)
        if phrases:
            value += _NEAR * sum(_closeness(entry, names[0], 100.0) for names in phrases) / len(phrases)
        return value

    return sorted(((weight(entry), entry) for entry in name.entries), key=lambda pair: -pair[0])


def _size(entry: Entry) -> float:
    return math.log10(entry.population + 1) if entry.population else _SIZE.get(entry.kind, 3.0)


def _closeness(entry: Entry, other: _Name, scale: float) -> float:
    """1 on the spot, falling to 0 with distance, to the nearest entry of another name."""
    return max(math.exp(-distance_km(entry.at, there.at) / scale) for there in other.entries)


def _countries(phrases: Sequence[Sequence[_Name]]) -> Mapping[str, float]:
    """The share of phrases each of which may lie in a country."""
    votes: dict[str, float] = {}
    for names in phrases:
        for country in {entry.country for entry in names[-1].entries}:
            votes[country] = votes.get(country, 0.0) + 1 / len(phrases)
    return votes


def _inside(entry: Entry, around: Entry) -> bool:
    if around.kind in {"country", "region"}:
        return not around.country or entry.country in {around.country, ""}
    return distance_km(entry.at, around.at) <= FAR_KM


def _shifted(entry: Entry, direction: tuple[int, int]) -> tuple[float, float]:
    north, east = direction
    if not (north or east) or entry.kind in {"country", "rural"}:
        return entry.at
    length = math.hypot(north, east)
    latitude = entry.latitude + SHIFT_KM * north / length / 111.2
    longitude = entry.longitude + SHIFT_KM * east / length / (111.2 * math.cos(math.radians(entry.latitude)))
    return round(latitude, 5), round(longitude, 5)
