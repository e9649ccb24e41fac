"""Arabic number words and digits: «مئة وأربعة وعشرون», «٣ آلاف», «الحادي عشر»; and the folding of words that dates and counts share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from waqia.arabic import LETTERS, MARKS, SPELLINGS
from waqia.document.folding import REMEMBERED

_LETTER = f"{LETTERS}\u0671-\u06d3"
_MARK = re.compile(f"[{MARKS}]")
# «ضـ.ـرب», «د.ا.عش»: dots put inside words against filters; a full stop without its space has long words on both sides.
_CENSORED = re.compile(rf"(?<=[{_LETTER}])(?:\u0640+[.*_]+\u0640*|[.*_]+\u0640+)(?=[{_LETTER}])")
_DOTTED = re.compile(rf"(?<![{_LETTER}])([{_LETTER}]{{1,2}})[.*](?=[{_LETTER}])|(?<=[{_LETTER}])[.*](?=[{_LETTER}]{{1,2}}(?![{_LETTER}]))")
_MAYBE_DOTTED = re.compile(rf"[.*_][.*_\u0640{_LETTER}]")  # no other text has what the two look for, and they look long
_FOLD = str.maketrans(
    {
        **SPELLINGS,
        **{"ی": "ي", "ئ": "ي", "ۀ": "ه", "ؤ": "و", "ء": None, "ک": "ك", "گ": "ك", "ڨ": "ق"},
        **{chr(0x660 + n): str(n) for n in range(10)},
        **{chr(0x6F0 + n): str(n) for n in range(10)},
        **{"٬": ",", "٫": ".", "،": ",", "؛": ";"},
    }
)
_WORD = re.compile(rf"\d+(?:[,.]\d+)*|[{_LETTER}]+|(?:(?![{_LETTER}])[^\W\d])+|[^\s\w]")
_THOUSANDS = re.compile(r"\d{1,3}(?:[,.]\d{3})+")

_UNITS = {
    **dict.fromkeys(("واحد", "واحده"), 1),
    **dict.fromkeys(("اثنان", "اثنين", "اثنتان", "اثنتين", "اثنا", "اثني", "اثنتا", "اثنتي", "اتنين", "ثنين", "تنين"), 2),
    **dict.fromkeys(("ثلاث", "ثلاثه", "تلات", "تلاته", "تلت"), 3),
    **dict.fromkeys(("اربع", "اربعه"), 4),
    **dict.fromkeys(("خمس", "خمسه"), 5),
    **dict.fromkeys(("ست", "سته"), 6),
    **dict.fromkeys(("سبع", "سبعه"), 7),
    **dict.fromkeys(("ثمان", "ثماني", "ثمانيه", "تمانيه", "تمن"), 8),
    **dict.fromkeys(("تسع", "تسعه"), 9),
    **dict.fromkeys(("عشر", "عشره"), 10),
}
_STEMS = {3: "ثلاث", 4: "اربع", 5: "خمس", 6: "ست", 7: "سبع", 8: "ثمان", 9: "تسع"}
_TEENS = {  # as they are spoken, in one word
    **dict.fromkeys(("احدعش", "حدعش", "حداشر", "احدعشر"), 11),
    **dict.fromkeys(("اثنعش", "اطنعش", "اتناشر", "طنعش", "اثنعشر"), 12),
    **dict.fromkeys(("ثلطعش", "تلتعش", "تلاتاشر", "ثلاثعش"), 13),
    **dict.fromkeys(("اربعتعش", "اربعتاشر", "اربعطعش"), 14),
    **dict.fromkeys(("خمستعش", "خمستاشر", "خمسطعش"), 15),
    **dict.fromkeys(("ستعش", "ستاشر", "سطعش"), 16),
    **dict.fromkeys(("سبعتعش", "سبعتاشر", "سبعطعش"), 17),
    **dict.fromkeys(("ثمنتعش", "تمنتاشر", "ثمنطعش"), 18),
    **dict.fromkeys(("تسعتعش", "تسعتاشر", "تسعطعش"), 19),
}
_TENS = {"عشر": 20, **{stem: 10 * n for n, stem in _STEMS.items()}}
_TENS = {stem + end: n for stem, n in _TENS.items() for end in ("ون", "ين")} | {"تلاتين": 30, "تمانين": 80}
_HUNDREDS = {
    **dict.fromkeys(("ميه", "مايه"), 100),
    **dict.fromkeys(("ميتان", "ميتين", "مايتان", "مايتين", "ميتا", "ميتي", "مايتا", "مايتي"), 200),
    **{stem + tail: 100 * n for n, stem in _STEMS.items() for tail in ("ميه", "مايه")},
    **dict.fromkeys(("ثمانيميه", "ثمانيمايه"), 800),
}
_SCALES = {
    **dict.fromkeys(("الف", "الفا", "الاف", "تالاف"), 1000),
    **dict.fromkeys(("مليون", "مليونا", "ملايين"), 10**6),
    **dict.fromkeys(("مليار", "مليارا", "مليارات"), 10**9),
}
_DUAL_SCALES = {
    **dict.fromkeys(("الفان", "الفين", "الفا", "الفي"), 2000),
    **dict.fromkeys(("مليونان", "مليونين", "مليوني"), 2 * 10**6),
    **dict.fromkeys(("ملياران", "مليارين", "ملياري"), 2 * 10**9),
}
_ORDINALS = {
    **dict.fromkeys(("اول", "اولي"), 1),
    **dict.fromkeys(("حادي", "حاديه"), 1),
    **dict.fromkeys(("ثاني", "ثانيه", "ثان", "تاني"), 2),
    **dict.fromkeys(("ثالث", "ثالثه", "تالت"), 3),
    **dict.fromkeys(("رابع", "رابعه"), 4),
    **dict.fromkeys(("خامس", "خامسه"), 5),
    **dict.fromkeys(("سادس", "سادسه"), 6),
    **dict.fromkeys(("سابع", "سابعه"), 7),
    **dict.fromkeys(("ثامن", "ثامنه"), 8),
    **dict.fromkeys(("تاسع", "تاسعه"), 9),
    **dict.fromkeys(("عاشر", "عاشره"), 10),
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number read from words[start:end]."""

    value: int
    end: int


