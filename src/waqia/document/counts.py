"""Casualties phrases as numbers with bounds: «مقتل مدني ونجله وإصابة سبعة» is 2 killed and 7 injured.

Rules of reading: a singular is 1, a dual 2, a plural without a number at least 2, «عشرات» at least 20, «مئات» at least 200; «على الأقل»
leaves the upper bound open, «أكثر من 30» begins at 31, «نحو 40» is 40 and about; «بينهم طفلان» is a part of what was counted and adds
nothing; people joined by «و» are added. A phrase that does not say what happened to those whom it counts takes it from the text around it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from waqia.arabic import STOPS
from waqia.document.folding import REMEMBERED
from waqia.document.numbers import clitics, fold, known_form, read_number, split_words
from waqia.document.peoplewords import DETAINED, INJURED, JOINT, KILLED, MISSING, NOT_PEOPLE, Fate, fate, people, suffix_count
from waqia.errors import ConfigError

POLICIES = ("least", "acled")
ACLED = {"several": 10, "dozens": 12, "hundreds": 100}  # what ACLED codes where a source gives no number (its codebook, "Fatalities")
_ABOUT = ("نحو", "حوالي", "قرابه", "زها", "يقارب", "يناهز", "تقريبا", "حدود", "تقدر", "قدرت")
_MORE = ("اكثر", "يزيد", "ازيد", "تجاوز", "يتجاوز", "يفوق", "فوق", "يربو", "تزيد", "تجاوزت")
_VAGUE = {
    **dict.fromkeys(("عدد", "عددا", "اعداد", "عده", "عديد", "بعض", "بضعه", "بضع", "كثير", "مزيد", "مجموعه", "جميع", "كل"), (2, "several")),
    **dict.fromkeys(("عشرات",), (20, "dozens")),
    **dict.fromkeys(("ميات", "ماات", "مات"), (200, "hundreds")),
    **dict.fromkeys(("الاف",), (2000, "hundreds")),
}
_SUBSET = re.compile(
    r"(?:و?(?:من )?(?:بين|ضمن)(?:هم|هن|ها|هما)|معظمهم|غالبيتهم|اغلبهم|جلهم|جميعهم|احدهم|احدهما|احداهن|احداهما|بما فيهم|بعضهم|فيهم|منهم)"
)
_DUAL_AFTER = re.compile(r"\b(?:كانا|قتلا|اصيبا|استشهدا|احدهما|كلاهما|هما|[يت]\w{2,}ان)\b")
_DUAL_VOWEL = re.compile("\u064e\u064a\u0652?\u0646(?=[\u064b-\u0650]?(?:\\W|$))")  # «مصورَين», vowelled as a dual
_GLUED = re.compile(r"\b[بول]?(ما|لا|مالا)((?:يقل|تقل|يزيد|تزيد|يقارب|يربو|يناهز)\b)")  # «لايقل», «مايزيد»
_LIFE = re.compile("(?:ل|ال|لل)?(?:ارواح|حيا[هت])(?:ه|ها|هم|هن|هما)?")
_WOUNDS = re.compile("ب(?:ال)?(?:جروح|جراح|حروق|كسور|رضوض|شظايا|اختناق)(?:ه|ها|هم|هن|هما)?")
_VERB = re.compile("(?:قتل|استشهد|توفي|جرح|اصيب)(ت|وا|ا|تا|)")
_OF_THE_DEAD = ("مصرع", "حتف", "ارواح", "ضحيت", "حيات", "لحيات", "بحيات")  # whose pronoun is of those counted before
PIECES = 6  # of a word that is split
_NO_PIECE = ("و", "في", "من", "ما", "لا", "عن", "علي", "لم", "ان", "بن", "ابن")
_NEGATION = ("لا", "دون", "بدون", "لم", "عدم", "بلا", "ولا", "لن", "ولم")
_BESIDE = 5
_NEAR = 8  # words between a count and the verb outside the phrase that rules it
_BEFORE_NUMBER = frozenset(("ما", "لا", "مالا", "عن", "من", "علي", "ان", "عددهم", "عددهن", "الي"))
_TWO = ("اثنين", "اثنان", "اثنتين", "اثنتان")
_ARMS = "رصاص رصاصه طلق شظيه شظايا نيران نار قذيفه قذايف لغم الغام عبوه صاروخ صواريخ قنبله سلاح سكين مسيره طايره"
_THINGS = frozenset(f"خساير اضرار ماديه حالات حصيله جروح جراح هجوم قصف انفجار تفجير غاره اشتباكات {_ARMS}".split())
_AFTER_AND = ("وسط", "والد", "والده", "وزير", "وكيل", "واحد", "وجهاء", "وجها", "وفق")  # words that begin with a «و» of their own
_LIGHT = frozenset(
    word
    for words in (
        "في من علي الي عن قد به بها فيه فيها اثر اثرها بذلك لاحقا ايضا نتيجه جراء جرا سقوط وقوع سقط سقطت خلف خلفت اوقع",
        "ما حاله بعض كلا تم اثنا او خلال بعد قبل عقب عند حيث فور الفور ضمن حتي",
        "اليوم امس يوم مسا صباح فجر ظهر عصر ليل ليله الليله الاحد الثلاثا الاربعا الخميس الجمعه السبت",
    )
    for word in words.split()
)


@dataclass(frozen=True, slots=True)
class Bound:
    """At least `min` and at most `max` people, None where it is open; `word` names a vague count: several, dozens or hundreds.

    `more` says that the phrase gives the number below `min`: «أكثر من 30» is at least 31.
    """

    min: int
    max: int | None
    about: bool = False
    word: str = ""
    more: bool = False

    def __add__(self, other: Bound) -> Bound:
        top = None if self.max is None or other.max is None else self.max + other.max
        return Bound(self.min + other.min, top, self.about or other.about, self.word or other.word, self.more or other.more)

    def estimate(self, *, policy: str = "least") -> int:
        """One number: the one told (30 for «أكثر من 30»), and of a vague count the least or what ACLED codes ("acled").

        ACLED codes 10 for «عدد من», 12 for «عشرات», 100 for «مئات». ConfigError for another policy.
        """
        if policy not in POLICIES:
            raise ConfigError(f"policy is {policy!r}, expected one of {', '.join(POLICIES)}")
        return ACLED[self.word] if policy == "acled" and self.word else self.min - self.more


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people a phrase says were killed, injured, missing, detained or displaced; None where it does not say.

    `killed_or_injured` is a count of both together («مقتل وإصابة 9»).
    """

    killed: Bound | None = None
    injured: Bound | None = None
    missing: Bound | None = None
    detained: Bound | None = None
    displaced: Bound | None = None
    killed_or_injured: Bound | None = None

    @property
    def about(self) -> bool:
        """Whether any of the numbers is approximate."""
        return any(bound.about for bound in self.bounds.values())

    @property
    def bounds(self) -> dict[str, Bound]:
        """The kinds that are told."""
        return {name.name: bound for name in fields(self) if (bound := getattr(self, name.name)) is not None}

    def to_dict(self) -> dict[str, list[int | None]]:
        """Each told kind as [min, max]."""
        return {kind: [bound.min, bound.max] for kind, bound in self.bounds.items()}


