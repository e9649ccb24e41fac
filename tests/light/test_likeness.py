"""Pairs of incidents: what they share, by hand, and what it comes to."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

import pytest

from waqia.bulk.clues import Clue, Passage, Tables, from_plain, passages_of, stem, text_clue, to_plain, words_of
from waqia.bulk.likeness import NAMES, Bag, Weights, features, score, weigh
from waqia.bulk.link import Linker
from waqia.frame import packaged_labels
from waqia.schema import Incident, Span

A = Clue("a", 0, "shelling", "armed", "2021-08-08", "2021-08-07", "2021-08-07", "Qastun", "قسطون", (35.70, 36.37), ("sy_army",), 4, 5)
A = replace(A, words=("قصف", "قسطون", "اطفال"), days=("08-07",), weekdays=(5,))
BAG = Bag.of({"قصف": 1.0, "قسطون": 6.0, "اطفال": 2.0})


def test_two_texts_of_one_strike_share_day_place_counts_and_the_rarest_words() -> None:
    other = replace(A, row="b", published="2021-08-09", words=("قصف", "قسطون", "مدفعيه"))
    found, words = features(A, BAG, other, 37.0)  # 1 + 36 and a word of rarity 0
    assert words == ["قسطون", "قصف"]
    assert found == {
        "base": 1.0,
        "rarest": 6.0,
        "three": 7.0,
        "eight": 7.0,
        "alike": sqrt(37 / sqrt(41 * 37)),
        "length": 2 * log(4),
        "published_1": 1.0,
        "same_day": 1.0,
        "same_date_named": 1.0,
        "same_weekday": 1.0,
        "same_type": 1.0,
        "same_place": 1.0,
        "same_actor": 1.0,
        "same_killed": 1.0,
        "same_injured": 1.0,
    }


def test_what_contradicts_is_named() -> None:
    other = Clue(
        "b", 0, "air_strike", "armed", "2021-08-14", "2021-08-14", "2021-08-14", "Aleppo", "حلب", (36.2, 37.16), ("ru_army",), 3, 2
    )
    found, words = features(A, BAG, replace(other, words=("قسطون",), days=("08-14",), weekdays=(2,)), 1.0)
    assert words == ["قسطون"]
    assert set(found) - {"base", "length", "rarest", "three", "eight", "alike"} == {
        "published_7",
        "other_day",
        "other_date_named",
        "other_weekday",
        "other_actors",
        "other_killed",
        "other_injured",
    }  # 90 km: neither near nor far


@pytest.mark.parametrize(("latitude", "name"), [(35.705, "same_place"), (35.90, "near_place"), (36.40, None), (36.80, "far_place")])
def test_places_are_the_same_within_a_kilometre_near_within_25_and_far_beyond_100(latitude: float, name: str | None) -> None:
    found, _ = features(A, BAG, replace(A, row="b", said="قسطون القديمه", at=(latitude, 36.37)), 37.0)
    assert {each for each in found if each.endswith("_place")} == ({name} if name else set())


@pytest.mark.parametrize(
    ("published", "name"),
    [("2021-08-09", "published_1"), ("2021-08-11", "published_3"), ("2021-08-15", "published_7"), ("2021-08-16", "published_far")],
)
def test_the_days_between_two_texts_are_one_three_seven_or_more(published: str, name: str) -> None:
    found, _ = features(A, BAG, replace(A, row="b", published=published), 37.0)
    assert [each for each in found if each.startswith("published")] == [name]


def test_families_of_types_and_a_month_between_texts_exclude_each_other() -> None:
    assert features(A, BAG, replace(A, row="b", family="unrest"), 37.0) == ({}, [])
    later = replace(A, row="b", published="2021-09-08", start=None, end=None)
    assert features(A, BAG, later, 37.0) == ({}, [])
    assert features(A, BAG, replace(later, start="2021-08-07", end="2021-08-07"), 37.0)[0]["published_far"] == 1.0


def test_a_day_alone_proves_nothing_a_place_or_a_word_of_one_text_in_ninety_is_needed() -> None:
    unplaced = replace(A, row="b", said=None, at=None, words=("قصف",))
    for rarity, compared in ((4.49, False), (4.5, True)):
        assert bool(features(A, Bag.of({"قصف": rarity}), unplaced, 1.0)[0]) is compared
    assert features(A, Bag.of({"قصف": 1.0}), replace(unplaced, said="قسطون"), 1.0)[0]["same_place"] == 1.0


def test_many_incidents_of_a_day_count_against_a_pair_of_that_day_alone() -> None:
    other = replace(A, row="b")
    assert "crowd" not in features(A, BAG, other, 37.0, 10)[0]
    assert features(A, BAG, other, 37.0, 100)[0]["crowd"] == log(10)
    assert "crowd" not in features(A, BAG, replace(other, published="2021-08-11", start="2021-08-10", end="2021-08-10"), 37.0, 100)[0]
    assert Weights().crowd == -1.0


def test_a_text_without_an_incident_has_no_family_and_is_compared_by_its_words() -> None:
    found, _ = features(Clue("t", words=("قسطون",)), Bag.of({"قسطون": 6.0}), A, 41.0)
    assert set(found) == {"base", "rarest", "three", "eight", "alike", "length"}


def test_the_score_is_the_sum_of_shares_and_words_stand_as_one() -> None:
    weights = Weights(**{**dict.fromkeys(NAMES, 0.0), "base": -4.0, "rarest": 0.5, "three": 0.25, "same_day": 1.0, "threshold": 0.0})
    found = {"base": 1.0, "rarest": 6.0, "three": 8.0, "same_day": 1.0}
    assert score(found, weights) == 2.0
    assert weigh(found, ["قسطون", "قصف"], weights) == {"words «قسطون»، «قصف»": 5.0, "base": -4.0, "same day": 1.0}
    assert weigh({"base": 1.0, "length": 3.0}, [], weights) == {"no word in common": 0.0, "base": -4.0}


def test_rarity_counts_texts_seen_and_our_own_passages() -> None:
    linker = Linker(Tables(packaged_labels(), None, {"قصف": 9}, 98))  # type: ignore[arg-type]  # facts are not asked
    linker.index.count({"قصف", "قسطون"})
    assert linker.rarity("قصف") == pytest.approx(log(100 / 10.5))
    assert linker.rarity("قسطون") == pytest.approx(log(100 / 1.5))
    assert linker.rarity("غيرها") == pytest.approx(log(100 / 0.5))


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("والقصف", "قصف"),
        ("للتحالف", "تحالف"),
        ("بالمدينه", "مدينه"),
        ("كالقصف", "قصف"),
        ("بحلب", "بحلب"),
        ("بمنبج", "منبج"),
        ("وفد", "وفد"),
    ],
)
def test_attached_letters_and_the_article_are_cut_from_words(word: str, stemmed: str) -> None:
    assert stem(word) == stemmed


def test_words_are_told_once_and_single_letters_not() -> None:
    assert words_of("قصفٌ في #حلب، والقصف ٣ في الحي") == ["قصف", "في", "حلب", "حي"]


def test_days_without_a_year_and_week_days_are_read_from_the_passages() -> None:
    clue, passages = text_clue({"id": 7, "text": "قُتل مدني يوم الثلاثاء 2 تشرين الثاني، وآخر في ٢٨ من شباط", "date": ""})
    assert (clue.row, clue.number, clue.published) == ("7", None, None)
    assert (clue.days, clue.weekdays) == (("02-28", "11-02"), (1,))
    assert from_plain(to_plain(clue), [passage.to_dict() for passage in passages]) == clue


def test_a_short_text_is_one_passage_and_of_a_long_one_the_sentences_about_the_incident_are_kept() -> None:
    assert passages_of("قصف على حلب.", _at(0, "قصف")) == [Passage(0, "قصف على حلب.")]
    filler = "جملة لا صلة لها بشيء. " * 100  # 22 characters each
    text = "عنوان النشرة. " + filler + "وقع قصف هنا. " + filler
    start = text.index("قصف")
    first, second = passages_of(text, _at(start, "قصف"))
    assert (first.start, first.text) == (0, "عنوان النشرة. ")
    assert second == Passage(14 + 22 * 99, "جملة لا صلة لها بشيء. وقع قصف هنا. جملة لا صلة لها بشيء. ")
    assert text[second.start :].startswith(second.text)


def _at(start: int, trigger: str) -> Incident:
    return Incident("shelling", "actual", Span(start, start + len(trigger), trigger))


def test_the_fitted_weights_are_these() -> None:
    shipped = Weights()
    assert (shipped.base, shipped.rarest, shipped.three, shipped.length, shipped.threshold) == (-3.31, 0.38, 0.44, -0.88, -2.0)
    assert (shipped.same_place, shipped.far_place, shipped.published_1, shipped.same_day, shipped.other_weekday) == (
        2.23,
        -1.43,
        1.0,
        1.14,
        -2.12,
    )
    found = {"base": 1.0, "rarest": 6.0, "three": 15.0, "eight": 30.0, "alike": 0.5, "length": 8.0, "same_place": 1.0}
    assert score(found, shipped) == pytest.approx(1.025)  # -3.31 + 2.28 + 6.6 - 0.3 + 0.565 - 7.04 + 2.23
