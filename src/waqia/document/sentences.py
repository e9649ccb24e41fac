"""What the sentence of an incident tells where the model found no phrase: times and casualties that the grammars read with certainty.

A time is one that names a day («مساء الخميس», «أمس», «12 أيار»); casualties begin at a word that says what happened to people («مقتل»,
«3 جرحى») and end with their clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from waqia.arabic import STOPS
from waqia.document.counts import PIECES, pieces_of_one
from waqia.document.folding import REMEMBERED
from waqia.document.numbers import clitics, fold, read_number, split_words
from waqia.document.peoplewords import fate
from waqia.document.timewords import Item, read_items
from waqia.schema import Span

_END = re.compile(rf"[{STOPS}](?=\s|$)|\n")
_TOKEN = re.compile(r"\S+")
_STRONG = re.compile(  # nouns without the article: «الشهيد فلان» tells of somebody who is known already
    r"[وفبل]{0,2}(?:مقتل\w{0,3}|قتل(?:ت|وا|ا|ي|ه|هم|هما)?|استشهد(?:ت|وا|ا)?|[يت]ستشهد|استشهاد\w{0,3}|شهيد(?:ه|ا|ين|ان|تين|تان)?|شهدا"
    r"|قتيل(?:ه|ا|ين|ان|تين|تان)?|توفي(?:ت|ا)?|توفوا|وفا[هت]\w{0,3}|مصرع\w{0,3}|حتف\w{1,3}|جثه|جثث|حيا[هت](?:ه|ها|هم|هما)|ارتقا|ارتقي"
    r"|اصيب(?:ت|وا|ا)?|اصاب[هت]\w{0,3}|اصابات|جرح(?:ت|وا|ي|ا)?|جريح(?:ه|ا|ين|ان)?|مصاب(?:ين|ون|ان|ه|ا)?)"
)
_LIFE = re.compile(r"[وفبل]*حيا[هت]\w+")
_LOST = re.compile(r"[وف]?(?:فقد\w{0,2}|فارق\w{0,2}|اود\w|بفقدان|فقدان)")
_CLAUSE_ENDS = frozenset(
    "جراء جرا اثر نتيجه عقب بعد خلال بحسب وفق حسب فيما بينما كما التي الذي الذين اللذين ان قال وقال بعدما حيث . : ; (".split()  # noqa: SIM905
)
SENTENCES = 16  # whose words are kept: the incidents of a text mostly stand in the same few
FURTHEST = 2000  # characters to either end of a sentence: what bounds the cost of a text without full stops; none of 10,534 had 700
_LONGEST = 12  # words of a casualties phrase after its first
_VAGUE = ("عشرات", "عدد", "احد", "احدي")
_NAMES = ("قناه", "صحيفه", "موقع", "وكاله", "جريده", "تلفزيون", "شبكه", "نيوز", "اخبار")  # «قناة اليوم» is no day
_SPEAKS = re.compile(
    r"\b[وف]?(?:[يت]?قال(?:ت|وا)?|[يت]قول|اعلن(?:ت|وا)?|[يت]علن|نقل(?:ت|وا)?|افاد(?:ت|وا)?|اكد(?:ت|وا)?|ذكر(?:ت|وا)?|صرح(?:ت)?|دان(?:ت)?|ادان(?:ت)?"
    r"|اعترف(?:ت)?|كشف(?:ت)?|اوضح(?:ت)?|اشار(?:ت)?|نشر(?:ت)?|وثق(?:ت)?|رصد(?:ت)?|بيان|تقرير|طالب(?:ت)?|حذر(?:ت)?)\b"
)
_TIME = ("weekday", "offset", "day", "part", "month", "mod", "number", "ordinal", "clock", "mark")


def sentence_around(text: str, at: int) -> tuple[int, int]:
    """The bounds of the sentence that holds a character: from the last full stop, question mark or line end to the next.

    None is looked for beyond FURTHEST characters.
    """
    first, last = max(0, at - FURTHEST), min(len(text), at + FURTHEST)
    start = max((found.end() for found in _END.finditer(text, first, at)), default=first)
    following = _END.search(text, at, last)
    return start, following.start() if following else last


def speaks(before: str) -> bool:
    """Whether somebody speaks before a day is named: «قال الجيش اليوم إن …» may date the words and not the deed."""
    return bool(_SPEAKS.search(fold(before)))


def casualties_in(text: str, start: int, end: int) -> Iterator[Span]:
    """The casualties phrases of text[start:end], in order, as far as a word of the lists begins them."""
    tokens = _tokens(text, start, end)
    at = 0
    while at < len(tokens):
        strong = next((word for word in tokens[at][2] if _STRONG.fullmatch(word)), None)
        if strong is None:
            at += 1
            continue
        first, last = _begins(tokens, at, strong), _ends(tokens, at)
        yield Span(tokens[first][0], tokens[last][1], text[tokens[first][0] : tokens[last][1]])
        at = last + 1


def times_in(text: str, start: int, end: int) -> Iterator[Span]:
    """The time phrases of text[start:end] that name a day, in order."""
    tokens = _tokens(text, start, end)
    run: list[int] = []
    for at in range(len(tokens) + 1):
        if at < len(tokens) and _is_time(tokens[at][2]) and not (run == [] and at and any(word in _NAMES for word in tokens[at - 1][2])):
            run.append(at)
            continue
        if run:
            phrase = text[tokens[run[0]][0] : tokens[run[-1]][1]].rstrip(".,،؛:)")
            if phrase and _names_day(read_items(phrase)):
                yield Span(tokens[run[0]][0], tokens[run[0]][0] + len(phrase), phrase)
        run = []


Token = tuple[int, int, tuple[str, ...]]  # start, end, folded words


@lru_cache(SENTENCES)
def _tokens(text: str, start: int, end: int) -> list[Token]:
    """Words with what stands at them; those that filters made others split («إص ابة») are one."""
    plain = [(found.start(), found.end(), _folded(found.group())) for found in _TOKEN.finditer(text, start, end)]
    tokens: list[Token] = []
    at = 0
    while at < len(plain):
        heads = [words[0] if words else "" for _, _, words in plain[at : at + PIECES]]
        size = pieces_of_one(heads)
        words = ("".join(heads[:size]), *plain[at + size - 1][2][1:]) if size > 1 else plain[at][2]
        tokens.append((plain[at][0], plain[at + size - 1][1], words))
        at += size
    return tokens


@lru_cache(REMEMBERED)
def _folded(word: str) -> tuple[str, ...]:
    return tuple(split_words(fold(word)))


def _begins(tokens: list[Token], at: int, strong: str) -> int:
    """Where the phrase of a strong word begins: at a number or at «فقد» before it."""
    said = fate(strong)
    back = 5 if strong.endswith("وا") or (said is not None and said.count is not None) else 4 if _LIFE.fullmatch(strong) else 0
    first = at
    for n in range(at - 1, max(at - 1 - back, -1), -1):
        words = tokens[n][2]
        if any(word in _CLAUSE_ENDS for word in words):
            break
        if any(_LOST.fullmatch(word) for word in words) or any(_counts(words, k) for k in range(len(words))):
            first = n
    return first


def _counts(words: Sequence[str], at: int) -> bool:
    return read_number(words, at) is not None or any(rest in _VAGUE for _, rest in clitics(words[at]))


def _ends(tokens: list[Token], at: int) -> int:
    last = at
    while last + 1 < len(tokens) and last - at < _LONGEST and not any(word in _CLAUSE_ENDS for word in tokens[last + 1][2]):
        if tokens[last][2][-1:] == (".",):
            break
        last += 1
    return last


@lru_cache(REMEMBERED)
def _is_time(words: tuple[str, ...]) -> bool:
    items = [item for item in read_items(" ".join(words)) if item.kind != "mark"]
    return bool(items) and all(item.kind in _TIME or _is_day(item) for item in items)


def _is_day(item: Item) -> bool:
    """«اليوم», «يوم»."""
    return item.kind == "unit" and item.value == "day" and item.count == 1


def _names_day(items: list[Item]) -> bool:
    """Whether a day is named: a week day, «أمس», «اليوم», a date, or a month with a number."""
    kinds = [item.kind for item in items]
    dated = any(a in ("number", "ordinal") and b == "month" for a, b in pairwise(kinds))
    return dated or any(kind in ("weekday", "offset", "day") for kind in kinds) or any(_is_day(item) and item.definite for item in items)