@dataclass(frozen=True, slots=True)
class _Group:
    """A counted group of people: its bound, where its words end, and what its own noun says of them."""

    bound: Bound
    end: int
    noun: Fate | None = None
    explicit: bool = False
    words: int = 0  # of its noun
    name: bool = False  # of a word that is in no list: «مقتل فلان»
    tail: bool = False  # a bare pronoun: «مقتله»


def read_counts(phrase: str, *, before: str = "", after: str = "") -> Counts:
    """The counts that a casualties phrase tells; `before` and `after` are the text around it, which only help to understand it.

    >>> read_counts("مقتل مدني ونجله وإصابة سبعة").to_dict()
    {'killed': [2, 2], 'injured': [7, 7]}
    """
    words = _repair(split_words(_GLUED.sub(" \\1 \\2 ", fold(_DUAL_VOWEL.sub("\u064aن اثنين", phrase)))))
    words = _without_subsets(_without_wounds(words))
    zero = _none_at_all(words)
    if zero is not None:
        return zero
    dual = bool(_DUAL_AFTER.search(" ".join(split_words(fold(after))[:8])))
    found = _open_last(_read_groups(words, dual) or _first_person(words) or _bare_verb(words), words)
    if not found:
        return Counts()
    return _tally(_with_context(found, before, after, joined=phrase.lstrip().startswith("و")), joint=_is_joint(words))


