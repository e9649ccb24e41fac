"""Time phrases as intervals: «مساء الخميس الماضي» and the day of the text give a start, an end and a grain, or nothing at all.

Rules of reading: a week day is the last one on or before the text's day, with «الماضي» the last before it, with «المقبل» or in a sentence
about what is to come the next one; a month without a year likewise; weeks run Sunday to Saturday; early, mid and late month are days 1-10,
11-20 and 21 to the end; the winter of a year ends in it. Hijri months need the extra `hijri`. What hangs on another event is never guessed:
«بعد ساعتين», «في الليلة نفسها».
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise

from waqia.arabic import STOPS
from waqia.document.numbers import fold
from waqia.document.timewords import NIGHT, Item, read_items

GRAINS = ("hour", "part", "day", "week", "month", "year", "span", "vague")
CLAUSE = 90  # characters before a phrase that tell whether the sentence is about what is to come
_SPOKEN = re.compile(r"[وف]?س(?:ت|ي|ن)(?!ار|نا|طر|د|اس|ول|ر|ف|وف|ه\b|ين\b|هد|ب|م)\w{3,}")
_FUTURE = re.compile(
    r"\b[وفبل]{0,2}(?:ال)?(?:[يت]عتزم\w*|مقرره?|مزمعه?|مرتقبه?|متوقع|[يت]لوح\w*|ملوح\w*|[يت]هدد\w*|هدد\w*|مهدد\w*|[يت]بدا|[يت]نطلق|[يت]نتهي|[يت]فترض"
    r"|اعتبارا|ابتداا?|مهله|دعا|دعت|دعوا|دعوات|دعوه|يدعو|تدعو|[يت]نوي|[يت]خطط|سوف|لن|موعدا?|[يت]ستعد|استعدادا|تحضيرا|تاجيل|ارجا|حدد|توعد)\b"
)
_CURFEW = re.compile(r"حظر|منع|يحظر|تحظر|تجول|تجوال|اعتبارا|اغلاق|يوميا")
_FRACTIONS = ("نصف", "ثلث", "ربع")
_DAYS = {"day": 1, "week": 7}
_PRECISION = {"hour": 1, "part": 1, "day": 1, "week": 2, "month": 3, "year": 3, "vague": 3}


@dataclass(frozen=True, slots=True)
class DateInterval:
    """Days from `start` to `end`, both within, how fine the phrase is (`grain`, one of GRAINS) and what it was counted from.

    `anchored` is "absolute" where the phrase alone tells it, else "text date".
    """

    start: date
    end: date
    grain: str
    anchored: str

    @property
    def time_precision(self) -> int:
        """ACLED's time precision: 1 the day is known, 2 within a week, 3 within a month or worse (ACLED codebook)."""
        days = (self.end - self.start).days
        return _PRECISION.get(self.grain, 1 if days == 0 else 2 if days <= 7 else 3)

    def iso(self) -> str:
        """The interval as a record's `date`: a day, a whole month or year, or "start/end"."""
        if self.start == self.end:
            return self.start.isoformat()
        if self.start == date(self.start.year, 1, 1) and self.end == date(self.start.year, 12, 31):
            return f"{self.start.year:04}"
        if (self.start, self.end) == _month(self.start.year, self.start.month):
            return self.start.isoformat()[:7]
        return f"{self.start.isoformat()}/{self.end.isoformat()}"


class _UnknownError(Exception):
    """The phrase cannot be resolved."""


@dataclass(frozen=True, slots=True)
class _Text:
    """The day of the text, whether the sentence looks forward, and the clause before the phrase."""

    anchor: date | None
    future: bool
    clause: str

    @property
    def day(self) -> date:
        if self.anchor is None:
            raise _UnknownError
        return self.anchor


