"""Gold spans to words of a window: what becomes a target of training, and what is lost by which cause."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from waqia.model.align import IGNORE, Filler, Reach, count, targets
from waqia.model.windows import Window, WordRange
from waqia.schema import Incident, Participant, Record, Span

WORDS = 40
TEXT = " ".join(["كلم"] * WORDS)  # word n stands at 4 n up to 4 n + 3


def window(first=0, last=WORDS, owned=None):
    """Words first up to last of the text as a window; it owns all of them, or those of its own that it is told."""
    words = np.array([[4 * n, 4 * n + 3] for n in range(first, last)])
    places = np.arange(1, 1 + last - first)
    return Window(places, places, places + 1, words, WordRange(*(owned or (0, last - first))))


def span(first, last=None):
    start, end = 4 * first, 4 * (first if last is None else last) + 3
    return Span(start, end, TEXT[start:end])


def person(first, last=None, role="target", sector="COP", mentions=()):
    one = span(first, last)
    return Participant(one.start, one.end, one.text, role, sector, None, tuple(mentions))


def incident(trigger, *participants, type_="shelling", status="actual", mentions=None):
    return Incident(type_, status, trigger, participants, None, mentions)


def aligned(labels, *incidents, place=None):
    lost = Counter()
    return targets(Record("a", TEXT, incidents), place or window(), labels, lost), dict(lost)


def test_a_trigger_becomes_words_with_its_type_and_status(labels):
    found, lost = aligned(labels, incident(span(3, 4), type_="protest", status="alleged"), place=window(2, 10))
    (one,) = found
    assert (one.incident, one.main, one.span, one.words) == (0, True, span(3, 4), WordRange(1, 3))
    assert (one.type, one.status) == (list(labels.incident_types).index("protest"), list(labels.statuses).index("alleged"))
    assert (one.participants, lost) == ((), {})


def test_participants_become_words_with_their_role_and_sector(labels):
    people = [person(5, 7, "initiator", "MIL"), person(9, None, "place", None), person(30)]
    ((one,), lost) = aligned(labels, incident(span(3), *people), place=window(2, 12))
    roles, sectors = list(labels.roles), list(labels.sectors)
    assert one.participants == (
        Filler(roles.index("initiator"), WordRange(3, 6), sectors.index("MIL")),
        Filler(roles.index("place"), WordRange(7, 8), IGNORE),
    )
    assert lost == {"participant outside the window or not at word bounds": 1}
    assert IGNORE == -100


def test_a_participant_outside_the_window_is_found_by_the_first_mention_inside(labels):
    elsewhere = person(30, mentions=[span(31), span(6), span(7)])
    ((one,), lost) = aligned(labels, incident(span(3), elsewhere), place=window(0, 10))
    assert [filler.words for filler in one.participants] == [WordRange(6, 7)]
    assert lost == {}


@pytest.mark.parametrize(("last", "found"), [(6, 1), (7, 0)])
def test_a_trigger_has_four_words_at_most(labels, last, found):
    said, lost = aligned(labels, incident(span(3, last), person(9), person(10)))
    assert len(said) == found
    assert lost == ({} if found else {"incident, trigger longer than 4 words": 1, "participant of a lost incident": 2})


@pytest.mark.parametrize(("last", "found"), [(33, 1), (34, 0)])
def test_a_participant_of_training_has_24_words_at_most(labels, last, found):
    ((one,), lost) = aligned(labels, incident(span(3), person(10, last)))
    assert len(one.participants) == found
    assert lost == ({} if found else {"participant longer than 24 words": 1})


def test_of_participants_of_a_role_that_overlap_the_first_is_kept(labels):
    people = [person(5, 6), person(6, 7), person(6, 7, "initiator"), person(7), person(4)]
    ((one,), lost) = aligned(labels, incident(span(3), *people))
    roles = list(labels.roles)
    assert [(roles[filler.role], filler.words) for filler in one.participants] == [
        ("target", WordRange(5, 7)),
        ("initiator", WordRange(6, 8)),
        ("target", WordRange(7, 8)),
        ("target", WordRange(4, 5)),
    ]
    assert lost == {"participant overlapping another of its role": 1}


def test_a_trigger_outside_the_window_or_inside_a_word_is_lost_by_its_cause(labels):
    inside = Span(13, 15, TEXT[13:15])
    found, lost = aligned(labels, incident(span(20), person(3)), incident(inside), place=window(0, 10))
    assert found == []
    assert lost == {"incident, trigger cut by the window or not at word bounds": 2, "participant of a lost incident": 1}


def test_words_belong_to_the_first_trigger_that_takes_them(labels):
    found, lost = aligned(labels, incident(span(5, 6)), incident(span(6, 7), person(9)), incident(span(7)))
    assert [one.words for one in found] == [WordRange(5, 7), WordRange(7, 8)]
    assert [one.incident for one in found] == [0, 2]
    assert lost == {"incident, its words are another trigger's": 1, "participant of a lost incident": 1}


def test_other_mentions_take_what_the_triggers_leave_and_are_never_lost(labels):
    first = incident(span(8), person(30), mentions=(span(2), span(9), span(1, 2), span(20, 24), span(39)))
    second = incident(span(9), mentions=(span(4), span(2)))
    found, lost = aligned(labels, first, second, place=window(0, 38))
    assert [(one.incident, one.main, one.words) for one in found] == [
        (0, False, WordRange(2, 3)),
        (1, False, WordRange(4, 5)),
        (0, True, WordRange(8, 9)),
        (1, True, WordRange(9, 10)),
    ]
    assert lost == {}
    assert [len(one.participants) for one in found] == [1, 0, 1, 0]


def test_what_a_mention_cannot_hold_is_counted_with_the_trigger_alone(labels):
    one = incident(span(8), person(30), mentions=(span(2),))
    found, lost = aligned(labels, one, place=window(0, 20))
    assert len(found) == 2
    assert lost == {"participant outside the window or not at word bounds": 1}


def test_every_incident_is_counted_once_in_the_window_that_owns_its_trigger(labels):
    windows = [window(0, 12, (0, 10)), window(8, 20, (2, 12))]  # words 0 to 9, and 10 to 19
    incidents = (
        incident(span(9), person(2), person(15), mentions=(span(5),)),
        incident(span(10), person(15)),
        incident(span(30), person(31), person(32)),
    )
    reach = Reach()
    count(Record("a", TEXT, incidents), windows, labels, reach)
    assert reach.reached == {"incidents": 2, "participants": 2}
    assert reach.lost == {
        "participant outside the window or not at word bounds": 1,
        "incident, outside every window": 1,
        "participant of a lost incident": 2,
    }
    assert reach.to_dict() == {
        "incidents": {"reached": 2, "lost": 1, "share_lost": 1 / 3},
        "participants": {"reached": 2, "lost": 3, "share_lost": 3 / 5},
        "causes": dict(reach.lost),
    }
    assert reach.lines() == [
        "2 incidents",
        "2 participants",
        "1 lost: incident, outside every window",
        "2 lost: participant of a lost incident",
        "1 lost: participant outside the window or not at word bounds",
    ]


def test_a_share_of_nothing_is_none():
    assert Reach(Counter(incidents=0)).to_dict() == {"incidents": {"reached": 0, "lost": 0, "share_lost": None}, "causes": {}}
