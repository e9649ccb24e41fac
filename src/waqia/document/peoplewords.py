"""The words of Arabic casualties phrases: what happened to people, and whether a noun names one, two or more of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from waqia.document.folding import REMEMBERED
from waqia.document.numbers import clitics, read_ordinal

KILLED, INJURED, MISSING, DETAINED, DISPLACED, JOINT = "killed", "injured", "missing", "detained", "displaced", "killed_or_injured"
KINDS = (KILLED, INJURED, MISSING, DETAINED, DISPLACED, JOINT)


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


# Verbs and verbal nouns that say what happened to the people counted beside them; folded, without clitics.
_PREDICATES = {
    KILLED: r"[يت]?قتل(?:ت|وا|ا|ن|ته|هم|تهم)?|[يت]قتلون|مقتل|مقتول(?:ين|ون|ا)?|[يت]?ستشهد(?:وا|ا|ت)?|استشهد(?:ت|وا|ا|تا|ن)?|"
    r"استشهاد|توفي(?:ت|ا|تا)?|توفوا"
    r"|[يت]توفي|وفا[هت]|مات(?:ت|وا|ا)?|موت|قضي|قضت|قضوا|قضيا|لقي(?:ت|ا|تا)?|لقوا|[يت]لقي|مصرع|حتف|"
    r"صرع(?:وا|ت)?|اغتيل(?:ت|وا|ا)?|اغتال(?:ت|وا)?"
    r"|اغتيال|اعدم(?:ت|وا|ا|هم)?|اعدام|ذبح(?:وا|ت)?|اودي|اودت|[يت]ودي|حيا[هت]|ازهق(?:ت|وا)?|ازهاق|ارواح|روح|ضحيت|"
    r"راح(?:ت|وا)?|فارق(?:ت|وا|ا)?"
    r"|اردي|اردت|اردوا|اردا|تصفيه|صفي|صفت|قضا|تحييد|حيدت|ابيد(?:ت|وا)?|اباده|هلك(?:وا|ت)?|هلاك|رفات|غرق(?:ت|وا)?|"
    r"حصد(?:ت|وا)?|[يت]حصد|[يت]طيح|اطاحت?"
    r"|رحيل|ارتقا|ارتقي|ارتقت|ارتقوا|ارتقيا|[يت]رتقي|فتكت|تجهز|اجهز(?:ت|وا)?|انتشال|انتشلت?",
    INJURED: r"اصيب(?:ت|وا|ا|تا|ن)?|[يت]صاب(?:وا|ون)?|اصابه|اصابت(?:ه|ها|هم|هن|هما)?|اصاب(?:وا|تهم)?|[يت]صيب|"
    r"[يت]?جرح(?:ت|وا|ا|ن|هم)?|متصاوب(?:ين|ون|ه)?|تصاوب(?:وا)?"
    r"|[ا]?نجرح(?:وا|ت)?|طعن(?:ت|وا)?|دهس(?:ت|وا)?|[يت]دهس|شج|اختناق(?:ات)?|اختنق(?:ت|وا)?|تسمم|حروق|جروح|جراح|"
    r"[يت]عالج|عولج(?:ت|وا)?|معالجه|بتر|كسور",
    MISSING: r"فقد(?:ت|وا|ا|ان|تا)?|اختفي|اختفت|اختفوا|اختفا|مصير|[يت]ختفي",
    DETAINED: r"اعتقل(?:ت|وا|ا|ن|هم)?|[يت]عتقل|اعتقال|اوقف(?:ت|وا|ن|ا)?|توقيف|ايقاف|[يت]وقف|اسر(?:ت|وا|ا)|احتجز(?:ت|وا|ن|ا)?|"
    r"احتجاز|[يت]حتجز(?:ون)?"
    r"|خطف(?:ت|وا|ا|هم)?|اختطف(?:ت|وا|ا)?|اختطاف|[يت]خطف|[يت]ختطف|قبض(?:ت|وا)?|احتفاظ|احتفظ|افرج(?:ت|وا)?|[يت]فرج|"
    r"افراج|سراح|ضبط(?:ت|وا)?|امسك(?:ت|وا)?"
    r"|انلزموا|اقتاد(?:ت|وا)?|[يت]قتاد|اقتياد|اقتيد(?:ت|وا)?|سجن(?:ت|وا)?|حبس|احاله|حبست|انمسك(?:وا|ت)?|شحط(?:ت|وا)?",
    DISPLACED: r"نزح(?:ت|وا)?|[يت]نزح|نزوح|هجر(?:ت|وا)?|تهجير|شرد(?:ت|وا)?|تشريد|[يت]شرد|فر(?:ت|وا)?|فرار|لجات?|لجووا|لجو|اجلا|"
    r"اجلي(?:ت)?|اجلت|اخلا|مغادره|غادر(?:ت|وا|ها)?"
    r"|ترك(?:ت|وا)",
}
_PREDICATE = {kind: re.compile(words) for kind, words in _PREDICATES.items()}
_SUFFIX = re.compile(r"(.{3,}?)(ه|ها|هم|هن|هما)")
_SUFFIX_COUNT = {"ه": 1, "ها": 1, "هم": 0, "هن": 0, "هما": 2}
# Nouns that say it of those they name: (kind, how many: 1, 2, 0 for a plural, whether it may also be a plain noun for a victim)
_NOUNS: dict[str, tuple[str, int, bool]] = {
    **dict.fromkeys(_words("قتيل قتيلا قتيله شهيد شهيدا شهيده جثه جثمان صريع صريعا ضحيه"), (KILLED, 1, False)),
    **dict.fromkeys(_words("قتيلين قتيلان قتيلتين شهيدين شهيدان شهيدتين شهيدتان جثتين جثتان جثماني ضحيتين ضحيتان"), (KILLED, 2, False)),
    **dict.fromkeys(_words("قتلي شهدا جثث جثامين صرعي وفيات غرقي"), (KILLED, 0, False)),
    **dict.fromkeys(_words("جريح جريحا جريحه مصاب مصابا مصابه"), (INJURED, 1, False)),
    **dict.fromkeys(_words("جريحين جريحان جريحتين مصابان اصابتين اصابتان"), (INJURED, 2, False)),
    **dict.fromkeys(_words("جرحي مصابين مصابون اصابات مصابي"), (INJURED, 0, False)),
    **dict.fromkeys(_words("مفقود مفقودا مفقوده مختف مختفي مغيب"), (MISSING, 1, True)),
    **dict.fromkeys(_words("مفقودان"), (MISSING, 2, True)),
    **dict.fromkeys(_words("مفقودين مفقودون مختفين مغيبين مخفيين مختطفا"), (MISSING, 0, True)),
    **dict.fromkeys(
        _words("معتقل معتقلا معتقله موقوف موقوفا اسير اسيرا اسيره مخطوف مختطف محتجز محتجزا رهينه سجين سجينا"), (DETAINED, 1, True)
    ),
    **dict.fromkeys(_words("اسيرين اسيران معتقلان موقوفان رهينتين سجينين مخطوفان محتجزان"), (DETAINED, 2, True)),
    **dict.fromkeys(
        _words("معتقلين معتقلون موقوفين موقوفون اسري مخطوفين مخطوفون مختطفين مختطفون محتجزين محتجزون محتجزات معتقلات رهاين سجنا اعتقالات"),
        (DETAINED, 0, True),
    ),
    **dict.fromkeys(_words("نازح نازحا نازحه مهجر لاجي لاجيا مشرد"), (DISPLACED, 1, True)),
    **dict.fromkeys(_words("نازحين نازحون مهجرين مهجرون لاجيين لاجيون مشردين مشردون نازحي"), (DISPLACED, 0, True)),
    "ضحايا": (JOINT, 0, False),
    "بشريه": (JOINT, 0, False),  # «خسائر بشرية»
}
_PLURALS = _words(
    "اشخاص رجال نسا اطفال جنود عناصر شبان شباب ضباط عمال طلاب طلبه افراد اهالي اهل سكان ناس قاده ركاب ماره حجاج رعاه اشقا",
    "ابنا بنات فتيه اقارب اصدقا رفاق حراس اعضا كوادر زوار سياح اجانب ثوار انصار اتباع بحاره انفار اعوان عساكر بشر دواعش",
    "وجها شيوخ علما ايمه قضاه نواب وزرا خبرا عملا جواسيس لصوص قراصنه تجار باعه مساجين اطبا تلاميذ نشطا زملا جيران احفاد",
    "اولاد صبيه رضع ايتام مرتزقه شهود عجايز ابريا فتيان صبيان رهبان فرسان غرقي متطوعي مسلحي مقاتلي عناصره قوات مواطني",
    "منتسبي متظاهري اكراد عرب افغان عراقيين اخوه اخوات امهات ابا زوجات",
)
_SINGLES = _words(  # people who often stand alone in a list: «وشرطي», «ومختار»; those whose plural is broken have «ين» for the dual
    "جندي شخص طفل طفله رجل عنصر شاب شابه ضابط شقيق شقيقه عامل طالب طالبه حارس ولد ابن ابنه قايد عقيد رقيب ملازم عميد نقيب",
    "طبيب طبيبه قاصر تاجر زعيم امير شيخ قاض قاضي نايب وزير خبير رضيع رضيعه عجوز حاج راع راعي تلميذ تلميذه سجين شرطي قناص",
    "سفير جاسوس لص قرصان اخ اخت فتي فتاه صبي امراه سيده مدني مدنيه مسلح مواطن مواطنه صحفي صحافي صحفيه عسكري مقاتل ارهابي",
    "قيادي مختار متظاهر معلم معلمه مدرس مهندس مسعف مسن مسنه سايق اب ام والد والده زوج زوجه نجل حفيد حفيده جد جده عم خال",
    "خاله عمه موظف موظفه مزارع صياد فلاح ممرض ممرضه متطوع ناشط ناشطه محام محامي امام خطيب كاهن مجند عريف رايد مقدم لواء",
    "مساعد مرافق متسلل انتحاري مهاجم مشتبه مطلوب مستوطن فلسطيني سوري عراقي لبناني تركي روسي امريكي ايراني اسراييلي مصري",
    "ليبي تونسي جزايري مغربي يمني سوداني كردي بايع عون بحار لاجي نازح رهينه اسير اسيره معتقل متسوق مسافر راكب عابر قاتل",
    "انسان",
)
_BROKEN_DUALS = _words(
    "جندي شخص طفل رجل عنصر شاب ضابط شقيق عامل طالب حارس ولد ابن قايد عقيد رقيب ملازم عميد نقيب طبيب قاصر تاجر زعيم امير شيخ",
    "قاضي نايب وزير خبير رضيع عجوز تلميذ سجين شرطي قناص سفير جاسوس لص قرصان نجل عون راعي حاج فتي اخ متسوق عم زوج حفيد صبي",
    "ناشط امراه فدايي والد",
)
_NO_DUAL = _words(
    "انسان سكان شبان فتيان صبيان رهبان شجعان فرسان جيران قبطان سلطان عدنان سليمان عثمان رمضان مروان حسان غسان شعبان نعمان",
    "عمران ايران لبنان سودان طالبان افغان ميدان ديوان عدوان برلمان ربان بركان حيوان ايمان سفيان كنعان زيدان حمدان طهران",
    "برهان اركان مهران خان كيان بيان حسين امين ياسين زين معين حنين ياسمين شاهين جنين فلسطين سجين كمين تامين نسرين دين عين",
    "بحرين صين بساتين متين طين مسكين قين كان ان حين تين بين معاون مامون هارون سعدون خلدون قانون زيتون حسون تعاون بدون مليون",
    "كانون عون",
)
_BEFORE_PEOPLE = ("", "و", "ف", "ب", "ل", "وب", "ال", "وال", "لال", "بال", "ولال")
NOT_PEOPLE = re.compile(
    r"عاما?|سنه|سنوات|سنين|اعوام|ربيعا|شهرا?|اشهر|يوما?|ايام|ساع(?:ه|ات)|دقيقه|دقايق|كيلو\w*|كم|مترا?|امتار|%|"
    r"بالميه|قذيف\w+|قذايف|صاروخا?|صواريخ|غار\w+|سيار\w+"
    r"|منزلا?|منازل|طنا?|دولارا?|ليره|الي\w*|دباب\w+|رصاص\w+|حواجز|حاجزا?|حزيران|نيسان|ايار|تموز|اب|ايلول|كانون|تشرين|شباط|اذار"
)


@dataclass(frozen=True, slots=True)
class Fate:
    """What a word says happened: its kind, and for a noun how many it names (0 a plural); None for a verb or verbal noun."""

    kind: str
    count: int | None = None
    weak: bool = False  # a noun that may be what another word's victim is: «مقتل أسير»
    suffix: str = ""  # of a verbal noun: «إصابته»


@lru_cache(REMEMBERED)
def fate(word: str) -> Fate | None:
    """What a folded word says happened to people; None where it says nothing of the kind."""
    for _, rest in clitics(word):
        if rest in _NOUNS:
            return Fate(*_NOUNS[rest])
        for kind, words in _PREDICATE.items():
            if words.fullmatch(rest):
                suffix = _SUFFIX.fullmatch(rest) if rest.startswith("اصابت") and rest != "اصابت" else None
                return Fate(kind, suffix=suffix[2] if suffix else "")
        suffixed = _SUFFIX.fullmatch(rest)
        if suffixed and any(words.fullmatch(suffixed[1]) for words in _PREDICATE.values()):
            kind = next(kind for kind, words in _PREDICATE.items() if words.fullmatch(suffixed[1]))
            return Fate(kind, suffix=suffixed[2])
    return None


def suffix_count(suffix: str) -> int | None:
    """How many a pronoun stands for: 1, 2, 0 for more; None where there is none."""
    return _SUFFIX_COUNT.get(suffix)


def people(word: str, *, dual: bool = False, loose: bool = False) -> int | None:
    """How many a noun names: 1, 2, 0 for a plural; None where it names no people.

    `dual` says that vowels or context show a dual; `loose` takes any unknown word as one person (the place of a victim).
    """
    forms = clitics(word)
    for _, rest in forms:
        if rest in _NOUNS:
            return _NOUNS[rest][1]
        if rest in _PLURALS:
            return 0
        if (
            rest in _SINGLES
            or (rest.endswith("ا") and rest[:-1] in _SINGLES)
            or rest in ("اخر", "اخري", "احدهم", "احداهن", "احدهما", "احداهما")
        ):
            return 1
        if rest in ("اخران", "اخرتان", "كلاهما", "كليهما", "اثنان"):
            return 2
        own = _SUFFIX.fullmatch(rest) or re.fullmatch("(.{2,}?)(ه|ها|هم)", rest)
        if own and (own[1] in _SINGLES or (own[1].endswith("ت") and own[1][:-1] + "ه" in _SINGLES)):
            return 1
        if own and own[1] in _PLURALS:
            return 0
        if own and own[1][-1] in "اي" and (own[1][:-1] in _BROKEN_DUALS or (own[1][-2] == "ت" and own[1][:-2] + "ه" in _SINGLES)):
            return 2  # «طفليها», «شقيقاها», «طفلتيه»
    shaped = [] if any(rest in _NO_DUAL for _, rest in forms) else [_shape(rest, dual) for cut, rest in forms if cut in _BEFORE_PEOPLE]
    if any(shape is not None for shape in shaped):
        return max(shape for shape in shaped if shape is not None)  # «وجنديين» is two, though no list has «وجندي»
    if read_ordinal([word], 0) and not word.endswith(("ين", "ون")):
        return 1
    return 1 if loose else None


def _shape(word: str, dual: bool) -> int | None:
    """How many a word of unknown meaning names by its ending; None where the ending tells nothing."""
    if len(word) < 4:
        return None
    if word.endswith(("تان", "تين")) and len(word) > 5:
        return 2
    if word.endswith("ان") and word[:-2] in _SINGLES | _BROKEN_DUALS:
        return 2
    if word.endswith("ين") and len(word) > 4:
        return 2 if dual or word[:-2] in _BROKEN_DUALS else 0
    if word.endswith("ون") and len(word) > 4:
        return 0
    if word.endswith("ان") and len(word) > 4:
        return 2
    return 0 if word.endswith("ات") and len(word) > 4 else None