@dataclass(slots=True)
class _Parts:
    """What a time phrase names, gathered before anything is resolved."""

    dates: list[date] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    months: list[int] = field(default_factory=list)
    hijri: int | None = None
    year: int | None = None
    first_year: int | None = None  # «عامي 2012 و2014»
    offset: int | None = None
    weekdays: list[int] = field(default_factory=list)
    hours: list[int] = field(default_factory=list)  # of parts of a day
    clock: int | None = None
    season: int | None = None
    units: dict[str, str] = field(default_factory=dict)  # «الشهر الماضي»: {"month": "past"}
    mod: str = ""
    place: str = ""
    quantity: tuple[float | None, str] | None = None
    numbers: list[int] = field(default_factory=list)
    week_of_month: int | None = None
    new_year: bool = False
    the_night: bool = False
    unknown: int = 0
    earlier: bool = False  # «في وقت سابق من العام»
    relative: bool = False  # «قبل ذلك بأسبوع», «قبل الهجوم بثلاثة أيام»

    @property
    def names_day(self) -> bool:
        """Whether a day is named, by date, week day or distance from the text's day."""
        return bool(self.dates or self.days or self.weekdays or self.offset is not None)

    @property
    def hour(self) -> int | None:
        """The hour of the day that it is about, about right."""
        part = self.hours[0] if self.hours else None
        if self.clock is None or self.clock < 0:
            return part
        afternoon = part is not None and part >= 12 and self.clock < 12 and not (part >= NIGHT and self.clock < 5)
        return self.clock + 12 if afternoon else self.clock % 24


def resolve_date(phrase: str, anchor: date | None, *, before: str = "", after: str = "") -> DateInterval | None:
    """The interval that a time phrase means in a text of the day `anchor`; None where it cannot be known.

    `before` and `after` are the text around the phrase: they tell plans from reports. Without `anchor` only full dates resolve.

    >>> resolve_date("مساء الخميس الماضي", date(2023, 5, 12)).iso()
    '2023-05-11'
    """
    clause = re.split(rf"[{STOPS}\n]", fold(before[-CLAUSE:]))[-1]
    text = _Text(anchor, _looks_forward(clause) or bool(_FUTURE.search(fold(phrase))), clause + " " + fold(after[:CLAUSE]))
    items = read_items(phrase)
    try:
        found = _resolve(_with_preposition(items, clause), text)
    except (_UnknownError, ValueError, OverflowError):
        return None
    return found if found.start <= found.end else None


def _looks_forward(clause: str) -> bool:
    near = clause.split()[-9:]
    return bool(_FUTURE.search(" ".join(near)) or any(_SPOKEN.fullmatch(word) for word in near))


def _with_preposition(items: list[Item], clause: str) -> list[Item]:
    """A bare length of time («ثلاثة أيام») with the preposition that stands just before the phrase."""
    if not items or items[0].kind not in ("number", "unit") or (items[0].kind == "unit" and items[0].count == 1):
        return items
    last = read_items(" ".join(clause.split()[-2:]))[-1:]
    return last + items if last and last[0].kind == "prep" and last[0].value in ("since", "from", "during", "before") else items


def _resolve(items: list[Item], text: _Text) -> DateInterval:
    preps = [(n, str(item.value)) for n, item in enumerate(items) if item.kind == "prep"]
    named = {value for _, value in preps}
    if "against" in named:
        raise _UnknownError
    ranged = _range_bounds(items, preps)
    if ranged is not None:
        head, first, last = ranged
        return _range(_gather(head + first), _gather(last), text)
    for split in range(1, len(items)):
        if items[split].joined and items[split].kind in ("part", "offset") and items[0].kind != "number":
            return _union(_resolve(items[:split], text), _resolve(items[split:], text), text)
    nth = _nth(items, text)
    if nth is not None:
        return nth
    parts = _gather([item for item in items if item.kind != "prep" or item.value not in ("since", "until")])
    parts.relative = parts.relative or _counts_from_another(items)
    opened = bool(items) and items[0].kind == "prep" and items[0].value == "from"
    since = "since" in named or (opened and (parts.quantity is not None or not (parts.names_day and parts.hours)))
    if parts.quantity is not None and parts.quantity[1] not in ("", "minute"):
        counted = _counted(parts, named, since, text)
        if counted is not None:
            return counted
    if "after" in named and not (parts.hours or (parts.clock is not None and parts.clock >= 0)):
        raise _UnknownError
    if "before" in named and (parts.relative or (not parts.hours and (parts.clock is None or parts.unknown))):
        return _deadline(parts, text)
    if since and parts.clock == -1:
        return DateInterval(text.day, text.day, "hour", "text date")
    if since and "starting" not in named:
        found = _simple(parts, text)
        return DateInterval(found.start, text.day, "span", "text date")
    if items and items[0].value == "until":
        return _until(parts, text)
    found = _simple(parts, replace(text, future=text.future or "starting" in named))
    midnight = "after" in named and parts.place == "middle" and bool(parts.hours) and max(parts.hours) >= NIGHT
    if midnight and parts.names_day and found.start == found.end and text.anchor is not None and found.end < text.anchor:
        return replace(found, end=found.end + timedelta(1))
    return found