def _first_person(words: list[str]) -> list[tuple[_Group, str]]:
    """A phrase that names somebody by no word of the lists («أبو فلان قتل»): one person."""
    kind = next((said.kind for word in words if (said := fate(word)) is not None), "")
    for at, word in enumerate(words):
        if known_form(word, lambda rest: rest in _THINGS):
            break  # «أصيب برصاص الحراس»
        if fate(word) is None and word not in _LIGHT and (group := _group(words, at, dual=False, loose=True)) is not None:
            return [(group, kind)]
    return []


def _bare_verb(words: list[str]) -> list[tuple[_Group, str]]:
    """A verb that names nobody («قُتل برصاص قناص», «قتلا», «أصيبوا», «لقي حتفه»): as many as its ending or its pronoun says."""
    for at, word in enumerate(words):
        said = fate(word)
        if said is None or said.kind not in (KILLED, INJURED):
            continue
        count = suffix_count(said.suffix)
        ending = next((found[1] for _, rest in clitics(word) if (found := _VERB.fullmatch(rest))), None)
        if count is None and ending is not None:
            count = {"": 1, "ت": 1, "وا": 0}.get(ending, 2)
        if count is not None:
            return [(_Group(Bound(count, count) if count else Bound(2, None, word="several"), at + 1), said.kind)]
    return []


def _open_last(found: list[tuple[_Group, str]], words: list[str]) -> list[tuple[_Group, str]]:
    """«25 شخصاً قتلوا على الأقل»: the words stand apart from the only number."""
    explicit = [n for n, (group, _) in enumerate(found) if group.explicit]
    if len(explicit) == 1 and ("الاقل" in words or "علي اقل تقدير" in " ".join(words)):
        group, kind = found[explicit[0]]
        found[explicit[0]] = replace(group, bound=replace(group.bound, max=None)), kind
    return found


def _repair(words: list[str]) -> list[str]:
    """Words with those that filters made others split put together again («ق تل», «القت لى», «ش ه يدا»)."""
    repaired: list[str] = []
    at = 0
    while at < len(words):
        size = pieces_of_one(words[at : at + PIECES])
        repaired.append("".join(words[at : at + size]))
        at += size
    return repaired


def pieces_of_one(words: Sequence[str]) -> int:
    """How many of the words, from the first on, are pieces of one word of the lists; 1 where it stands for itself."""
    size = 0
    while size < len(words) and _may_be_piece(words[size]):
        size += 1
    return next((n for n in range(size, 1, -1) if _is_split(words[:n])), 1)


@lru_cache(REMEMBERED)
def _may_be_piece(word: str) -> bool:
    return len(word) < 6 and word.isalpha() and word not in _NO_PIECE


def _is_split(pieces: Sequence[str]) -> bool:
    """Whether pieces, short ones among them, are a word of the lists that none of them is alone."""
    whole = "".join(pieces)
    known = min(map(len, pieces)) < 4 and (fate(whole) is not None or _LIFE.fullmatch(whole) is not None)
    return known and all(fate(piece) is None for piece in pieces)


