"""The words of Arabic time phrases: months of every calendar in use, week days, parts of a day, units, and what points back or forward."""

from __future__ import annotations

import re
from dataclasses import dataclass

from waqia.document.numbers import clitics, fold, known_form, read_number, read_ordinal, split_words


@dataclass(frozen=True, slots=True)
class Item:
    """One word or set phrase of a time phrase.

    `kind` is day (year, month, day), clock (hour, -1 now), number, ordinal, weekday (Monday 0), month, hijri, season (winter 0), part
    (its usual hour), unit, mod, offset (days from the text's day), prep, place (where in a period), mark or word (anything else); `cut` are
    the clitics before it, with a "+" after a pronoun («يومها»).
    """

    kind: str
    value: int | str | tuple[int, int, int]
    cut: str = ""
    count: int = 1  # of a unit: 1, 2 (dual), 0 (plural)

    @property
    def number(self) -> int:
        """The value of a number, month, week day or hour; 0 where it is none."""
        return self.value if isinstance(self.value, int) else 0

    @property
    def definite(self) -> bool:
        """Whether the article stands before it."""
        return self.cut.endswith("ال")

    @property
    def joined(self) -> bool:
        """Whether «و» is attached before it."""
        return self.cut.startswith("و")


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "يناير جانفي",
            "فبراير فيفري شباط",
            "مارس اذار",
            "ابريل افريل نيسان",
            "مايو ماي ايار",
            "يونيو يونيه جوان حزيران",
            "يوليو يوليه جويليه تموز يوليوز جولييه",
            "اغسطس اوت اب غشت",
            "سبتمبر ايلول شتنبر",
            "اكتوبر",
            "نوفمبر نونبر",
            "ديسمبر دجنبر",
        ),
        1,
    )
    for name in names.split()
}
_MONTH_PAIRS = {("كانون", 2): 1, ("تشرين", 1): 10, ("تشرين", 2): 11, ("كانون", 1): 12}
_HIJRI = {"محرم": 1, "صفر": 2, "رجب": 7, "شعبان": 8, "رمضان": 9, "شوال": 10}
_HIJRI_PAIRS = {
    **{("ربيع", second): 3 for second in ("الاول",)},
    **{("ربيع", second): 4 for second in ("الاخر", "الثاني")},
    **{("جمادي", second): 5 for second in ("الاولي", "الاول")},
    **{("جمادي", second): 6 for second in ("الاخره", "الاخر", "الثانيه", "الثاني")},
    **{(first, "القعده"): 11 for first in ("ذو", "ذي")},
    **{(first, "الحجه"): 12 for first in ("ذو", "ذي")},
}
_FIRST_OF_PAIRS = frozenset(first for first, _ in (*_MONTH_PAIRS, *_HIJRI_PAIRS))
_WEEKDAYS = {"اثنين": 0, "اتنين": 0, "ثلاثا": 1, "تلاتا": 1, "اربعا": 2, "خميس": 3, "جمعه": 4, "سبت": 5, "احد": 6, "حد": 6}
_SEASONS = {"شتا": 0, "ربيع": 1, "صيف": 2, "خريف": 3}
_PARTS = {
    name: hour
    for hour, names in {
        4: "سحر سحرا سحور",
        5: "فجر فجرا",
        8: "صباح صباحا صبح صبحا صبحيه شروق بكير بكري بدري",
        10: "ضحي",
        12: "ظهر ظهرا ظهيره زوال نهار نهارا زوالا",
        15: "عصر عصرا",
        18: "مغرب مغربا غروب افطار",
        19: "مسا مساا مسايا امسيه عشيه",
        20: "عشا عشاا",
        22: "ليل ليلا",
        23: "ليله",
    }.items()
    for name in names.split()
}
NIGHT = 22  # and later: «ليل», «ليلة»
_UNITS = {
    **{"دقيقه": ("minute", 1), "دقيقتين": ("minute", 2), "دقايق": ("minute", 0)},
    **{"ساعه": ("hour", 1), "ساعتين": ("hour", 2), "ساعات": ("hour", 0)},
    **{"يوم": ("day", 1), "يوما": ("day", 1), "يومين": ("day", 2), "يومان": ("day", 2), "يومي": ("day", 2), "ايام": ("day", 0)},
    **{"ليلتين": ("day", 2), "ليالي": ("day", 0), "ليال": ("day", 0)},
    **{"اسبوع": ("week", 1), "اسبوعا": ("week", 1), "اسبوعين": ("week", 2), "اسبوعان": ("week", 2), "اسابيع": ("week", 0)},
    **{"شهر": ("month", 1), "شهرا": ("month", 1), "شهرين": ("month", 2), "شهران": ("month", 2), "شهري": ("month", 2)},
    **{"اشهر": ("month", 0), "شهور": ("month", 0)},
    **{"عام": ("year", 1), "عاما": ("year", 1), "سنه": ("year", 1), "عامين": ("year", 2), "عامان": ("year", 2), "عامي": ("year", 2)},
    **{"سنتين": ("year", 2), "سنتان": ("year", 2), "سنتي": ("year", 2), "اعوام": ("year", 0), "سنوات": ("year", 0), "سنين": ("year", 0)},
}
_OWN_DAYS = ("يومه", "يومها", "يومهم")
_MODS = {
    word: mod
    for mod, words in {
        "past": "ماضي ماضيه ماضيين ماضيتين فايت فايته فايتين منصرم منصرمه منصرمين اخير اخيره اخيرين اخيرتين فارط فارطه سالف منقضي منقضيه "
        "فات",
        "next": "مقبل مقبله مقبلين قادم قادمه قادمين اتي اتيه جاي جايه جاييه",
        "now": "جاري جاريه حالي حاليه هذا هذه هاد هادا هاي هيدا",
        "same": "نفسه نفسها نفس ذاته ذاتها تلك ذلك ذاك هداك تالي تاليه لاحق لاحقه انذاك حينها حينيذ موالي مواليه عينه عينها كل",
        "before_last": "اسبق",
        "earlier": "سابق سابقه",
    }.items()
    for word in words.split()
}
_OFFSETS = {
    **dict.fromkeys(("النهارده", "انهارده", "اليومه"), 0),
    **dict.fromkeys(("امس", "بارحه", "مبارح", "امبارح"), -1),
    **dict.fromkeys(("غدا", "غد", "بكره", "بكرا"), 1),
}
_NOW = {"الان", "الحين", "هلا", "هلق", "هسه", "هسع", "دلوقتي", "التو", "للتو", "توا", "قليل", "لحظات", "دقايق"}
_PREPS = {
    word: prep
    for prep, words in {
        "since": "منذ مذ مند",
        "from": "من",
        "until": "حتي الي لغايه لحد",
        "between": "بين",
        "during": "خلال غضون ظرف",
        "lasting": "طوال طيله مدار مدي لمده مده",
        "before": "قبل قبيل",
        "after": "بعد بعيد عقب غداه اثر",
        "starting": "ابتدا ابتداا اعتبارا بدا انطلاقا بداا",
        "against": "كل يوميا اسبوعيا",
    }.items()
    for word in words.split()
}
_PLACES = {
    word: place
    for place, words in {
        "start": "مطلع بدايه مستهل غره",
        "early": "اوايل بدايات",
        "middle": "منتصف اواسط وسط",
        "late": "اواخر",
        "end": "نهايه ختام اخر نهايات",
    }.items()
    for word in words.split()
}
# Words that say nothing about when: they may stand beside a bare part of the day («في ساعة متأخرة من الليل»).
_EMPTY = frozenset(
    word
    for words in (
        "ال في عند حوالي حوالى نحو قرابه تقريبا تمام متاخر متاخره مبكر مبكره اولي اوليه وقت موافق واقع تاريخ توقيت محلي محليا غرينتش",
        "اذان صلاه علي مع ايضا كذلك تحديدا تماما دمشق بيروت بغداد حلول فاصله رابطه عليه بعض زها ما يزيد يقارب كامل وحده لوحده انه ان قد",
    )
    for word in words.split()
)
_SPECIAL = re.compile(
    r"(?P<day>\d{4}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*\d{1,2}|\d{1,2}\s*[-/.\\]\s*\d{1,2}\s*[-/.\\]\s*(?:\d{4}|\d{2})(?!\d))"
    r"|(?P<years>(?:1[89]|20)\d\d\s*[-–ـ]\s*(?:1[89]|20)\d\d)"
    r"|(?P<clock>\d{1,2}\s*:\s*\d{2}(?::\d{2})?)"
    r"|(?P<short>\d{1,2}\s*/\s*\d{1,2}(?!\d))"
)