def _counts_from_another(items: list[Item]) -> bool:
    """«قبل شهر من الهجوم»: the length is counted from something else; «قبل شهر من الآن» is not."""
    kinds = [item.value if item.kind == "prep" else item.kind for item in items]
    at = next((n for n in range(2, len(kinds) - 1) if kinds[n] == "from" and "before" in kinds[:n] and kinds[n - 1] == "unit"), None)
    if at is None:
        return False
    return items[at + 1] != Item("clock", -1)


def _range_bounds(items: list[Item], preps: list[tuple[int, str]]) -> tuple[list[Item], list[Item], list[Item]] | None:
    """What stands before a range, its first and its last bound; None where there is none («ليل السبت إلى الأحد» is one night)."""
    between = next((n for n, value in preps if value == "between"), None)
    if between is not None:
        head = items[:between]
        split = next((n for n in range(between + 2, len(items)) if items[n].joined or items[n].value == "until"), None)
        if split is None or any(item.kind == "part" and item.value in (22, 23) for item in head):
            return None
        return head, items[between + 1 : split], [item for item in items[split:] if item.kind != "prep"]
    until = next((n for n, value in preps if value == "until" and n), None)
    if until is None:
        marks = [n for n in range(1, len(items) - 1) if items[n].kind == "mark"]
        until = next((n for n in marks if items[n - 1].kind == items[n + 1].kind == "number"), None)
    first = items[:until]
    named = [item for item in first if item.kind not in ("prep", "mark", "word")]
    if until is None or not named or any(item.kind == "prep" and item.value in ("since", "during") for item in first):
        return None
    last = items[until + 1 :]
    night = [item for item in first if item.kind == "part" and item.value in (22, 23)]
    if night and last[:1] and last[0].kind == "weekday" and any(item.kind == "weekday" for item in first):
        return None
    opening = next((n for n, item in enumerate(first) if item.kind == "prep" and item.value == "from"), -1)
    return [], first[opening + 1 :], last


def _gather(items: list[Item]) -> _Parts:
    """The parts that the items of a phrase name."""
    parts = _Parts()
    for n, item in enumerate(items):
        last = items[n - 1] if n else Item("", "")
        rest = [other for other in items[n + 1 :] if other.kind != "mark"]
        if rest and rest[0].kind == "prep" and rest[0].value == "from":
            rest = rest[1:]
        following = rest[0] if rest else Item("", "")
        if item.kind in ("number", "ordinal"):
            _gather_number(parts, item, last, following)
        elif item.kind == "unit":
            _gather_unit(parts, item, last, items[n + 1 : n + 3])
        elif item.value == "earlier":
            parts.earlier, parts.mod = True, "same" if item.definite else parts.mod
        elif item.kind == "mod":
            if last.kind == "unit" and str(last.value) in parts.units:
                parts.units[str(last.value)] = str(item.value)
            elif item.value == "same" or not (following.kind == "unit" and following.definite):
                parts.mod = parts.mod if parts.mod == "same" else str(item.value)
        else:
            _gather_name(parts, item)
    if len(parts.days) == 1 and parts.months and all(0 < a < b for a, b in pairwise((*parts.numbers, parts.days[0]))):
        parts.days[:0] = parts.numbers  # «5 و6 و7 أيار»
    return parts