def _without_subsets(words: list[str]) -> list[str]:
    """The words without «بينهم طفلان» and the like, each cut up to the next word that says what happened."""
    kept: list[str] = []
    at = 0
    while at < len(words):
        pair = " ".join(words[at : at + 2])
        part = next((form for form in (words[at], pair) if _SUBSET.fullmatch(form)), None)
        if part is None or not kept or _heads(kept[-1], words[at]):
            kept.append(words[at])
            at += 1
            continue
        at += 1 + (part == pair)
        while at < len(words) and not (words[at][0] == "و" and _opens(words, at)):
            at += 1
    return kept


def _without_wounds(words: list[str]) -> list[str]:
    """The words without «بجروح», «متأثراً بجراحه», where another word says what happened."""
    others = [word for word in words if not _WOUNDS.fullmatch(word)]
    return others if any(fate(word) is not None for word in others) else words


def _heads(last: str, part: str) -> bool:
    """«عدد منهم», «اثنين منهم», «إصابة أحدهم»: the word is itself what is counted."""
    if part in ("منهم", "فيهم"):
        return known_form(last, lambda rest: rest in _VAGUE) is not None or read_number([last], 0) is not None
    return part.startswith("اح") and (said := fate(last)) is not None and said.count is None


def _opens(words: list[str], at: int) -> bool:
    """Whether a joined word begins another kind of count («وإصابة», «و7 جرحى»)."""
    if any(cut.startswith("و") and fate(rest) is not None for cut, rest in clitics(words[at])):
        return True
    number = read_number(words, at + (words[at] == "و"))
    return number is not None and number.end < len(words) and (noun := fate(words[number.end])) is not None and noun.count is not None


def _none_at_all(words: list[str]) -> Counts | None:
    """«دون إصابات», «لم تسجل خسائر بشرية»: nobody; None where the phrase denies nothing."""
    if not any(word in _NEGATION for word in words[:3]) or any(word in ("يقل", "تقل") for word in words):
        return None
    kinds = {found.kind for word in words if (found := fate(word)) is not None}
    human = any(word in ("بشريه", "الارواح", "ارواح") for word in words) or JOINT in kinds
    kinds = {KILLED, INJURED} if human else kinds
    return Counts(**dict.fromkeys(kinds, Bound(0, 0))) if kinds else None


def _is_joint(words: list[str]) -> bool:
    """«37 بين قتيل وجريح»."""
    text = " ".join(words)
    return re.search(r"(?:ما )?بين (?:قتيل|شهيد|قتلي|شهدا|جريح|مصاب)\w* و", text) is not None


def _read_groups(words: list[str], dual: bool) -> list[tuple[_Group, str]]:
    """Counted groups with the kind that rules each, "" where the phrase does not say."""
    found: list[tuple[_Group, str]] = []
    at, kind, waiting, bare = 0, "", True, False
    while at < len(words):
        captured = at == 0 and known_form(words[0], lambda rest: rest == "اسر") is not None  # elsewhere «أسر» are families
        verb = Fate(DETAINED) if captured else _lost(fate(words[at]), words)
        if verb is not None and verb.count is None:
            kind, found, bare = _predicate(words, at, verb, kind, found, bare)
            waiting, at = True, at + 1
            continue
        tail = bool(found) and found[-1][0].tail  # «وفاته في مشفى»: nobody else is named
        lone = bool(found) and _goes_on_alone(words, at, found[-1][0])
        group = (
            _group(words, at, dual=dual, loose=lone or (waiting and bool(kind) and not tail))
            if waiting or lone or _joins(words, at)
            else None
        )
        if group is not None:
            found.append((group, _ruling(group, kind)))
            at, waiting, bare = group.end, False, False
        else:
            waiting = waiting and (words[at] in _LIGHT or not words[at].isalpha() or not kind)
            at += 1
    return _merge_joint_nouns(words, found)


