"""Which of several counts stands for an incident, and what its sentence tells where no participant does."""

from __future__ import annotations

from datetime import date

import pytest

from waqia import Facts
from waqia.document.counts import Bound
from waqia.document.facts import add_facts, incident_facts, told_counts
from waqia.document.sentences import casualties_in, sentence_around, speaks, times_in
from waqia.document.totals import sums_up, totals
from waqia.frame import packaged_labels
from waqia.schema import Incident, Participant, Reading, Span

TABLES = Facts().open(packaged_labels())
DAY = date(2023, 5, 12)


def span(text: str, phrase: str, nth: int = 0) -> Span:
    start = -1
    for _ in range(nth + 1):
        start = text.index(phrase, start + 1)
    return Span(start, start + len(phrase), phrase)


def total(text: str, *phrases: str) -> dict[str, list[int | None]]:
    return totals(text, [told_counts(text, span(text, phrase)) for phrase in phrases]).counts.to_dict()


def incident(text: str, trigger: str, *participants: tuple[str, str], kind: str = "shelling") -> Incident:
    people = tuple(Participant(*_bounds(text, phrase), phrase, role, None) for role, phrase in participants)
    return Incident(kind, "actual", span(text, trigger), people)


def _bounds(text: str, phrase: str) -> tuple[int, int]:
    found = span(text, phrase)
    return found.start, found.end


def test_the_first_sentence_with_a_number_decides():
    text = "مقتل 3 مدنيين في قصف على البلدة. وكان قصف سابق أدى إلى مقتل 9 مدنيين."
    assert total(text, "مقتل 3 مدنيين", "مقتل 9 مدنيين") == {"killed": [3, 3]}


def test_within_that_sentence_the_larger_number_decides():
    text = "مقتل طفلين في القصف على السوق الذي خلف 7 قتلى."
    assert total(text, "مقتل طفلين", "7 قتلى") == {"killed": [7, 7]}


def test_a_later_number_is_taken_where_the_text_says_that_it_rose():
    text = "مقتل 3 مدنيين في القصف. ثم ارتفع عدد القتلى إلى 5 بحسب المشفى."
    assert total(text, "مقتل 3 مدنيين", "عدد القتلى إلى 5") == {"killed": [5, 5]}


def test_what_sums_up_a_longer_time_stands_back():
    text = "منذ بداية العام مقتل 160 مدنيا في المدينة. وقتل اليوم مدنيان بقصف."
    assert total(text, "مقتل 160 مدنيا", "وقتل اليوم مدنيان") == {"killed": [2, 2]}
    assert total(text, "مقتل 160 مدنيا") == {"killed": [160, 160]}
    assert sums_up("خلال الشهر الماضي")
    assert not sums_up("خلال القصف")


def test_a_number_stands_before_a_vague_word_and_the_others_are_kept():
    text = "مقتل عدد من المدنيين في القصف. وقال المشفى إن 4 مدنيين قتلوا."
    found = totals(text, [told_counts(text, span(text, phrase)) for phrase in ("مقتل عدد من المدنيين", "4 مدنيين قتلوا")])
    assert found.counts.killed == Bound(4, 4)
    assert found.others == {"killed": (Bound(2, None, word="several"),)}
    assert found.told["killed"].span.text == "4 مدنيين قتلوا"


def test_parts_of_a_list_are_added_up():
    text = "مقتل خمسة من عناصر الجيش، وستة من عناصر الفصيل في الاشتباكات."
    found = totals(text, [told_counts(text, span(text, phrase)) for phrase in ("مقتل خمسة من عناصر الجيش", "وستة من عناصر الفصيل")])
    assert found.counts.killed == Bound(11, 11)
    assert found.told["killed"].span.text == text[: text.index(" في الاشتباكات")]


def test_two_sentences_are_not_a_list():
    text = "مقتل خمسة من عناصر الجيش. وستة من عناصر الفصيل في السجن."
    assert total(text, "مقتل خمسة من عناصر الجيش", "وستة من عناصر الفصيل") == {"killed": [5, 5]}


def test_more_than_a_number_is_that_number_in_one_total():
    killed = told_counts("مقتل أكثر من 30 مدنيا", Span(0, 21, "مقتل أكثر من 30 مدنيا")).counts.killed
    assert killed == Bound(31, None, more=True)
    assert killed.estimate() == 30


