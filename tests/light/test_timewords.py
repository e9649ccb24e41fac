"""The words of time phrases: what each is read as, with the clitics before it."""

from __future__ import annotations

import pytest

from waqia.document.timewords import NIGHT, Item, read_items


def items(phrase: str) -> list[tuple]:
    """(kind, value), and what was cut and the count where they are not the usual ones."""
    return [
        (item.kind, item.value, *([item.cut] if item.cut or item.count != 1 else []), *([item.count] if item.count != 1 else []))
        for item in read_items(phrase)
    ]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("الخميس", [("weekday", 3, "ال")]),
        ("والخميس", [("weekday", 3, "وال")]),
        ("خميس", [("word", "خميس")]),
        ("يوم خميس", [("unit", "day"), ("weekday", 3)]),
        ("يوم أحد", [("unit", "day"), ("weekday", 6)]),
        ("مساء سبت", [("part", 19), ("weekday", 5)]),
        ("مساء أحد", [("part", 19), ("word", "احد")]),
        ("أحد الشعانين", [("weekday", 6)]),
        ("الجمعة سبت", [("weekday", 4, "ال"), ("weekday", 5)]),
        ("شهر خميس", [("unit", "month"), ("word", "خميس")]),
        ("الآن", [("clock", -1)]),
        ("قبل قليل", [("prep", "before"), ("clock", -1)]),
        ("ذات يوم", [("word", "ذات"), ("unit", "day")]),
        ("أحد", [("word", "احد")]),
        ("أحد عشر يوما", [("number", 11), ("unit", "day")]),
        ("إحدى عشرة ليلة", [("number", 11), ("part", 23)]),
        ("واحد", [("word", "واحد")]),
        ("5 أيام", [("number", 5), ("unit", "day", "", 0)]),
        ("و5 أيام", [("number", 5, "و"), ("unit", "day", "", 0)]),
        ("بثلاثة أيام", [("number", 3, "ب"), ("unit", "day", "", 0)]),
        ("الثلاثة", [("number", 3, "ال")]),
        ("الثالث", [("ordinal", 3)]),
        ("لثالث", [("ordinal", 3, "ل")]),
        ("والثالث", [("ordinal", 3, "و")]),
        ("الحادي والعشرين", [("ordinal", 21)]),
        ("العشرين", [("ordinal", 20)]),
        ("يومين", [("unit", "day", "", 2)]),
        ("اليومين", [("unit", "day", "ال", 2)]),
        ("أسبوعان", [("unit", "week", "", 2)]),
        ("للأسبوع", [("unit", "week", "لال")]),
        ("يومها", [("unit", "day", "+")]),
        ("في يومه", [("unit", "day", "+")]),
        ("منذ", [("prep", "since")]),
        ("ومنذ", [("prep", "since", "و")]),
        ("المقبل", [("mod", "next", "ال")]),
        ("الماضية", [("mod", "past", "ال")]),
        ("سابق", [("mod", "earlier")]),
        ("الأسبق", [("mod", "before_last", "ال")]),
        ("نفسه", [("mod", "same")]),
        ("أمس", [("offset", -1)]),
        ("وأمس", [("offset", -1, "و")]),
        ("البارحة", [("offset", -1, "ال")]),
        ("غدا", [("offset", 1)]),
        ("بالغد", [("offset", 1, "بال")]),
        ("مطلع", [("place", "start")]),
        ("بأواخر", [("place", "late", "ب")]),
        ("الشتاء", [("season", 0, "ال")]),
        ("خريف", [("season", 3)]),
        ("الفجر", [("part", 5, "ال")]),
        ("ليلة", [("part", 23)]),
        ("رمضان", [("hijri", 9)]),
        ("في تمام", []),
        ("زهر", [("word", "زهر")]),
        ("وزهر", [("word", "وزهر", "و")]),
        ("و 5", [("number", 5, "و")]),
        ("5 - 8", [("number", 5), ("mark", "-"), ("number", 8)]),
        ("5 – 8", [("number", 5), ("mark", "–"), ("number", 8)]),
        ("أ / ب", [("word", "ا"), ("mark", "/"), ("word", "ب")]),
        ("«5»", [("number", 5)]),
    ],
)
def test_a_word_is_read_with_its_clitics(phrase, expected):
    assert items(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("كانون الثاني", [("month", 1)]),
        ("كانون الأول", [("month", 12)]),
        ("تشرين الأول", [("month", 10)]),
        ("بتشرين الثاني", [("month", 11, "ب")]),
        ("كانون", [("word", "كانون")]),
        ("ربيع", [("season", 1)]),
        ("ربيع الأول", [("hijri", 3)]),
        ("ربيع الآخر", [("hijri", 4)]),
        ("لربيع الثاني", [("hijri", 4, "ل")]),
        ("جمادى الأولى", [("hijri", 5)]),
        ("جمادى الآخرة", [("hijri", 6)]),
        ("ذي القعدة", [("hijri", 11)]),
        ("ذو الحجة", [("hijri", 12)]),
        ("أول أمس", [("offset", -2)]),
        ("وأول أمس", [("offset", -2, "و")]),
        ("فأول أمس", [("offset", -2, "ف")]),
        ("أول من أمس", [("offset", -2)]),
        ("أول من الأمس أيار", [("offset", -2), ("month", 5)]),
        ("قبل البارحة", [("offset", -2)]),
        ("أمس الأول", [("offset", -2)]),
        ("وأمس الأول", [("offset", -2, "و")]),
        ("البارحة الأولى", [("offset", -2)]),
        ("أول الشهر", [("ordinal", 1), ("unit", "month", "ال")]),
        ("بعد غد", [("offset", 2)]),
        ("وبعد الغد", [("offset", 2, "و")]),
        ("بعد بكرة", [("offset", 2)]),
        ("بعد زهر", [("prep", "after"), ("word", "زهر")]),
        ("قبل الماضي", [("mod", "before_last")]),
        ("قبل المقبل", [("prep", "before"), ("mod", "next", "ال")]),
        ("رأس السنة", [("word", "new year")]),
        ("برأس السنة أيار", [("word", "new year"), ("month", 5)]),
        ("رأس الشهر", [("word", "راس"), ("unit", "month", "ال")]),
    ],
)
def test_two_or_three_words_are_read_as_one(phrase, expected):
    assert items(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("2023-05-12", [("day", (2023, 5, 12))]),
        ("12-05-2023", [("day", (2023, 5, 12))]),
        ("12\\5\\2023", [("day", (2023, 5, 12))]),
        ("2023/12/5", [("day", (2023, 12, 5))]),
        ("5/13/2023", [("day", (2023, 5, 13))]),
        ("31.12.99", [("day", (2099, 12, 31))]),
        ("12/12/23", [("day", (2023, 12, 12))]),
        ("2011-2013", [("number", 2011), ("prep", "until"), ("number", 2013)]),
        ("1899–2013", [("number", 1899), ("prep", "until"), ("number", 2013)]),
        ("1799-2013", [("number", 1799), ("mark", "-"), ("number", 2013)]),
        ("14:45", [("clock", 14)]),
        ("24:00", [("clock", 0)]),
        ("14:45:10", [("clock", 14)]),
        ("12/5", [("number", 12), ("month", 5)]),
        ("5/12", [("number", 5), ("month", 12)]),
        ("5/13", [("number", 13), ("month", 5)]),
        ("13/12", [("number", 13), ("month", 12)]),
        ("15/20", [("word", "15/20")]),
        ("5/0", [("word", "5/0")]),
        ("أيار 12/5 أيار", [("month", 5), ("number", 12), ("month", 5), ("month", 5)]),
        ("مساء 12/5/2023 سبت", [("part", 19), ("day", (2023, 5, 12)), ("word", "سبت")]),
        ("يوم 14:45 سبت", [("unit", "day"), ("clock", 14), ("word", "سبت")]),
    ],
)
def test_figures_are_read_as_days_years_hours_and_months(phrase, expected):
    assert items(phrase) == expected


def test_an_item_tells_its_number_article_and_conjunction():
    one = Item("weekday", 3, "وال")
    assert (one.number, one.definite, one.joined) == (3, True, True)
    other = Item("word", "x", "ب")
    assert (other.number, other.definite, other.joined) == (0, False, False)
    assert NIGHT == 22
