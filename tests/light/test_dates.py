"""Time phrases as intervals; the text's day is Friday 12 May 2023."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from waqia.document.dates import DateInterval, resolve_date

FRIDAY = date(2023, 5, 12)


def told(phrase: str, anchor: date | None = FRIDAY, **context: str) -> tuple[str, str] | None:
    found = resolve_date(phrase, anchor, **context)
    return None if found is None else (found.iso(), found.grain)


@pytest.mark.parametrize(
    ("phrase", "iso", "grain"),
    [
        ("أمس", "2023-05-11", "day"),
        ("أمس الأول", "2023-05-10", "day"),
        ("أول من أمس", "2023-05-10", "day"),
        ("الخميس", "2023-05-11", "day"),
        ("الجمعة", "2023-05-12", "day"),
        ("الجمعة الماضي", "2023-05-05", "day"),
        ("الجمعة المقبل", "2023-05-19", "day"),
        ("الخميس قبل الماضي", "2023-05-04", "day"),
        ("الأربعاء من الأسبوع الماضي", "2023-05-03", "day"),
        ("ليلة السبت إلى الأحد", "2023-05-06/2023-05-07", "part"),
        ("ليل الثلاثاء/الأربعاء", "2023-05-09/2023-05-10", "part"),
        ("الليلة الماضية", "2023-05-11/2023-05-12", "part"),
        ("وفجرَ اليوم", "2023-05-12", "part"),
        ("الساعة الثانية والنصف من بعد ظهر أمس", "2023-05-11", "hour"),
        ("10 صباحاً", "2023-05-12", "hour"),
        ("قبل ثلاثة أيام", "2023-05-09", "day"),
        ("قبل أسبوعين", "2023-04-28", "week"),
        ("منذ 26 أبريل", "2023-04-26/2023-05-12", "span"),
        ("منذ شهر ونصف الشهر", "2023-03-29/2023-05-12", "span"),
        ("الأيام الثلاثة الماضية", "2023-05-09/2023-05-12", "span"),
        ("الساعات الـ24 الماضية", "2023-05-11/2023-05-12", "span"),
        ("لليوم الثالث على التوالي", "2023-05-10/2023-05-12", "span"),
        ("بين 28 نيسان و3 أيار", "2023-04-28/2023-05-03", "span"),
        ("بين عامي ٢٠١٤ و٢٠١٧", "2014-01-01/2017-12-31", "span"),
        ("من 25 كانون الأول إلى 5 كانون الثاني", "2022-12-25/2023-01-05", "span"),
        ("مطلع الشهر", "2023-05-01/2023-05-10", "month"),
        ("منتصف أيار", "2023-05-11/2023-05-20", "month"),
        ("أواخر غشت", "2022-08-21/2022-08-31", "month"),
        ("أيار الماضي", "2022-05", "month"),
        ("20 من الشهر الماضي", "2023-04-20", "day"),
        ("الأسبوع المنصرم", "2023-04-30/2023-05-06", "week"),
        ("في وقت سابق من العام الجاري", "2023-01-01/2023-05-12", "year"),
        ("شتاء 2015", "2014-12-01/2015-02-28", "span"),
        ("عام ألفين وأحد عشر", "2011", "year"),
        ("أوائل عام 2019", "2019-01-01/2019-04-30", "year"),
        ("حتى نهاية الشهر", "2023-05-12/2023-05-31", "span"),
    ],
)
def test_phrase_resolves_against_the_day_of_the_text(phrase: str, iso: str, grain: str) -> None:
    assert told(phrase) == (iso, grain)


@pytest.mark.parametrize(
    ("name", "month"),
    [
        *(("كانون الثاني", 1), ("جانفي", 1), ("شباط", 2), ("فيفري", 2), ("آذار", 3), ("نيسان", 4), ("أفريل", 4), ("ماي", 5), ("حزيران", 6)),
        *(
            ("جوان", 6),
            ("يونيه", 6),
            ("تموز", 7),
            ("جويلية", 7),
            ("يوليوز", 7),
            ("آب", 8),
            ("أوت", 8),
            ("غشت", 8),
            ("أيلول", 9),
            ("شتنبر", 9),
        ),
        *(("تشرين الأول", 10), ("أكتوبر", 10), ("تشرين الثاني", 11), ("نونبر", 11), ("كانون الأول", 12), ("دجنبر", 12), ("ديسمبر", 12)),
    ],
)
def test_months_of_every_region_are_known(name: str, month: int) -> None:
    assert told(f"5 {name} 2020", None) == (f"2020-{month:02}-05", "day")


@pytest.mark.parametrize("phrase", ["12/5/2023", "2023-05-12", "١٢ أيار/مايو ٢٠٢٣", "الثاني عشر من مايو عام 2023"])
def test_full_dates_need_no_day_of_the_text(phrase: str) -> None:
    found = resolve_date(phrase, None)
    assert found == DateInterval(FRIDAY, FRIDAY, "day", "absolute")


@pytest.mark.parametrize("phrase", ["أمس", "الخميس", "5 آذار", "صباحاً", "قبل يومين"])
def test_without_the_day_of_the_text_nothing_is_guessed(phrase: str) -> None:
    assert resolve_date(phrase, None) is None


@pytest.mark.parametrize(
    "phrase",
    ["بعد ساعتين", "في ذلك اليوم", "الليلة نفسها", "قبل ذلك بأسبوع", "لثلاثة أيام", "منذ أيام قليلة", "31 فبراير", "كل جمعة", "لاحقاً", ""],
)
def test_what_hangs_on_another_event_or_cannot_be_is_not_resolved(phrase: str) -> None:
    assert resolve_date(phrase, FRIDAY) is None


def test_week_day_beats_a_date_that_contradicts_the_text() -> None:
    assert told("اليوم الجمعة 12 أيار 2022") == ("2023-05-12", "day")
    assert told("أمس الخميس 12 أيار 2023") == ("2023-05-11", "day")


def test_week_day_looks_forward_in_a_sentence_about_plans() -> None:
    assert told("الأحد", before="دعت النقابة إلى إضراب يبدأ ") == ("2023-05-14", "day")
    assert told("الأحد", before="أضرب العمال ") == ("2023-05-07", "day")


@pytest.mark.parametrize(("phrase", "precision"), [("أمس", 1), ("مساء أمس", 1), ("الأسبوع الماضي", 2), ("أيار", 3), ("2011", 3)])
def test_time_precision_follows_the_grain(phrase: str, precision: int) -> None:
    found = resolve_date(phrase, FRIDAY)
    assert found is not None
    assert found.time_precision == precision


def test_hijri_months_resolve_with_the_extra_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hijridate", None)
    assert resolve_date("10 رمضان 1444", FRIDAY) is None
    monkeypatch.undo()
    pytest.importorskip("hijridate")
    assert told("10 رمضان 1444") == ("2023-04-01", "day")
    assert told("رمضان الماضي") == ("2023-03-23/2023-04-20", "month")
