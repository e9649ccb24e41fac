"""Number words and digits."""

from __future__ import annotations

import pytest

from waqia.document.numbers import fold, read_number, read_ordinal, split_words


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