def _gather_name(parts: _Parts, item: Item) -> None:
    value = item.value
    if item.kind == "day" and isinstance(value, tuple):
        parts.dates.append(date(*value))
    elif item.kind == "part":
        parts.hours.append(item.number)
        parts.the_night = parts.the_night or (value == 23 and item.definite)
    elif item.kind == "month" and value not in parts.months:
        parts.months.append(item.number)
    elif item.kind == "weekday":
        parts.weekdays.append(item.number)
    elif item.kind in ("offset", "clock", "season", "hijri"):
        setattr(parts, item.kind, value)
    elif item.kind == "place":
        parts.place = str(value)
    elif item.kind == "word":
        parts.new_year = parts.new_year or value == "new year"
        parts.unknown += 1
        if str(value).removeprefix("و") == "نصف" and parts.quantity and parts.quantity[0]:
            parts.quantity = parts.quantity[0] + 0.5, parts.quantity[1]


def _gather_number(parts: _Parts, item: Item, last: Item, following: Item) -> None:
    parts.relative = parts.relative or ("ب" in item.cut and following.kind == "unit")
    value = item.number
    hours = last.kind == "unit" and last.value == "hour"
    if hours and item.kind == "ordinal" and last.count == 0:
        return  # «الساعات الأولى»
    if hours and last.definite and last.count == 0:
        parts.quantity = (value, "hour")
    elif (hours or (following.kind == "part" and not (last.kind == "unit" and last.value == "day"))) and value <= 24:
        parts.clock = value
    elif following.kind in ("month", "hijri") and value <= 31:
        parts.days.append(value)
        if last.kind == "unit" and last.value == "week" and value <= 5:
            parts.week_of_month = parts.days.pop()
    elif following.kind == "unit" and following.value == "month" and following.definite and value <= 31:
        parts.days.append(value)
    elif last.kind == "month" and 1800 <= value <= 2200:
        parts.year = value  # «10 أيار 2015 الساعة 15:30»: no number of hours
    elif item.kind == "number" and following.kind == "unit" and (not following.definite or following.value in ("hour", "week")):
        parts.quantity = (value, str(following.value))
    elif item.kind == "number" and last.kind == "unit" and last.definite and last.count != 1:
        parts.quantity = (value, str(last.value))
    elif 1800 <= value <= 2200 or (last.kind == "unit" and last.value == "year" and value > 99):
        parts.first_year = parts.first_year or (parts.year if item.joined else None)
        parts.year = value
    elif _counts_days(last, following) or (last.kind == "month" and value <= 31 and not parts.days):
        parts.days.append(value)
    elif not (item.kind == "ordinal" and last.kind == "part"):
        parts.numbers.append(value)
        parts.unknown += 1


def _counts_days(last: Item, following: Item) -> bool:
    """«يوم 5», «5 الجاري»."""
    return (last.kind == "unit" and last.value == "day" and not last.definite) or (following.kind == "mod" and following.value == "now")


def _gather_unit(parts: _Parts, item: Item, last: Item, rest: list[Item]) -> None:
    unit = str(item.value)
    parts.relative = parts.relative or (item.cut == "ب" and item.count == 2)  # «قبل الهجوم بيومين»
    following = rest[0] if rest else Item("", "")
    if unit == "day" and item.definite and item.count == 1 and str(last.value).removeprefix("و") not in _FRACTIONS:
        if following.kind != "ordinal" and not (following.kind == "mod" and following.value not in ("now", "past", "next")):
            parts.offset = 0
        else:
            parts.mod = "same"
    elif last.kind == "number" or (last.kind == "word" and str(last.value).removeprefix("و") in _FRACTIONS):
        return
    elif item.definite and item.count == 1:
        if unit != "hour" and following.kind != "number" and not (unit == "month" and following.kind == "month"):
            now = last.kind == "mod" and last.value == "now"
            parts.units.setdefault(unit, "" if not now else "now")
    elif item.definite and item.count == 2:
        parts.quantity = (2, unit)
    elif not (_names_what_follows(item, following) or unit == "minute" or (unit == "day" and item.count == 1)):
        parts.quantity = (item.count or None, unit)


def _names_what_follows(unit: Item, following: Item) -> bool:
    """«شهر أيار», «عامي 2012 و2014», «ساعات الفجر»: the unit is no length of time."""
    named = following.kind in ("number", "ordinal", "month", "hijri", "weekday", "offset", "part", "day")
    return named and (unit.count != 0 or unit.value == "hour")


def _union(first: DateInterval, last: DateInterval, text: _Text) -> DateInterval:
    grain = first.grain if first.grain == last.grain == "part" else "span"
    return DateInterval(min(first.start, last.start), max(first.end, last.end), grain, first.anchored)


