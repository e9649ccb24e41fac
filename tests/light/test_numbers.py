"""Number words and digits."""

from __future__ import annotations

import pytest

from waqia.document.numbers import Number, clitics, digits, fold, known_form, read_number, read_ordinal, split_words


def value(text: str) -> int | None:
    number = read_number(split_words(fold(text)), 0)
    return None if number is None else number.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("مئة وأربعة وعشرون", 124),
        ("مائةٍ وأربعةٍ وعشرين", 124),
        ("٣ آلاف", 3000),
        ("ألف ومئتان", 1200),
        ("ثلاثة وعشرين شخصاً", 23),
        ("إحدى عشرة امرأة", 11),
        ("مليون وخمسمئة ألف وثلاثون", 1_500_030),
        ("ألفين وأحد عشر", 2011),
        ("اثنا عشر ألفاً", 12_000),
        ("١٬٤٠٠", 1400),
        ("3.5 ملايين", 3_500_000),
        ("وبخمسة", 5),
    ],
)
def test_number_words_and_digits_of_both_kinds_are_read(text: str, expected: int) -> None:
    assert value(text) == expected


def test_a_second_count_is_not_part_of_the_number() -> None:
    assert value("ثلاثة وعشرة جرحى") == 3
    assert value("خمسة قتلى") == 5
    assert value("القاعدة") is None


@pytest.mark.parametrize(("text", "expected"), [("الرابع والعشرين", 24), ("الحادي عشر", 11), ("السادسة", 6), ("الثلاثين", 30)])
def test_ordinals_are_read(text: str, expected: int) -> None:
    number = read_ordinal(split_words(fold(text)), 0)
    assert number is not None
    assert number.value == expected


def test_folding_removes_marks_tatweel_and_censoring_dots_but_no_full_stop() -> None:
    assert fold("قصـ.ـف قُتِلَ") == "قصف قتل"
    assert fold("إصابات خطيرة.ويتزامن") == "اصابات خطيره.ويتزامن"


@pytest.mark.parametrize(
    ("text", "expected", "end"),
    [
        ("واحد", 1, 1),
        ("واحدة", 1, 1),
        ("اثنان", 2, 1),
        ("اثنتين", 2, 1),
        ("ثلاث", 3, 1),
        ("أربعة", 4, 1),
        ("خمس", 5, 1),
        ("ستة", 6, 1),
        ("سبعة", 7, 1),
        ("ثماني", 8, 1),
        ("ثمانية", 8, 1),
        ("تسع", 9, 1),
        ("عشرة", 10, 1),
        ("أحد عشر", 11, 2),
        ("إحدى عشرة", 11, 2),
        ("اثنا عشر", 12, 2),
        ("اثنتي عشرة", 12, 2),
        ("ثلاثة عشر", 13, 2),
        ("تسع عشرة", 19, 2),
        ("عشرة عشر", 10, 1),
        ("حداشر", 11, 1),
        ("تلتعش", 13, 1),
        ("عشرين", 20, 1),
        ("ثلاثون", 30, 1),
        ("أربعين", 40, 1),
        ("تسعون", 90, 1),
        ("مئة", 100, 1),
        ("مائة", 100, 1),
        ("مئتان", 200, 1),
        ("مئتي", 200, 1),
        ("ثلاثمئة", 300, 1),
        ("ثلاث مئة", 300, 2),
        ("تسع مئة", 900, 2),
        ("اثنان مئة", 2, 1),
        ("عشرة مئة", 10, 1),
        ("ثمانمئة", 800, 1),
        ("خمسمائة", 500, 1),
        ("ألف", 1_000, 1),
        ("ألفان", 2_000, 1),
        ("ثلاثة آلاف", 3_000, 2),
        ("مئة ألف", 100_000, 2),
        ("خمسة وعشرون ألفا", 25_000, 3),
        ("مليون", 1_000_000, 1),
        ("مليونان", 2_000_000, 1),
        ("ثلاثة ملايين", 3_000_000, 2),
        ("مليار", 1_000_000_000, 1),
        ("مليارين", 2_000_000_000, 1),
        ("مليونان وثلاثمئة ألف", 2_300_000, 3),
        ("ألفان وثلاثمئة وخمسة عشر", 2_315, 4),
        ("مئة وخمسة آلاف", 105_000, 3),
        ("ثلاثمئة وخمسون", 350, 2),
        ("مئة وعشرة", 110, 2),
        ("مئة وواحد", 101, 2),
        ("ألف وواحد", 1_001, 2),
        ("ألف وأحد عشر", 1_011, 3),
        ("مئة وأحد عشر", 111, 3),
        ("ثلاثة وعشرون", 23, 2),
        ("ثلاثة وعشرون ومئة", 23, 2),
        ("عشرون وثلاثة", 20, 1),
        ("خمسة وثلاثة", 5, 1),
        ("ألف ومئة", 1_100, 2),
        ("مئة وألف", 100, 1),
        ("مئة ومئتان", 100, 1),
        ("ألفان ومئة", 2_100, 2),
        ("ألفان وألف", 2_000, 1),
        ("ألف ومليون", 1_000, 1),
        ("مليون وألف", 1_001_000, 2),
        ("مليون وألفان", 1_002_000, 2),
        ("مليون وثلاثة آلاف وخمسة", 1_003_005, 4),
        ("ثلاثة ملايين وأربعمئة ألف وخمسون", 3_400_050, 5),
        ("خمسمئة ألف ومليون", 500_000, 2),
        ("12", 12, 1),
        ("12 ألفا", 12_000, 2),
        ("1,400", 1_400, 1),
        ("1.400", 1_400, 1),
        ("1,400,000", 1_400_000, 1),
        ("3.5 ملايين", 3_500_000, 2),
        ("3,5", 3, 1),
        ("12 و13", 12, 1),
        ("12 وثلاثة", 12, 1),
        ("مئة و5", 100, 1),
        ("والثلاثة", 3, 1),
        ("بثلاثة", 3, 1),
        ("للثلاثة", 3, 1),
        ("أحد عشر ألفا", 11_000, 3),
        ("ثلاثة قتلى", 3, 1),
        ("أحد", 1, 1),
    ],
)
def test_a_number_ends_with_the_last_word_that_goes_on_with_it(text: str, expected: int, end: int) -> None:
    assert read_number(split_words(fold(text)), 0) == Number(expected, end)


