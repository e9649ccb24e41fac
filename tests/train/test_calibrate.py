"""Calibration against cases worked out by hand: temperatures, thresholds, what is left out, what is judged."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train import calibrate
from train.calibrate import Fit, best_f1, thresholds
from train.config import CalibrationSettings, FinetuneConfig, Tried, load_config
from waqia.model.calibration import Calibration
from waqia.model.merge import Mention
from waqia.model.windows import WordRange
from waqia.schema import Incident, Participant, Reading, Record, Span

TEXT = "قصف ثم قصف ثم قصف"


TRIED = Tried(
    mentions=(0.2, 0.3, 0.4, 0.5, 0.6),
    merging=(0.3, 0.4, 0.5, 0.6, 0.7),
    same_type=(1.0, 0.4, 0.3, 0.25, 0.2, 0.1),
    reports=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    apart=(0.5,),
)
SETTINGS = CalibrationSettings(tried=TRIED, reports_cost=0.002, shrink=40, side_by_side=20, around=48)


def a_run(labels, settings=SETTINGS, **more):
    return SimpleNamespace(labels=labels, config=SimpleNamespace(calibration=settings), **more)


def test_what_calibration_goes_by_is_pinned_and_the_same_in_every_shipped_configuration(root):
    assert calibrate.LEAST == 0.05
    found = [load_config(FinetuneConfig, p) for p in (root / "configs").rglob("*.yaml") if "\ncalibration:" in p.read_text("utf-8")]
    assert len(found) == 9
    assert all(config.calibration == SETTINGS for config in found)


def test_a_temperature_brings_a_logit_of_2_that_is_right_three_times_of_four_to_three_quarters():
    # sigmoid(2 / T) = 3/4 where 2 / T = ln 3
    found = calibrate._temperature("role_temperature", torch.full((4,), 2.0), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert found == pytest.approx(2 / np.log(3), abs=1e-2)


def test_a_temperature_of_triggers_is_fitted_over_all_their_types_at_once():
    # e^(2/T) / (e^(2/T) + 2) = 3/4 where 2 / T = ln 6
    logits, targets = torch.tensor([[2.0, 0.0, 0.0]] * 8), torch.tensor([0, 0, 0, 0, 0, 0, 1, 2])
    assert calibrate._temperature("trigger_temperature", logits, targets) == pytest.approx(2 / np.log(6), abs=1e-2)


@pytest.mark.parametrize(("right", "bound"), [(1.0, -1.5), (0.0, 1.5)])
def test_a_temperature_stays_within_its_bounds(right, bound):
    found = calibrate._temperature("role_temperature", torch.full((4,), 2.0), torch.full((4,), right))
    assert found == pytest.approx(np.exp(bound), rel=1e-3)


def test_a_fit_tells_how_wrong_probabilities_were_before_and_after():
    fit = calibrate._fit("role_temperature", torch.full((4,), 2.0), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    said = 1 / (1 + np.exp(-2))
    assert fit.decisions == 4
    assert fit.ece == pytest.approx((said - 0.75, 0.0), abs=5e-4)
    assert fit.brier == pytest.approx((0.75 * (1 - said) ** 2 + 0.25 * said**2, 0.1875), abs=1e-4)


def test_a_fit_is_judged_over_the_decisions_that_were_probable_at_all():
    # two types beside «none»: e^0 / (e^2 + 2) = 0.107 each of them, e^0 / (e^4 + 2) = 0.018 where the logit is 4
    targets = torch.tensor([0, 0, 0, 1])
    assert calibrate._fit("trigger_temperature", torch.tensor([[2.0, 0.0, 0.0]] * 4), targets).decisions == 8
    unlikely = calibrate._fit("trigger_temperature", torch.tensor([[4.0, 0.0, 0.0]] * 4), targets)
    assert (unlikely.decisions, unlikely.ece, unlikely.brier) == (0, (0.0, 0.0), (0.0, 0.0))


@pytest.mark.parametrize(
    ("gold", "items", "threshold"),
    [
        (2, [(0.9, True), (0.7, True), (0.4, False), (0.3, False)], 0.55),  # F1 2/3, 1, 4/5, 2/3: half-way from 0.7 to 0.4
        (2, [(0.3, False), (0.4, False), (0.7, True), (0.9, True)], 0.55),  # in whatever order
        (2, [(0.9, True), (0.7, True)], 0.375),  # nothing below: half-way from 0.7 to LEAST
        (2, [(0.9, False), (0.7, True), (0.5, True)], 0.275),  # F1 0, 2/4, 4/5
        (3, [(0.9, True), (0.8, False), (0.7, True), (0.6, False), (0.5, False), (0.4, True)], 0.65),  # 4/6 = 6/9: the higher one
        (0, [(0.9, False)], 0.5),
        (2, [], 0.5),
    ],
)
def test_a_threshold_lies_half_way_below_the_last_item_that_the_best_f1_keeps(gold, items, threshold):
    assert calibrate._best(gold, items) == pytest.approx(threshold)


def test_rare_labels_lean_on_the_threshold_of_all_labels_together():
    found = {
        "a": (40, [(0.9, True), (0.8, False)]),  # own threshold 0.85
        "b": (10, [(0.6, True), (0.55, False)]),  # 0.575
        "c": (10, [(0.5, True)]),  # 0.275
        "d": (0, [(0.7, False)]),  # none of its own
        "e": (5, []),
    }
    # All together, 65 gold: 2/66, 2/67, 2/68, 4/69, 4/70, 6/71: half-way from 0.5 to LEAST, 0.275.
    assert thresholds(["a", "b", "c", "d", "e", "f"], found, 40) == {
        "a": 0.5625,  # 40 gold items: half its own, half of all
        "b": 0.335,  # 10: a fifth its own
        "c": 0.275,
        "d": 0.275,
        "e": 0.275,
        "f": 0.275,
    }


def test_the_best_f1_is_that_of_any_threshold():
    assert best_f1(3, [(0.9, True), (0.8, False), (0.7, True), (0.6, False)]) == pytest.approx(4 / 6)
    assert best_f1(3, [(0.6, False), (0.7, True), (0.8, False), (0.9, True)]) == pytest.approx(4 / 6)
    assert best_f1(3, []) == 0.0


def incident(type_, start, score=None, participants=()):
    return Incident(type_, "actual", Span(start, start + 3, "قصف"), tuple(participants), score)


def place(start, score=None):
    return Participant(start, start + 3, "قصف", "place", None, score)


def test_thresholds_leave_out_types_that_nobody_asked_for_and_roles_see_what_their_incidents_let_through(labels, monkeypatch):
    records = [
        Record("a", TEXT, (incident("shelling", 0, participants=[place(7)]),)),
        Record("b", TEXT, (), annotated=("shelling",)),
        Record("c", TEXT),
    ]
    found = [
        [incident("shelling", 0, 0.8, [place(7, 0.9)])],
        [incident("protest", 0, 0.7)],  # nobody asked
        [incident("shelling", 0, 0.3, [place(7, 0.5)])],
    ]
    fits = {"type_temperature": Fit(2.0, 1, (0.0, 0.0), (0.0, 0.0))}
    monkeypatch.setattr(calibrate, "temperatures", lambda *_: fits)
    monkeypatch.setattr(calibrate, "fit_merging", lambda run, records, calibration: calibration)
    monkeypatch.setattr(calibrate, "_read", lambda *_: found)
    monkeypatch.setattr(calibrate, "fit_reports", lambda *_: 0.1)
    result, told = calibrate.calibrate(a_run(labels), records)
    assert told == fits
    assert (result.type_temperature, result.trigger_temperature, result.reports) == (2.0, 1.0, 0.1)
    assert (result.apart_threshold, result.side_by_side, result.around) == (0.5, 20, 48)
    assert set(result.trigger_thresholds.values()) == {0.55}  # 0.8 right, 0.3 wrong
    assert set(result.role_thresholds.values()) == {0.475}  # 0.9 right, half-way to LEAST: the incident of 0.3 is not kept


def reports(labels, monkeypatch, records, readings, settings=SETTINGS):
    monkeypatch.setattr(calibrate, "read_texts", lambda texts, model: readings)
    return calibrate.fit_reports(a_run(labels, settings, reader=lambda _: None), records, Calibration.plain(labels))


@pytest.mark.parametrize(("count", "least"), [(300, 0.8), (200, 0.4)])
def test_the_least_probability_of_a_report_is_the_largest_that_costs_next_to_nothing(labels, monkeypatch, count, least):
    # At 0.5 one incident is lost: F1 is 598/599 of 300, 0.0017 less, and 398/399 of 200, 0.0025 less.
    records = [Record(str(n), TEXT, (incident("shelling", 0),)) for n in range(count)]
    readings = [Reading((incident("shelling", 0, 0.9),), {"shelling": 0.4 if n == 0 else 0.9}) for n in range(count)]
    assert reports(labels, monkeypatch, records, readings) == least


def test_what_a_report_may_cost_and_which_probabilities_are_tried_stand_in_the_configuration(labels, monkeypatch):
    records = [Record(str(n), TEXT, (incident("shelling", 0),)) for n in range(200)]
    readings = [Reading((incident("shelling", 0, 0.9),), {"shelling": 0.4 if n == 0 else 0.9}) for n in range(200)]
    assert reports(labels, monkeypatch, records, readings, SETTINGS.model_copy(update={"reports_cost": 0.003})) == 0.8
    fewer = SETTINGS.model_copy(update={"tried": TRIED.model_copy(update={"reports": (0.35, 0.45)})})
    assert reports(labels, monkeypatch, records, readings, fewer) == 0.35
    none = SETTINGS.model_copy(update={"tried": TRIED.model_copy(update={"reports": (0.95,)})})
    assert reports(labels, monkeypatch, records, readings, none) == 0.0


def apart(labels, monkeypatch, tried, read):
    monkeypatch.setattr(calibrate, "_read", read)
    settings = SETTINGS.model_copy(update={"tried": TRIED.model_copy(update={"apart": tried})})
    gold = Record("a", TEXT, (incident("shelling", 0, participants=[place(0), place(7)]),))
    unasked = Record("b", TEXT, (), annotated=("protest",))
    return calibrate.fit_apart(a_run(labels, settings), [gold, unasked], Calibration.plain(labels))


def test_an_actor_is_one_of_its_own_from_the_probability_tried_with_the_best_f1_of_participants(labels, monkeypatch):
    asked = []

    def read(run, records, calibration):
        asked.append(calibration.apart_threshold)
        at = {0.4: [0, 7, 14], 0.5: [0, 7], 0.6: [0], 0.7: [0, 7]}[asked[-1]]  # F1 4/5, 1, 2/3, 1
        unasked = [place(3 * n) for n in range(5)] if asked[-1] == 0.5 else []
        return [[incident("shelling", 0, 0.9, [place(n) for n in at])], [incident("arrest", 0, 0.9, unasked)]]

    assert apart(labels, monkeypatch, (0.4, 0.6, 0.5, 0.7), read) == 0.5  # of equals the first
    assert asked == [0.4, 0.6, 0.5, 0.7]


def test_one_probability_alone_is_kept_without_reading(labels, monkeypatch):
    assert apart(labels, monkeypatch, (0.65,), None) == 0.65


def test_a_text_reports_by_the_likeliest_type_of_what_is_found_in_it(labels, monkeypatch):
    gold = (incident("shelling", 0), incident("protest", 7))
    found = (incident("shelling", 0, 0.9), incident("protest", 7, 0.9))
    types = {"shelling": 0.1, "protest": 0.3, "arrest": 0.9}
    assert reports(labels, monkeypatch, [Record("a", TEXT, gold)], [Reading(found, types)]) == 0.3


def test_the_least_probability_of_a_report_is_judged_without_the_types_that_nobody_asked_for(labels, monkeypatch):
    # Losing the doubtful right one at 0.5 costs 0.2 of F1; the ten unasked ones lost with it would outweigh that.
    records = [Record("a", TEXT, (incident("shelling", 0),)), Record("b", TEXT, (incident("shelling", 0),))]
    records += [Record(str(n), TEXT, (), annotated=("shelling",)) for n in range(10)]
    readings = [Reading((incident("shelling", 0, 0.9),), {"shelling": chance}) for chance in (0.9, 0.4)]
    readings += [Reading((incident("protest", 0, 0.9),), {"protest": 0.4}) for _ in range(10)]
    assert reports(labels, monkeypatch, records, readings) == 0.4


def mention(start, score, types, count):
    chances = np.zeros(count, np.float32)
    for place_, chance in types.items():
        chances[place_] = chance
    return Mention(0, WordRange(0, 1), start, start + 3, "قصف", score, chances, np.zeros(1, np.float32))


def merging(labels, monkeypatch, records, mentions, same, settings=SETTINGS):
    """The thresholds of mentions and of merging that fit what the encoder is said to find."""

    def say(parts, texts, model):
        for part in parts:
            assert (part.windows, texts[part.text]) == ([f"windows of {part.text}"], records[part.text].text)
            part.mentions += mentions[part.text]

    asked = []
    monkeypatch.setattr(calibrate, "cut_texts", lambda texts, model: [[f"windows of {place}"] for place, _ in enumerate(texts)])
    monkeypatch.setattr(calibrate, "encode", say)
    monkeypatch.setattr(calibrate, "likenesses", lambda found, model: same)
    result = calibrate.fit_merging(a_run(labels, settings, reader=asked.append), records, Calibration.plain(labels))
    assert [one.mention_threshold for one in asked] == [min(settings.tried.mentions)]
    return result.mention_threshold, result.merge_threshold, result.same_type_threshold


def test_merging_is_fitted_with_the_mentions_that_are_kept(labels, monkeypatch):
    names = list(labels.incident_types)
    shelling = names.index("shelling")
    gold = (incident("shelling", 0), incident("shelling", 14))
    # The doubtful mention between two happenings makes them one, their mean likeness being 0.725, unless it is not kept.
    found = [
        mention(0, 0.9, {shelling: 1}, len(names)),
        mention(7, 0.25, {shelling: 1}, len(names)),
        mention(14, 0.9, {shelling: 1}, len(names)),
    ]
    same = {(0, 1): 1.0, (0, 2): 0.45, (1, 2): 1.0}
    assert merging(labels, monkeypatch, [Record("a", TEXT, gold)], [found], [same]) == (0.3, 0.5, 1.0)
    one = TRIED.model_copy(update={"mentions": (0.35,), "merging": (0.65,), "same_type": (0.9,)})  # 0.9 lies above: none are joined
    one = SETTINGS.model_copy(update={"tried": one})
    assert merging(labels, monkeypatch, [Record("a", TEXT, gold)], [found], [same], one) == (0.35, 0.65, 1.0)


def test_merging_is_fitted_without_the_types_that_nobody_asked_for(labels, monkeypatch):
    names = list(labels.incident_types)
    shelling, protest = names.index("shelling"), names.index("protest")
    records = [Record("a", TEXT, (incident("shelling", 0), incident("shelling", 14))), Record("b", TEXT, (), annotated=("shelling",))]
    apart = [mention(0, 0.9, {shelling: 1}, len(names)), mention(14, 0.8, {shelling: 1}, len(names))]
    unasked = [mention(3 * n, 0.95, {protest: 1}, len(names)) for n in range(5)]
    same = [{(0, 1): 0.55}, {(a, b): 0.55 for b in range(5) for a in range(b)}]
    assert merging(labels, monkeypatch, records, [apart, unasked], same) == (0.2, 0.6, 1.0)