def _nth(items: list[Item], text: _Text) -> DateInterval | None:
    """«لليوم الثالث على التوالي»: from its first day to the text's day."""
    for item, following in pairwise(items):
        unit = "day" if item.kind == "part" else str(item.value) if item.kind == "unit" else ""
        if following.kind in ("ordinal", "number") and unit in ("day", "week", "month", "year") and _goes_on(item, following):
            return DateInterval(_back(text.day, following.number - 1, unit), text.day, "span", "text date")
    return None


def _goes_on(unit: Item, following: Item) -> bool:
    """«لليوم الـ14», «في يومها الثالث»."""
    return unit.cut.endswith("+") or ("ل" in unit.cut.removesuffix("ال") and (following.kind == "ordinal" or unit.definite))


def _counted(parts: _Parts, named: set[str], since: bool, text: _Text) -> DateInterval | None:
    """A length of time counted from the text's day; None where the phrase names something else that is surer."""
    assert parts.quantity is not None
    count, unit = parts.quantity
    if parts.mod == "same" or any(mod == "same" for mod in parts.units.values()):
        raise _UnknownError
    framed = since or named & {"before", "during"} or parts.mod in ("past", "next") or parts.place == "end"
    if parts.names_day or parts.hours or parts.months or parts.year or parts.season is not None:
        return None
    if parts.relative or not framed or count is None or "after" in named or ("lasting" in named and not parts.mod):
        raise _UnknownError
    if "before" in named:
        day = _back(text.day, count, unit)
        return DateInterval(day, day, unit, "text date")
    if parts.mod == "next" or (text.future and not since and parts.mod != "past"):
        return DateInterval(text.day, _back(text.day, -count, unit), "span", "text date")
    return DateInterval(_back(text.day, count, unit), text.day, "span", "text date")


def _deadline(parts: _Parts, text: _Text) -> DateInterval:
    """«قبل نهاية الشهر»: from the text's day to then; unknown where it is over or hangs on something else."""
    if parts.relative or not (parts.place == "end" or parts.mod == "next" or "next" in parts.units.values()):
        raise _UnknownError
    week = parts.place == "end" and "week" in parts.units
    end = _week(parts.units["week"], text) + timedelta(6) if week else _simple(parts, replace(text, future=True)).end
    if end <= text.day:
        raise _UnknownError
    return DateInterval(text.day, end, "span", "text date")


def _until(parts: _Parts, text: _Text) -> DateInterval:
    """«حتى نهاية الشهر», «حتى 20 أيار»: a day or a month without a year is the nearest one, ahead or back."""
    ahead = parts.place == "end" or parts.mod == "next" or (parts.weekdays and parts.mod != "past" and parts.offset is None)
    found = _simple(parts, replace(text, future=text.future or bool(ahead)))
    if parts.months and parts.year is None and not (ahead or parts.mod or parts.units) and text.anchor is not None:
        day, next_one = text.anchor, _simple(parts, replace(text, future=True))
        found = next_one if next_one.end - day < day - found.end else found
    if text.anchor is not None and found.end > text.anchor:
        return DateInterval(text.anchor, found.end, "span", "text date")
    return found


def _range(first: _Parts, last: _Parts, text: _Text) -> DateInterval:
    for part in (first, last):
        if not part.days and part.numbers and (last.months or last.units.get("month") is not None or first.months):
            part.days = [part.numbers[0]]
    longer = bool(first.units) or first.year is not None or first.season is not None  # «من مطلع العام إلى نهاية آذار»
    if not first.months and (first.days or not (first.names_day or longer)):
        first.months = first.months or last.months[:1]
        first.units = first.units or last.units
    if last.days and not last.months:
        last.months = first.months[-1:]
    first.mod = first.mod or last.mod
    if first.names_day != last.names_day and (first.hour is not None and last.hour is not None):
        crosses = timedelta(int(last.hour <= first.hour))
        known = _simple(last if last.names_day else first, text).start
        start = known - crosses if last.names_day else known
        return DateInterval(start, start + crosses, "span", "text date")
    if not first.names_day and not last.names_day and first.hour is not None and last.hour is not None and not last.months:
        overnight = timedelta(int(last.hour <= first.hour))
        if text.future or _CURFEW.search(text.clause):
            return DateInterval(text.day, text.day + overnight, "span", "text date")
        return DateInterval(text.day - overnight, text.day, "span", "text date")
    if first.year is None and last.year is not None:
        later = bool(first.months and last.months and first.months[0] > last.months[-1])
        first.year = last.year - later
    if first.year is not None and last.year is None and last.months:
        last.year = first.year
    end = _simple(last, text)
    if text.future and first.weekdays and last.weekdays:
        opening = _simple(first, text).start
        return DateInterval(opening, end.end + timedelta(7 * (end.end < opening)), "span", end.anchored)
    before_end = first.year is None and not first.dates and first.offset is None and not first.units  # units count from the text's day
    opening = _simple(first, replace(text, anchor=end.end if before_end else text.anchor, future=False)).start
    return DateInterval(opening, end.end, "span", end.anchored)