def fold(text: str) -> str:
    """The text without diacritics, tatweel and censoring dots, alef, hamza, yeh and teh marbuta made alike, digits made ASCII."""
    if _MAYBE_DOTTED.search(text):
        text = _CENSORED.sub("", text)
        text = _DOTTED.sub(lambda found: found.group(1) or "", text)
    return _MARK.sub("", text).translate(_FOLD)


def split_words(text: str) -> list[str]:
    """The words of a folded text; digits stand apart from letters («17أفريل» is two), every other mark is a word of its own."""
    return _WORD.findall(text)


@lru_cache(REMEMBERED)
def clitics(word: str) -> tuple[tuple[str, str], ...]:
    """Every way to take attached و ف ب ل ك and the article off a folded word: (what was cut, the rest), the whole word first.

    >>> clitics("للشهر")
    (('', 'للشهر'), ('ل', 'لشهر'), ('لال', 'شهر'))
    """
    ways = [("", word)]
    conjunction = word[0] if len(word) > 2 and word[0] in "وف" else ""
    for head in ("", conjunction) if conjunction else ("",):
        rest = word[len(head) :]
        if head:
            ways.append((head, rest))
        if len(rest) > 3 and rest.startswith("ال"):
            ways.append((head + "ال", rest[2:]))
        if len(rest) > 2 and rest[0] in "بلك":
            ways.append((head + rest[0], rest[1:]))
            if len(rest) > 4 and rest[1:3] == "ال":
                ways.append((head + rest[0] + "ال", rest[3:]))
        if len(rest) > 3 and rest.startswith("لل"):
            ways.append((head + "لال", rest[2:]))
    return tuple(ways)


def known_form(word: str, known: Callable[[str], bool]) -> tuple[str, str] | None:
    """The first way to cut clitics that leaves a word that `known` accepts, as (cut, rest)."""
    return next(((cut, rest) for cut, rest in clitics(word) if known(rest)), None)


def read_number(words: Sequence[str], start: int) -> Number | None:
    """The cardinal number that begins at words[start], clitics and article cut; None where none does. Words are folded.

    «وثلاثة وعشرين» is 23, «الف ومئتان» 1200, «3 آلاف» 3000, «١٬٤٠٠» 1400.
    """
    if start >= len(words):
        return None
    first = _cardinal(words[start], joined=None)
    if first is None:
        return None
    state = _State().then(*first)
    end = start + 1
    while end < len(words) and (following := _next(words[end], state)) is not None:
        state, end = following, end + 1
    return Number(int(state.total + state.group), end)


