from __future__ import annotations

import numpy as np
import pytest

from waqia.model.calibration import Calibration
from waqia.model.decode import borne_out, pick_participants, pick_triggers, told_once
from waqia.schema import Incident, Participant, Span


def triggers(begins: dict[int, tuple[int, float]], inside: set[int] = frozenset(), owned=(0, 8), threshold=0.5, temperature=1.0):
    """Triggers decoded from 8 words and 3 types, with a logit for a type at some words and words that go on a trigger."""
    logits = np.zeros((8, 4), np.float32)
    logits[:, 0] = 4
    for word, (type_, logit) in begins.items():
        logits[word, 1 + type_] = logit
    inside_logits = np.array([1.0 if word in inside else -1.0 for word in range(8)], np.float32)
    return pick_triggers(logits, inside_logits, owned, np.full(3, threshold, np.float32), temperature)


def test_a_trigger_begins_where_its_type_is_likely_and_goes_on_inside():
    assert [row[:3] for row in triggers({2: (1, 9.0)}, inside={3, 4})] == [(2, 4, 1)]


def test_words_inside_without_a_beginning_are_no_trigger():
    assert triggers({}, inside={1, 2, 3}) == []


def test_a_more_likely_trigger_takes_the_words_of_a_less_likely_one():
    assert [row[:3] for row in triggers({2: (0, 9.0), 3: (1, 6.0)}, inside={3})] == [(2, 3, 0)]


def test_a_window_reports_only_the_triggers_that_it_owns():
    assert [row[0] for row in triggers({1: (0, 9.0), 6: (0, 9.0)}, owned=(0, 4))] == [1]


def test_a_threshold_holds_for_its_own_type():
    assert triggers({2: (0, 4.5)}, threshold=0.9) == []
    assert len(triggers({2: (0, 4.5)}, threshold=0.5)) == 1


def test_a_temperature_softens_the_score_but_not_the_choice():
    (sharp,), (soft,) = triggers({2: (0, 9.0)}), triggers({2: (0, 9.0)}, temperature=2.0)
    assert sharp[:3] == soft[:3]
    assert sharp[3] > soft[3]


def roles(spans: dict[tuple[int, int, int], float], threshold=0.5):
    logits = np.full((6, 6, 2), -9, np.float32)
    for (first, last, role), logit in spans.items():
        logits[first, last, role] = logit
    return pick_participants(logits, np.full(2, threshold, np.float32), 1.0)


def test_of_overlapping_spans_of_a_role_the_likeliest_is_kept():
    assert [row[:3] for row in roles({(1, 3, 0): 3.0, (2, 4, 0): 2.0})] == [(0, 1, 3)]


def test_spans_of_two_roles_may_overlap():
    assert sorted(row[:3] for row in roles({(1, 3, 0): 3.0, (2, 3, 1): 2.0})) == [(0, 1, 3), (1, 2, 3)]


def test_a_span_never_ends_before_it_begins():
    assert roles({(4, 2, 0): 9.0}) == []


def test_a_span_that_runs_on_for_too_long_is_never_picked():
    logits = np.full((40, 40, 1), -9, np.float32)
    logits[2, 35, 0] = 9
    logits[3, 6, 0] = 3
    assert [row[:3] for row in pick_participants(logits, np.full(1, 0.5, np.float32), 1.0)] == [(0, 3, 6)]


def test_calibration_survives_json_and_refuses_unknown_keys(labels):
    calibration = Calibration.plain(labels)
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    with pytest.raises(TypeError):
        Calibration.from_dict({**calibration.to_dict(), "mood": 1})


def incident(type_, start, score, **actors):
    """An incident with its trigger at `start`, and the first place of each actor, five letters long."""
    participants = tuple(Participant(place, place + 5, "جيش ما", role, "MIL", 0.9) for role, place in actors.items())
    return Incident(type_, "actual", Span(start, start + 4, "هجوم"), participants, score)


def test_an_act_told_again_is_reported_once_at_its_likeliest_mention():
    title, body = incident("armed_attack", 0, 0.6, target=30), incident("armed_attack", 50, 0.8, target=32)
    assert told_once([title, body], 0.9) == [body]
    assert told_once([title, body], 0.5) == [body, title]


@pytest.mark.parametrize(
    "other",
    [
        incident("arrest", 50, 0.6, target=30),  # another type
        incident("armed_attack", 50, 0.6, target=35),  # another target
        incident("armed_attack", 50, 0.6, initiator=30),  # the target of the one is the initiator of the other
        incident("armed_attack", 50, 0.6),
    ],
)
def test_acts_that_differ_are_both_reported(other):
    first = incident("armed_attack", 0, 0.8, target=30)
    assert told_once([other, first], 0.9) == [first, other]


def test_of_two_equally_likely_mentions_the_first_in_the_text_is_reported_in_whatever_order_they_came():
    title, body = incident("armed_attack", 0, 0.6, target=30), incident("armed_attack", 50, 0.6, target=30)
    assert told_once([title, body], 0.9) == told_once([body, title], 0.9) == [title]


def test_a_plain_calibration_leaves_every_mention(labels):
    mentions = [incident("armed_attack", 0, 0.6, target=30), incident("armed_attack", 50, 0.8, target=30)]
    assert len(told_once(mentions, Calibration.plain(labels).told_again)) == 2


def test_a_text_that_is_unlikely_to_report_any_type_found_reports_nothing():
    found = [incident("armed_attack", 0, 0.6), incident("arrest", 50, 0.9)]
    types = {"armed_attack": 0.4, "arrest": 0.1, "protest": 0.9}
    assert borne_out(found, types, 0.4) == found
    assert borne_out(found, types, 0.41) == ()
    assert borne_out(found[1:], types, 0.4) == ()


def test_without_a_least_probability_of_the_text_every_incident_stays():
    found = [incident("arrest", 50, 0.9)]
    assert borne_out(found, {"arrest": 0.0}, 0.0) == found
    assert borne_out([], {}, 0.0) == []