def _simple(parts: _Parts, text: _Text) -> DateInterval:
    """The interval of a phrase without a range."""
    fixed = bool(parts.dates or (parts.year and (parts.months or parts.season is not None)))
    if not fixed and (parts.mod == "same" or "same" in parts.units.values()):
        raise _UnknownError
    if parts.first_year is not None:
        ends = [_simple(replace(parts, year=year, first_year=None), text) for year in (parts.first_year, parts.year)]
        return DateInterval(min(end.start for end in ends), max(end.end for end in ends), "span", "absolute")
    grain = "hour" if parts.clock is not None else "part" if parts.hours else "day"
    if parts.new_year:
        return _new_year(parts, text)
    if parts.hijri is not None:
        return _hijri(parts, text, grain)
    if len(parts.weekdays) == 2 and parts.weekdays[0] != parts.weekdays[1]:
        return _two_days(parts, text)
    if len(parts.days) > 1 and parts.days[0] < parts.days[-1]:
        first, last = _explicit(replace(parts, days=parts.days[:1]), text), _explicit(replace(parts, days=parts.days[-1:]), text)
        return DateInterval(first, last, "span", "text date" if parts.year is None else "absolute")
    if parts.weekdays and "week" in parts.units:
        sunday = _week(parts.units["week"], text)
        day = sunday + timedelta((parts.weekdays[0] + 1) % 7)
        return DateInterval(day, day, grain, "text date")
    day_of = _day(parts, text) if parts.names_day else None
    if day_of is not None:
        return DateInterval(day_of, day_of, grain, "absolute" if parts.dates or (parts.days and parts.year) else "text date")
    nights = {"past": 1, "before_last": 2}.get(parts.mod, 0)
    if parts.the_night and nights:
        night = text.day - timedelta(nights)
        return DateInterval(night, night + timedelta(1), "part", "text date")
    longer = _longer(parts, text)
    if longer is not None and parts.earlier and longer.start <= text.day < longer.end:
        return replace(longer, end=text.day)
    if longer is not None:
        return longer
    if grain != "day" and (not parts.unknown or (parts.clock or 0) > 0) and parts.mod not in ("past", "next"):
        return DateInterval(text.day, text.day, grain, "text date")
    raise _UnknownError


def _day(parts: _Parts, text: _Text) -> date:
    """The day that a date, a distance from the text's day and a week day name together; where they clash, two against one."""
    told = _explicit(parts, text) if parts.dates or parts.days else None
    near = text.day + timedelta(parts.offset) if parts.offset is not None and text.anchor is not None else None
    weekday = parts.weekdays[0] if parts.weekdays else None
    if weekday is None:
        found = told or near
        if found is None:
            raise _UnknownError
        return found
    for candidate in (near, told):
        if candidate is not None and candidate.weekday() == weekday and (candidate is told or told is None or told.weekday() != weekday):
            return candidate
    if told is not None:
        return told
    mod = "next" if parts.offset is not None and parts.offset > 0 else parts.mod
    return _weekday(weekday, mod, text)


def _explicit(parts: _Parts, text: _Text) -> date:
    if parts.dates:
        return parts.dates[0]
    day = parts.days[0]
    if parts.months:
        year = parts.year if parts.year is not None else _year(parts.units, text)
        month = parts.months[-1]
        return date(year, month, day) if year is not None else _recent(month, day, parts.mod, text)
    start = _shift(text.day.replace(day=1), _step(parts.units.get("month") or parts.mod or "now"))
    return start.replace(day=day)