def month_names() -> list[tuple[str, int]]:
    """Every solar month's names, folded, with its number: «شباط» 2, «تشرين الثاني» 11."""
    pairs = [(f"{name} {'الاول' if order == 1 else 'الثاني'}", month) for (name, order), month in _MONTH_PAIRS.items()]
    return [*_MONTHS.items(), *pairs]


def weekday_names() -> list[tuple[str, int]]:
    """The week days' names, folded and without the article, with their numbers: «اثنين» 0."""
    return list(_WEEKDAYS.items())


def read_items(phrase: str) -> list[Item]:
    """The items of a time phrase, in order."""
    items: list[Item] = []
    folded, at = fold(phrase), 0
    for found in _SPECIAL.finditer(folded):
        items += _read_words(split_words(folded[at : found.start()]), items)
        items += _special(found)
        at = found.end()
    items += _read_words(split_words(folded[at:]), items)
    return _join(items)


def _join(items: list[Item]) -> list[Item]:
    """A «و» that stands alone, as before digits, becomes the clitic of what follows."""
    joined: list[Item] = []
    for item in items:
        if joined and joined[-1] == Item("word", "و", "و"):
            joined[-1] = Item(item.kind, item.value, "و" + item.cut, item.count)
        else:
            joined.append(item)
    return joined