def _goes_on_alone(words: list[str], at: int, last: _Group) -> bool:
    """«شرطي ومختار», «ضابط ومرافقه»: an unknown word without the article joined right to one person is another person."""
    return at == last.end and last.words == 1 and last.bound == Bound(1, 1) and _another(words[at])


def _another(word: str) -> bool:
    plain = word.startswith("و") and len(word) > 4 and not word.startswith(("وال", "ول", "وب")) and word not in _AFTER_AND
    return plain and fate(word) is None and known_form(word, lambda rest: rest in _THINGS) is None


def _lost(verb: Fate | None, words: list[str]) -> Fate | None:
    """«فقد … أرواحهم» is to die."""
    died = verb is not None and verb.kind == MISSING and any(_LIFE.fullmatch(word) for word in words)
    return replace(verb, kind=KILLED) if verb is not None and died else verb


def _predicate(
    words: list[str], at: int, verb: Fate, kind: str, found: list[tuple[_Group, str]], bare: bool
) -> tuple[str, list[tuple[_Group, str]], bool]:
    """The kind that rules what follows a verb, and the groups so far; a verb after uncounted groups rules those («ستة قتلوا»)."""
    joined = words[at][0] == "و" or (at > 0 and words[at - 1] in ("او", "و"))
    both = {kind, verb.kind} == {KILLED, INJURED} and joined
    if found and found[-1][1] == JOINT and bare and verb.kind in (KILLED, INJURED):
        return JOINT, found, True
    apart = bool(found) and at + 1 < len(words) and _group(words, at + 1, dual=False, loose=False) is not None
    if both and bare and not apart:  # «لقي 3 حتفهم وأصيب 4» are two counts
        ruled = [(group, JOINT if n == len(found) - 1 and trailing == kind else trailing) for n, (group, trailing) in enumerate(found)]
        return JOINT, ruled if found else found, True
    if found and not kind and all(not ruling for _, ruling in found):
        return verb.kind, [(group, verb.kind) for group, _ in found], True
    count = suffix_count(verb.suffix)
    if count is not None and verb.suffix and not _counted(found, verb.kind) and not words[at].startswith(_OF_THE_DEAD):
        bound = Bound(count, count) if count else Bound(2, None, word="several")
        return verb.kind, [*found, (_Group(bound, at + 1, tail=True), verb.kind)], True
    return verb.kind, found, not (verb.suffix and words[at].startswith(_OF_THE_DEAD))


def _counted(found: list[tuple[_Group, str]], kind: str) -> bool:
    return any(ruling == kind for _, ruling in found)


def _ruling(group: _Group, kind: str) -> str:
    if group.noun is not None and not group.noun.weak:
        return kind if group.noun.kind == JOINT and kind in (KILLED, INJURED) else group.noun.kind
    return kind


def _joins(words: list[str], at: int) -> bool:
    """Whether words[at] goes on with a list: «و» or «إضافة إلى» before a number or a word for people."""
    word = words[at]
    if word == "و":
        return False
    if at and words[at - 1] in ("و", "او") and fate(word) is not None:
        return True
    if at and words[at - 1] == "و":
        return True
    if not any(cut.startswith("و") for cut, _ in clitics(word)) or (people(word[1:]) is None and read_number([word], 0) is None):
        return any(rest in _VAGUE or rest in (*_ABOUT, *_MORE, "احد", "احدي") for cut, rest in clitics(word) if cut.startswith("و"))
    return not word.startswith("وال") or people(word[3:]) == 1 or fate(word) is not None


