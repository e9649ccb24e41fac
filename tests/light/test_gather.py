from __future__ import annotations

from dataclasses import replace

import pytest

from waqia.model.calibration import Calibration
from waqia.model.gather import told_once
from waqia.schema import Participant


def participant(start, text, score=0.4, role="target", sector=None):
    return Participant(start, start + len(text), text, role, sector, score)


@pytest.fixture
def plain(labels):
    return Calibration.plain(labels)


def once(plain, *participants):
    return [(p.start, p.score, [span.start for span in p.mentions]) for p in told_once(participants, ["initiator", "target"], plain)]


def test_of_participants_that_overlap_in_a_role_the_most_probable_stays(plain):
    assert once(plain, participant(0, "مدينة حلب", 0.6), participant(6, "حلب", 0.9)) == [(6, 0.9, [])]
    assert once(plain, participant(0, "حلب", 0.6), participant(3, "حمص", 0.9)) == [(3, 0.9, []), (0, 0.6, [])]  # they only touch


def test_participants_named_side_by_side_are_several(plain):
    # «مدني» ends at 4: the next begins 20 code points on, or 21
    assert plain.side_by_side == 20
    assert once(plain, participant(0, "مدني", 0.9), participant(24, "طفل", 0.4)) == [(0, 0.9, []), (24, 0.4, [])]
    assert once(plain, participant(0, "مدني", 0.9), participant(25, "طفل", 0.4)) == [(0, 0.9, [25])]


def test_a_long_list_is_one_list_however_far_its_ends_lie_apart(plain):
    assert [p[0] for p in once(plain, *(participant(15 * n, "مدني" + str(n), 0.4 - n / 20) for n in range(5)))] == [0, 15, 30, 45, 60]


def test_how_far_apart_and_how_sure_is_what_the_calibration_says(plain):
    listed, elsewhere = (
        (participant(0, "مدني", 0.9), participant(14, "طفل", 0.4)),
        (participant(0, "النظام", 0.6), participant(100, "الجيش", 0.9)),
    )
    assert once(replace(plain, side_by_side=10), *listed) == [(0, 0.9, []), (14, 0.4, [])]
    assert once(replace(plain, side_by_side=9), *listed) == [(0, 0.9, [14])]
    assert once(replace(plain, apart_threshold=0.6), *elsewhere) == [(100, 0.9, []), (0, 0.6, [])]
    assert once(replace(plain, apart_threshold=0.61), *elsewhere) == [(100, 0.9, [0])]


def test_what_an_actor_role_names_elsewhere_is_the_same_again_unless_it_is_sure(plain):
    assert plain.apart_threshold == 0.5
    assert once(plain, participant(0, "قوات النظام", 0.49), participant(100, "الجيش", 0.9)) == [(100, 0.9, [0])]
    assert once(plain, participant(0, "قوات النظام", 0.5), participant(100, "الجيش", 0.9)) == [(100, 0.9, []), (0, 0.5, [])]


def test_what_reads_the_same_elsewhere_is_the_same_however_sure(plain):
    assert once(plain, participant(0, "الجيش", 0.8), participant(100, "الجيش", 0.9)) == [(100, 0.9, [0])]


def test_told_again_it_is_the_one_that_reads_the_same_else_shares_a_word_else_one_of_its_sector_else_the_most_probable(plain):
    pair = participant(0, "مدني", 0.8, sector="CVL"), participant(10, "جندي", 0.9, sector="MIL")
    assert once(plain, *pair, participant(100, "مدني", sector="MIL")) == [(10, 0.9, []), (0, 0.8, [100])]
    assert once(plain, *pair, participant(100, "المدني القتيل", sector="MIL")) == [(10, 0.9, []), (0, 0.8, [100])]
    assert once(plain, *pair, participant(100, "طفل", sector="CVL")) == [(10, 0.9, []), (0, 0.8, [100])]
    assert once(plain, *pair, participant(100, "رجل", sector="GOV")) == [(10, 0.9, [100]), (0, 0.8, [])]


def test_of_a_role_that_is_no_actor_only_what_shares_a_word_is_the_same_again(plain):
    said = participant(0, "شهود عيان", 0.9, "reporter"), participant(100, "الناطق باسم الجيش", 0.4, "reporter")
    assert once(plain, *said) == [(0, 0.9, []), (100, 0.4, [])]
    assert once(plain, *said, participant(200, "والشهود", 0.3, "reporter")) == [(0, 0.9, [200]), (100, 0.4, [])]
    assert once(plain, *said, participant(200, "والشهود", 0.6, "reporter")) == [(0, 0.9, []), (200, 0.6, []), (100, 0.4, [])]
    assert once(plain, *said, participant(104, "طق باسم", 0.3, "reporter")) == [(0, 0.9, []), (100, 0.4, [])]  # it overlaps


def test_a_participant_that_reads_the_same_side_by_side_is_a_further_mention(plain):
    assert once(plain, participant(0, "حلب", 0.6), participant(20, "حلب", 0.9), participant(40, "حلب", 0.5)) == [(20, 0.9, [0, 40])]
    assert once(plain, participant(0, "حلب", 0.9), participant(20, "حلب", 0.9)) == [(0, 0.9, [20])]  # of equals the first


def test_a_span_that_overlaps_a_mention_already_told_is_dropped(plain):
    assert once(plain, participant(0, "حلب", 0.9), participant(90, "حلب", 0.8), participant(90, "حلب", 0.7)) == [(0, 0.9, [90])]


def test_the_same_words_in_another_role_are_another_participant(plain):
    assert once(plain, participant(0, "حلب", 0.9), participant(0, "حلب", 0.8, "place")) == [(0, 0.9, []), (0, 0.8, [])]


def test_no_participant_is_none(plain):
    assert told_once([], ["target"], plain) == []