def test_a_number_is_read_from_any_word_on() -> None:
    words = split_words(fold("قتل ثلاثة وعشرون شخصا في 5 غارات"))
    assert [read_number(words, at) and read_number(words, at).value for at in range(8)] == [None, 23, 20, None, None, 5, None, None]  # type: ignore[union-attr]
    assert read_number(words, 8) is None
    assert read_number([], 0) is None


@pytest.mark.parametrize(
    ("text", "expected", "end"),
    [
        ("الأول", 1, 1),
        ("الثانية", 2, 1),
        ("الثالث", 3, 1),
        ("العاشرة", 10, 1),
        ("الثاني عشر", 12, 2),
        ("التاسعة عشرة", 19, 2),
        ("الحادي والعشرين", 21, 2),
        ("الخامس والثلاثون", 35, 2),
        ("الخامس وثلاثين", 5, 1),
        ("الخامس عشرين", 5, 1),
        ("العشرين", 20, 1),
        ("بالعشرين", 20, 1),
        ("وخامس", 5, 1),
    ],
)
def test_an_ordinal_ends_with_its_tens(text: str, expected: int, end: int) -> None:
    assert read_ordinal(split_words(fold(text)), 0) == Number(expected, end)


def test_tens_without_the_article_and_other_words_are_no_ordinals() -> None:
    assert read_ordinal(["عشرين"], 0) is None
    assert read_ordinal(["قصف"], 0) is None
    assert read_ordinal(["الثالث"], 1) is None
    assert read_ordinal(["في", "الثالث"], 1) == Number(3, 2)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("5", 5),
        ("1,400", 1400),
        ("1.400.000", 1_400_000),
        ("3.5", 3.5),
        ("3,5", 3.5),
        ("1,40", 1.4),
        ("1.2.3", None),
        ("خمسة", None),
        ("", None),
    ],
)
def test_digits_may_hold_marks_of_thousands_or_one_of_fractions(word: str, expected: float | None) -> None:
    assert digits(word) == expected


@pytest.mark.parametrize(
    ("word", "ways"),
    [
        ("قصف", [("", "قصف")]),
        ("وب", [("", "وب")]),
        ("وقع", [("", "وقع"), ("و", "قع")]),
        ("الف", [("", "الف")]),
        ("البيت", [("", "البيت"), ("ال", "بيت")]),
        ("بيت", [("", "بيت"), ("ب", "يت")]),
        ("بال", [("", "بال"), ("ب", "ال")]),
        ("بالبيت", [("", "بالبيت"), ("ب", "البيت"), ("بال", "بيت")]),
        ("وبالبيت", [("", "وبالبيت"), ("و", "بالبيت"), ("وب", "البيت"), ("وبال", "بيت")]),
        ("فالبيت", [("", "فالبيت"), ("ف", "البيت"), ("فال", "بيت")]),
        ("للبيت", [("", "للبيت"), ("ل", "لبيت"), ("لال", "بيت")]),
        ("لله", [("", "لله"), ("ل", "له")]),
        ("ولله", [("", "ولله"), ("و", "لله"), ("ول", "له")]),
    ],
)
def test_clitics_come_off_in_every_way_and_leave_two_letters(word: str, ways: list[tuple[str, str]]) -> None:
    assert list(clitics(word)) == ways


def test_the_first_known_form_is_taken() -> None:
    assert known_form("وبالبيت", lambda rest: rest in ("بيت", "البيت")) == ("وب", "البيت")
    assert known_form("وبالبيت", lambda rest: rest == "دار") is None


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("أإآٱ ىی ئ ةۀ ؤ ء ک گ ڨ", "اااا يي ي هه و  ك ك ق"),
        ("٠١٢٣٤٥٦٧٨٩ ۰۱۲۳۴۵۶۷۸۹", "0123456789 0123456789"),
        ("١٬٤٠٠ ٣٫٥ كذا، ثم؛", "1,400 3.5 كذا, ثم;"),
        ("قَتَلَ\u200f قتـــل", "قتل قتل"),
        ("د.اعش", "داعش"),
        ("داع.ش", "داعش"),
        ("ق*تل", "قتل"),
        ("قصـ**ـف", "قصف"),
        ("القصف.الجوي", "القصف.الجوي"),
        ("3.5", "3.5"),
    ],
)
def test_letters_marks_and_digits_are_made_alike(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_digits_letters_and_marks_are_words_of_their_own() -> None:
    assert split_words("17أفريل 1,400.5 abc5 «قصف»") == ["17", "أفريل", "1,400.5", "abc", "5", "«", "قصف", "»"]