def _year(units: dict[str, str], text: _Text) -> int | None:
    """The year that «من العام الماضي» gives; None where none is named."""
    return text.day.year + _step(units["year"]) if "year" in units else None


def _step(mod: str) -> int:
    return {"past": -1, "next": 1, "before_last": -2}.get(mod, 0)


def _recent(month: int, day: int, mod: str, text: _Text) -> date:
    """The day of the year nearest to the text's day, backwards unless the phrase or its sentence looks forward."""
    found = date(text.day.year, month, day) if (month, day) != (2, 29) else _leap(text.day)
    if mod == "next" or (text.future and mod != "past"):
        return found if found >= text.day else found.replace(year=found.year + 1)
    if mod == "now":
        return found
    late = found >= text.day if mod == "past" else found > text.day
    return found.replace(year=found.year - 1) if late else found


def _leap(day: date) -> date:
    return next(date(year, 2, 29) for year in range(day.year, day.year - 9, -1) if calendar.isleap(year) and date(year, 2, 29) <= day)


def _weekday(weekday: int, mod: str, text: _Text) -> date:
    ahead = timedelta((weekday - text.day.weekday()) % 7)
    if mod == "next":
        return text.day + (ahead or timedelta(7))
    if text.future and mod not in ("past", "before_last"):
        return text.day + ahead
    back = timedelta((text.day.weekday() - weekday) % 7)
    if mod in ("past", "before_last"):
        back = back or timedelta(7)
    return text.day - back - timedelta(7 * (mod == "before_last"))


def _two_days(parts: _Parts, text: _Text) -> DateInterval:
    """«ليلة السبت إلى الأحد» is one night, «يومي السبت والأحد» a span."""
    first, last = parts.weekdays[:2]
    end = _day(replace(parts, weekdays=[last]), text)
    start = end - timedelta((last - first) % 7)
    return DateInterval(start, end, "part" if parts.hours and max(parts.hours) >= NIGHT else "span", "text date")


def _longer(parts: _Parts, text: _Text) -> DateInterval | None:
    """Months, seasons, weeks and years; None where none is named."""
    if parts.months:
        return _named_month(parts, text)
    if parts.season is not None:
        return _season(parts, text)
    if "week" in parts.units:
        sunday = _week(parts.units["week"], text)
        if parts.place == "end":
            saturday = text.day - timedelta((text.day.weekday() - 5) % 7)
            saturday = saturday if parts.units["week"] == "past" and saturday < text.day - timedelta(1) else sunday + timedelta(6)
            return DateInterval(saturday, saturday + timedelta(1), "week", "text date")
        days = 1 if parts.place == "start" else 6
        return DateInterval(sunday, sunday + timedelta(days), "week", "text date")
    if "month" in parts.units:
        month = _shift(text.day.replace(day=1), _step(parts.units["month"]))
        return _placed_month(month.year, month.month, parts, "text date")
    if parts.year is not None or "year" in parts.units:
        year = parts.year if parts.year is not None else _year(parts.units, text)
        assert year is not None
        return _placed_year(year, parts.place, "absolute" if parts.year is not None else "text date")
    return None


def _named_month(parts: _Parts, text: _Text) -> DateInterval:
    first, last = parts.months[0], parts.months[-1]
    year = parts.year if parts.year is not None else _year(parts.units, text)
    anchored = "absolute" if parts.year is not None else "text date"
    if year is None:
        now = text.day.replace(day=1)
        forward = parts.mod == "next" or (text.future and parts.mod != "past")
        found = _recent(last, 1, parts.mod, replace(text, anchor=now, future=forward and parts.mod != "next"))
        year = found.year
    if first != last:
        return DateInterval(_month(year - (first > last), first)[0], _month(year, last)[1], "span", anchored)
    return _placed_month(year, last, parts, anchored)