def read_ordinal(words: Sequence[str], start: int) -> Number | None:
    """The ordinal that begins at words[start] («الخامس», «الحادي عشر», «الرابع والعشرين», «الثلاثين»); None where none does."""
    if start >= len(words):
        return None
    found = known_form(words[start], lambda rest: rest in _ORDINALS)
    if found is None:
        tens = known_form(words[start], lambda rest: rest in _TENS)
        return Number(_TENS[tens[1]], start + 1) if tens and "ال" in tens[0] else None
    value = _ORDINALS[found[1]]
    following = words[start + 1] if start + 1 < len(words) else ""
    if following in ("عشر", "عشره"):
        return Number(10 + value, start + 2)
    tens = known_form(following, lambda rest: rest in _TENS)
    if tens and tens[0] == "وال":
        return Number(_TENS[tens[1]] + value, start + 2)
    return Number(value, start + 1)


def digits(word: str) -> float | None:
    """The value of a word of digits, «1,400» and «1.400» as 1400, «3.5» as 3.5; None for any other word."""
    if not word[:1].isdigit():
        return None
    if _THOUSANDS.fullmatch(word):
        return int(re.sub("[,.]", "", word))
    try:
        return int(word) if word.isdigit() else float(word.replace(",", "."))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _State:
    """How far a number is read: `total` of what stands before its last scale, the `group` below a thousand that follows, the last part."""

    total: float = 0
    group: float = 0
    last: float = 0
    size: str = ""
    scale: float = float("inf")

    def then(self, value: float, size: str) -> _State:
        """The state after one more word that is added, or that is a scale for the group before it."""
        if size == "s":
            return _State(self.total + (self.group or 1) * value, 0, value, size, value)
        if size == "d":
            return _State(self.total + value, 0, value, size, 10 ** (len(str(int(value))) - 1))
        return _State(self.total, self.group + value, value, size, self.scale)


@lru_cache(REMEMBERED)
def _cardinal(word: str, *, joined: bool | None) -> tuple[float, str] | None:
    """(value, size) of one word, size u(nit) t(ens) e(leven to nineteen) h(undreds) s(cale) d(ouble scale) n(digits).

    `joined` says whether an attached و must stand before it; None: any clitics may.
    """
    for cut, rest in clitics(word):
        if joined is not None and (cut not in ("و", "وال") if joined else cut not in ("", "ال")):
            continue
        for table, size in ((_UNITS, "u"), (_TEENS, "e"), (_TENS, "t"), (_HUNDREDS, "h"), (_SCALES, "s"), (_DUAL_SCALES, "d")):
            if rest in table:
                return table[rest], size
        if rest in ("احد", "احدي") and joined is None and cut in ("", "و", "ب", "ل", "ف"):
            return 1, "a"
        value = digits(rest)
        if value is not None and "ال" not in cut:
            return value, "n"
    return None


def _next(word: str, state: _State) -> _State | None:
    """The state after a word, None where the word does not go on with the number."""
    if word in ("عشر", "عشره") and state.size in ("u", "a") and state.last < 10:
        return _State(state.total, state.group + 10, 10, "e", state.scale)
    if word in ("واحد", "واحدي") and state.size in ("h", "s", "d"):  # «ألفين وأحد عشر»
        return state.then(1, "a")
    plain = _cardinal(word, joined=False)
    if plain == (100, "h") and state.size == "u" and 2 < state.last < 10:
        return _State(state.total, state.group + 99 * state.last, 100, "h", state.scale)
    if plain and plain[1] == "s" and state.group and plain[0] < state.scale:
        return state.then(*plain)
    added = _cardinal(word, joined=True)
    if added is None or added[1] in "na":
        return None
    if state.size == "u" and state.last < 10 and added[1] == "t":
        return state.then(*added)
    smaller = {"h": "uet", "s": "uethsd", "d": "uethsd"}.get(state.size, "") + ("sd" if state.size in tuple("uet") and state.total else "")
    return state.then(*added) if added[1] in smaller and added[0] < state.scale else None