def _special(found: re.Match[str]) -> list[Item]:
    parts = [int(part) for part in re.findall(r"\d+", found.group())]
    if found.lastgroup == "years":
        return [Item("number", parts[0]), Item("prep", "until"), Item("number", parts[1])]
    if found.lastgroup == "clock":
        return [Item("clock", parts[0] % 24)]
    if found.lastgroup == "short":
        day, month = parts if parts[1] <= 12 else parts[::-1]
        return [Item("number", day), Item("month", month)] if 1 <= month <= 12 else [Item("word", found.group())]
    year, month, day = parts if parts[0] > 31 else parts[::-1]
    month, day = (month, day) if month <= 12 else (day, month)
    return [Item("day", (year + 2000 if year < 100 else year, month, day))]


def _read_words(words: list[str], before: list[Item]) -> list[Item]:
    items: list[Item] = []
    at = 0
    while at < len(words):
        item, at = _read_one(words, at, (before + items)[-1:])
        if item is not None:
            items.append(item)
    return items


def _read_one(words: list[str], at: int, last: list[Item]) -> tuple[Item | None, int]:
    """The item at words[at] (None: a word that says nothing about when) and where the next one begins."""
    word = words[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    pair = _read_pair(word, following, words[at + 2] if at + 2 < len(words) else "")
    if pair is not None:
        return pair[0], at + pair[1]
    weekday = _read_weekday(word, following, last)
    if weekday is not None:
        return weekday, at + 1 + (following == "الشعانين")
    if word in _NOW:
        return Item("clock", -1), at + 1
    if word in ("واحد", "احد", "احدي", "ذات") and following not in ("عشر", "عشره"):
        return Item("word", word), at + 1
    number = read_number(words, at)
    if number is not None and not (number.end == at + 1 and word.startswith("ال") and read_ordinal(words, at)):
        return Item("number", number.value, next((cut for cut, rest in clitics(word) if rest[:1].isdigit() or cut), "")), number.end
    ordinal = read_ordinal(words, at)
    if ordinal is not None:
        return Item("ordinal", ordinal.value, word[0] if word[0] in "ول" else ""), ordinal.end
    return _read_known(word), at + 1


def _read_weekday(word: str, following: str, last: list[Item]) -> Item | None:
    """A week day with the article, or without it after «يوم» or a part of the day."""
    after_day = bool(last) and last[0].kind == "unit" and last[0].value == "day"
    after_part = bool(last) and last[0].kind in ("part", "weekday")
    for cut, rest in clitics(word):
        bare = after_day or (after_part and rest != "احد") or (rest == "احد" and following == "الشعانين")
        if rest in _WEEKDAYS and (cut.endswith("ال") or bare):
            return Item("weekday", _WEEKDAYS[rest], cut)
    return None


def _read_pair(word: str, following: str, third: str) -> tuple[Item, int] | None:
    """A set phrase of two or three words, as (item, words read)."""
    found = known_form(word, lambda rest: rest in _FIRST_OF_PAIRS)
    if found is not None:
        cut, name = found
        if (name, following) in _HIJRI_PAIRS:
            return Item("hijri", _HIJRI_PAIRS[name, following], cut), 2
        order = read_ordinal([following], 0)
        if order is not None and (name, order.value) in _MONTH_PAIRS:
            return Item("month", _MONTH_PAIRS[name, order.value], cut), 2
    yesterday = ("امس", "الامس", "البارحه", "مبارح")
    conjunction = word[0] if word[:1] in ("و", "ف") else ""
    head = word[len(conjunction) :]
    if head in ("اول", "اولت", "قبل") and (following in yesterday or (following == "من" and third in yesterday)):
        return Item("offset", -2, conjunction), 3 if following == "من" else 2
    if known_form(word, lambda rest: rest in ("امس", "بارحه")) and following in ("الاول", "الاولي"):
        return Item("offset", -2, conjunction), 2
    if head == "بعد" and following in ("غد", "الغد", "غدا", "بكره", "بكرا"):
        return Item("offset", 2, conjunction), 2
    if head == "قبل" and known_form(following, lambda rest: _MODS.get(rest) == "past"):
        return Item("mod", "before_last"), 2
    if known_form(word, lambda rest: rest == "راس") and following == "السنه":
        return Item("word", "new year"), 2
    return None


def _read_known(word: str) -> Item | None:
    if word in _OFFSETS:
        return Item("offset", _OFFSETS[word])
    for cut, rest in clitics(word):
        if rest in _PREPS and not cut.endswith("ال"):
            return Item("prep", _PREPS[rest], cut)
        for kind, table in _TABLES:
            if rest in table:
                return Item(kind, table[rest], cut)
        if rest in _OWN_DAYS:
            return Item("unit", "day", cut + "+")
        if rest in _UNITS:
            return Item("unit", _UNITS[rest][0], cut, _UNITS[rest][1])
        if rest in _EMPTY:
            return None
    return Item("word", word, word[0] if word[0] == "و" else "") if word[0].isalnum() else _mark(word)


def _mark(word: str) -> Item | None:
    return Item("mark", word) if word in "-–—/" else None


_TABLES: tuple[tuple[str, dict[str, int] | dict[str, str]], ...] = (
    ("month", _MONTHS),
    ("hijri", _HIJRI),
    ("mod", _MODS),
    ("offset", _OFFSETS),
    ("place", _PLACES),
    ("season", _SEASONS),
    ("part", _PARTS),
)