def _placed_month(year: int, month: int, parts: _Parts, anchored: str) -> DateInterval:
    start, end = _month(year, month)
    if parts.week_of_month is not None:
        first = start + timedelta(7 * (parts.week_of_month - 1))
        return DateInterval(first, min(first + timedelta(6), end), "week", anchored)
    days = {"start": (1, 10), "early": (1, 10), "middle": (11, 20), "late": (21, end.day), "end": (21, end.day)}
    low, high = days.get(parts.place, (1, end.day))
    return DateInterval(start.replace(day=low), start.replace(day=high), "month", anchored)


def _placed_year(year: int, place: str, anchored: str) -> DateInterval:
    """A year, the month at its start or end, or the early, middle or late third of it."""
    months = {"start": (1, 1), "end": (12, 12), "early": (1, 4), "middle": (5, 8), "late": (9, 12)}
    low, high = months.get(place, (1, 12))
    return DateInterval(_month(year, low)[0], _month(year, high)[1], "month" if place in ("start", "end") else "year", anchored)


def _season(parts: _Parts, text: _Text) -> DateInterval:
    """Three months: winter from December, spring from March, summer from June, autumn from September."""
    assert parts.season is not None
    month = 12 if parts.season == 0 else 3 * parts.season
    year = parts.year if parts.year is not None else _year(parts.units, text)
    if year is None:
        spans = [_three_months(y, month) for y in range(text.day.year - 3, text.day.year + 3)]
        if parts.mod == "next" or (text.future and not parts.mod):
            start, end = next(span for span in spans if span[0] > text.day)
        elif parts.mod == "past":
            start, end = [span for span in spans if span[1] < text.day][-1]
        else:
            start, end = [span for span in spans if span[0] <= text.day][-1]
        return DateInterval(start, end, "span", "text date")
    return DateInterval(*_three_months(year - (parts.season == 0), month), "span", "absolute" if parts.year is not None else "text date")


def _three_months(year: int, month: int) -> tuple[date, date]:
    start = date(year, month, 1)
    return start, _shift(start, 3) - timedelta(1)


def _new_year(parts: _Parts, text: _Text) -> DateInterval:
    year = parts.year if parts.year is not None else text.day.year + ((text.day.month, text.day.day) == (12, 31) or text.future)
    first = date(year, 1, 1)
    night = bool(parts.hours) and max(parts.hours) >= NIGHT
    return DateInterval(first - timedelta(1) if night else first, first, "part" if night else "day", "text date")


def _hijri(parts: _Parts, text: _Text, grain: str) -> DateInterval:
    """A Hijri day or month, the last on or before the text's day where no year is told; unknown without the extra `hijri`."""
    try:
        from hijridate import Gregorian, Hijri  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise _UnknownError from error
    month = parts.hijri
    assert month is not None
    stated = parts.year or next((number for number in parts.numbers if 1300 < number < 1600), None)
    year = stated or Gregorian(text.day.year, text.day.month, text.day.day).to_hijri().year

    def day(year: int, number: int) -> date:
        found = Hijri(year, month, number).to_gregorian()
        return date(found.year, found.month, found.day)

    if not stated and day(year, (parts.days or [1])[0]) > text.day and not text.future:
        year -= 1
    anchored = "absolute" if stated else "text date"
    if parts.days:
        found = day(year, parts.days[0])
        return DateInterval(found, found, grain, anchored)
    length = Hijri(year, month, 1).month_length()
    places = {"start": (1, 10), "early": (1, 10), "middle": (11, 20), "late": (21, length), "end": (21, length)}
    low, high = places.get(parts.place, (1, length))
    return DateInterval(day(year, low), day(year, high), "month", anchored)


def _week(mod: str, text: _Text) -> date:
    """The Sunday of the week that «الأسبوع» with its adjective means."""
    return text.day - timedelta((text.day.weekday() + 1) % 7) + timedelta(7 * _step(mod))


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def _shift(day: date, months: int) -> date:
    """The same day so many months later, the last of the month where it has no such day."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _back(day: date, count: float, unit: str) -> date:
    """The day so many units before; half a month is two weeks, hours count in whole days."""
    if unit in ("month", "year"):
        months = int(count * (12 if unit == "year" else 1))
        half = unit == "month" and count % 1
        return _shift(day, -months) - timedelta(14 if half else 0)
    days = count * _DAYS.get(unit, 0) if unit != "hour" else int(count) // 24
    return day - timedelta(int(days))