def _group(words: list[str], at: int, *, dual: bool, loose: bool) -> _Group | None:
    """The counted group that begins at words[at]; None where none does."""
    start, about, more, least, under = _before_number(words, at)
    ranged = _range(words, start)
    if ranged is not None:
        low, high, end = ranged
        return _noun_group(words, end, Bound(low, high, about), explicit=True)
    vague = known_form(words[start], lambda rest: rest in _VAGUE) if start < len(words) else None
    if vague is not None and vague[1] not in ("مات",):
        low, name = _VAGUE[vague[1]]
        end = start + 1
        thousands = known_form(words[end], lambda rest: rest == "الاف") if end < len(words) and name in ("dozens", "hundreds") else None
        low, end = (low * 1000, end + 1) if thousands else (low, end)
        number = read_number(words, end) if vague[1] in ("جميع", "كل") else None
        bound = Bound(number.value, number.value) if number else Bound(low, None, about, name)
        later = _number_ahead(words, end) if vague[1].startswith("عدد") and end < len(words) and words[end].startswith("ال") else None
        if later is not None:
            return replace(later, noun=fate(words[end]) or later.noun)
        return _noun_group(words, number.end if number else end, bound, explicit=True)
    number = read_number(words, start)
    if number is not None and not (number.end < len(words) and NOT_PEOPLE.fullmatch(words[number.end])):
        value = number.value
        bound = Bound(value + 1, None, about, more=True) if more else Bound(value, None if least else value, about)
        return _noun_group(words, number.end, Bound(0, value - 1, about) if under else bound, explicit=True)
    return _uncounted(words, at, dual=dual, loose=loose) if start == at and number is None else None


def _before_number(words: list[str], at: int) -> tuple[int, bool, bool, bool, bool]:
    """(where the number begins, about, more than, at least, less than) for «ما لا يقل عن», «أكثر من», «نحو» and the like."""
    about = more = least = under = False
    start = at
    while start < len(words):
        rests = {rest for _, rest in clitics(words[start])}
        if rests & set(_ABOUT):
            about = True
        elif rests & set(_MORE):
            more = True
        elif (rests & {"يقل", "تقل"} and start and words[start - 1] in ("لا", "ولا", "مالا")) or words[start] == "الاقل":
            least = True
        elif rests & {"اقل", "دون"} and start + 1 < len(words) and (words[start + 1] == "من" or read_number(words, start + 1)):
            under = True
        elif not (rests & _BEFORE_NUMBER and start < at + 6) or (
            start == at
            and not any(read_number(words, n) or known_form(words[n], _is_bounding) for n in range(at + 1, min(at + 4, len(words))))
        ):
            break
        start += 1
    return start, about, more, least, under


def _is_bounding(rest: str) -> bool:
    return rest in _ABOUT or rest in _MORE or rest in _VAGUE or rest in ("يقل", "تقل", "اقل")


def _range(words: list[str], at: int) -> tuple[int, int, int] | None:
    """«بين 5 و7», «5 إلى 7», «5-7», as (low, high, end)."""
    between = at < len(words) and known_form(words[at], lambda rest: rest == "بين") is not None
    first = read_number(words, at + 1 if between else at)
    if first is None or first.end >= len(words):
        return None
    link = words[first.end]
    start = first.end + (link in ("و", "الي", "-", "–", "او"))
    if not (between or link in ("الي", "-", "–", "او")):
        return None
    last = read_number(words, start)
    return (first.value, last.value, last.end) if last and last.value > first.value else None