def test_the_sentence_of_a_trigger_tells_its_day_and_its_dead():
    text = "قال ناشطون أمس شيئا آخر. وأدى قصف مدفعي فجر الخميس على القرية لمقتل ثلاثة مدنيين. ونفى الجيش."
    read = add_facts(text, Reading((incident(text, "قصف مدفعي"),)), DAY, tables=TABLES).incidents[0]
    assert (read.date, read.killed) == ("2023-05-11", 3)
    assert read.facts["date"]["source"] == read.facts["counts"]["killed"]["source"] == "sentence"
    assert read.facts["date"]["span"]["text"] == "فجر الخميس"
    assert read.facts["counts"]["killed"]["span"]["text"] == "لمقتل ثلاثة مدنيين"


def test_what_a_participant_tells_has_no_source_mark():
    text = "قصف مدفعي فجر الخميس أدى لمقتل ثلاثة مدنيين"
    read = incident_facts(text, incident(text, "قصف مدفعي", ("time", "فجر الخميس"), ("casualties", "لمقتل ثلاثة مدنيين")), DAY).to_dict()
    assert "source" not in read["date"]
    assert "source" not in read["counts"]["killed"]


@pytest.mark.parametrize(
    "text",
    [
        "قال الجيش الخميس إن قصف مدفعي وقع في القرية",  # the day of the words
        "قصف مدفعي الأربعاء ثم آخر الخميس على القرية",  # two days
        "قصف مدفعي في الأيام الماضية على القرية",  # no day
    ],
)
def test_a_day_that_is_not_certain_is_not_taken(text):
    assert incident_facts(text, incident(text, "قصف مدفعي"), DAY).when is None


def test_a_day_far_from_the_trigger_is_not_taken():
    text = f"قصف مدفعي على القرية {'وعلى بلدة أخرى ' * 6}يوم الخميس"
    assert incident_facts(text, incident(text, "قصف مدفعي"), DAY).when is None


def test_a_time_participant_that_tells_no_day_is_not_replaced():
    text = "قصف مدفعي لاحقا على القرية يوم الخميس"
    assert incident_facts(text, incident(text, "قصف مدفعي", ("time", "لاحقا")), DAY).when is None


def test_casualties_of_another_incident_are_not_taken():
    text = "قصف مدفعي على القرية وهجوم أدى لمقتل ثلاثة مدنيين"
    mine, other = incident(text, "قصف مدفعي"), incident(text, "هجوم", ("casualties", "لمقتل ثلاثة مدنيين"))
    read = add_facts(text, Reading((mine, other)), None, tables=TABLES)
    assert [each.killed for each in read.incidents] == [None, 3]


@pytest.mark.parametrize("kind", ["protest", "agreement"])
def test_types_that_hurt_nobody_take_nothing_from_their_sentence(kind):
    text = "خرجت مظاهرة بعد مقتل ثلاثة مدنيين"
    assert add_facts(text, Reading((incident(text, "مظاهرة", kind=kind),)), None, tables=TABLES).incidents[0].killed is None


def test_casualties_phrases_of_a_sentence():
    text = "أدى القصف إلى مقتل طفلين وإصابة امرأة، بحسب مصدر. وسقط 12 شهيدا"
    assert [found.text for found in casualties_in(text, 0, len(text))] == ["مقتل طفلين وإصابة امرأة،", "12 شهيدا"]
    assert [found.text for found in casualties_in("أدى إلى إص ابة نحو 40 مدنيا", 0, 27)] == ["إص ابة نحو 40 مدنيا"]
    assert list(casualties_in("عائلة الشهيد في المخيم", 0, 22)) == []


def test_time_phrases_that_name_a_day():
    text = "في قناة اليوم: وقع القصف مساء أمس، ثم في 12 أيار وقبل شهر"
    assert [found.text for found in times_in(text, 0, len(text))] == ["مساء أمس", "12 أيار"]


def test_a_sentence_ends_at_a_full_stop_or_a_line():
    text = "قصف على 3.5 كيلومتر. ثم قصف\nوقتل"
    assert [text[slice(*sentence_around(text, at))] for at in (0, 24, 30)] == ["قصف على 3.5 كيلومتر", " ثم قصف", "وقتل"]


def test_who_speaks_before_a_day():
    assert speaks("وقالت الوزارة ")
    assert not speaks("وقع القصف ")