def _noun_group(words: list[str], at: int, bound: Bound, *, explicit: bool) -> _Group:
    """The group with the words that belong to its noun: up to a word that begins another count, or that says what happened."""
    noun: Fate | None = None
    end, single = at, False
    while end < len(words):
        word = words[end]
        said = fate(word)
        if said is not None and said.count is None:
            break
        if word in ("واحد", "واحده"):
            end += 1
            continue
        if any(cut.startswith("و") for cut, _ in clitics(word)) and word not in _AFTER_AND:
            if not explicit and end == at and bound == Bound(1, 1) and _another(word):
                break
            if single and bound.max is not None and bound.min > 10 and _same_count(word) and fate(word) is None:
                end += 1
                continue
            if _joins(words, end) or _opens(words, end):
                break
        if word == "و":
            break
        if said is not None and noun is None and (bound.word or explicit) and end - at < 6:
            noun = said
        single = single or (end == at and word.endswith("ا"))
        if word in ("الاقل",) and words[end - 1] == "علي":
            bound = replace(bound, max=None)
        if word == "اكثر" and words[end - 1] == "او":
            bound = replace(bound, max=None)
        if word == "تقريبا":
            bound = replace(bound, about=True)
        end += 1
    return _Group(bound, end, noun, explicit, end - at + (not explicit))


def _same_count(word: str) -> bool:
    """«57 رجلاً وفتى», «14 بحاراً مصرياً ويمنياً»: an accusative after a large number is counted in it."""
    return (
        word.endswith(("ا", "ي", "ه"))
        and read_number([word], 0) is None
        and (word.endswith("ا") or word[1:] in ("فتي", "فتاه", "امراه", "طفله", "سيده"))
    )


def _uncounted(words: list[str], at: int, *, dual: bool, loose: bool) -> _Group | None:
    """A noun without a number: a singular, a dual or a plural."""
    word = words[at]
    if not word.isalpha() or word in _LIGHT or known_form(word, lambda rest: rest in _THINGS):
        return None
    one_of = known_form(word, lambda rest: rest in ("احد", "احدي")) is not None
    known = 1 if one_of else people(word, dual=dual)
    count = _office_dual(words, at) or (1 if known is None and loose else known)
    if count is None:
        return None
    said = fate(word)
    outer = word.startswith(("ال", "بال", "وال", "لل")) or (said is not None and count == 0) or known is None
    later = _number_ahead(words, at + 1) if outer and not one_of else None
    if later is not None:
        return replace(later, noun=said or later.noun)
    number = read_number(words, at + 1) if count == 0 and at + 1 < len(words) and words[at + 1].startswith("ال") else None
    if number is not None:  # «أطفالها الثلاثة»
        return _noun_group(words, number.end, Bound(number.value, number.value), explicit=True)
    two = any(known_form(other, lambda rest: rest in _TWO) and other[0] != "و" for other in words[at + 1 : at + 3])
    bound = Bound(1, 1) if count == 1 else Bound(2, 2) if count == 2 or two else Bound(2, None, word="several")
    return replace(_noun_group(words, at + 1, bound, explicit=False), noun=said, name=known is None)


def _office_dual(words: list[str], at: int) -> int | None:
    """«ضابطا شرطة», «رجلي أمن» are two."""
    if at + 1 >= len(words) or words[at + 1] not in ("شرطه", "الشرطه", "امن", "الامن", "حرس", "مرور", "مخابرات"):
        return None
    offices = ("رجل", "ضابط", "عنصر", "شرطي", "جندي", "عون")
    return 2 if any(rest[:-1] in offices and rest[-1] in "اي" for _, rest in clitics(words[at])) else None


def _number_ahead(words: list[str], at: int) -> _Group | None:
    """«القتلى إلى 9», «قتلت القوات 37 شخصاً»: a number further on in the same clause that counts people."""
    for n in range(at, min(at + 6, len(words))):
        if n == at and (said := fate(words[n])) is not None and said.count == 0:
            continue  # «القتلى والشهداء إلى 21»
        if words[n][0] == "و" and len(words[n]) > 1 and (people(words[n][1:]) is not None or fate(words[n]) is not None):
            return None
        counts = read_number(words, n) is not None or known_form(words[n], _is_bounding) is not None
        if (
            counts
            and words[n] not in ("احد", "واحد", "احدي", "كل")
            and words[n - 1] not in ("في", "بعمر", "من", "عمر", "(")
            and words[n] != "الف"
        ):
            group = _group(words, n, dual=False, loose=False)
            counted = fate(words[n - 1])  # «عدد القتلى 9»
            named = words[n - 1] == "الي" or words[n - 1] in _ABOUT or (counted is not None and counted.count == 0)
            people_there = named or (group is not None and n + 1 < len(words))
            return group if group is not None and group.explicit and people_there else None
    return None


def _merge_joint_nouns(words: list[str], found: list[tuple[_Group, str]]) -> list[tuple[_Group, str]]:
    """«6 شهداء وجرحى», «عشرات القتلى والجرحى», «20 قتيلاً وجريحاً»: a noun without a number after a counted one is counted in it."""
    merged: list[tuple[_Group, str]] = []
    for group, kind in found:
        last = merged[-1] if merged else None
        bare = kind == INJURED and not group.explicit and group.noun is not None
        plural = group.bound.word == "several" or (last is not None and last[0].bound.min > 10 and group.bound == Bound(1, 1))
        if last and bare and plural and _counts_dead(*last):
            merged[-1] = last[0], JOINT
        else:
            merged.append((group, kind))
    return merged


def _counts_dead(group: _Group, kind: str) -> bool:
    noun = group.noun
    return (
        kind in (KILLED, JOINT) and group.explicit and noun is not None and (noun.count == 0 or (noun.count == 1 and group.bound.min > 10))
    )


def _with_context(found: list[tuple[_Group, str]], before: str, after: str, *, joined: bool) -> list[tuple[_Group, str]]:
    """Groups that no word of the phrase rules, ruled by the text around it; «معتقلين» by itself where nothing near does."""
    if all(kind for _, kind in found):
        return found
    first = next((kind for _, kind in found if kind), "")
    own = next((group.noun.kind for group, _ in found if group.noun is not None), "")
    kind = first or _around(before, after, _BESIDE if own else 1000, joined=joined) or own
    return [(group, ruling or kind) for group, ruling in found]


def _around(before: str, after: str, reach: int, *, joined: bool) -> str:
    """What happened by the nearest verb before or after, at most `reach` words away; "" where there is none.

    One soon after a count («… قتلوا») wins unless another stands right before it or the phrase goes on with a list (`joined`); a verb that
    «و» joins begins another count.
    """
    earlier = _repair(split_words(fold(before)))[-reach:]
    later = _repair(split_words(fold(after)))[: min(reach, _NEAR)]
    stop = next((n for n, word in enumerate(later) if word in STOPS or (word[0] in "وف" and fate(word[1:]))), len(later))
    left = next(((n, said) for n, word in enumerate(reversed(earlier)) if (said := _rules(word))), None)
    right = next(((n, said) for n, word in enumerate(later[:stop]) if (said := _rules(word))), None)
    if left is not None and (right is None or joined or left[0] <= 2 or left[0] < right[0]):
        return left[1]
    return right[1] if right is not None else ""


def _rules(word: str) -> str:
    if known_form(word, lambda rest: rest == "اسر"):
        return DETAINED
    said = fate(word) if word not in ("الجراح", "الروح") else None
    return "" if said is None else KILLED if said.kind == JOINT else said.kind


def _tally(found: list[tuple[_Group, str]], *, joint: bool) -> Counts:
    totals: dict[str, Bound] = {}
    for group, kind in found:
        ruling = JOINT if joint and kind in ("", KILLED, INJURED) else kind
        last = totals.get(ruling)
        if not ruling or (joint and not group.explicit) or (last is not None and (group.tail or _inside(group, last))):
            continue
        totals[ruling] = group.bound if last is None else last + group.bound
    return Counts(**totals)


def _inside(group: _Group, last: Bound) -> bool:
    """«عشرات النساء والأطفال», «13 من جنود وضباط الجيش»: what stands without a number beside a vague count or a plural is part of it."""
    return not group.explicit and (group.bound.word != "" or last.word in ("dozens", "hundreds"))
