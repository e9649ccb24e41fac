"""The parts of calibration, each on its own: what counts as right, what the thresholds see, which logits a temperature is fitted over."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train import calibrate
from train.calibrate import Fit
from train.config import CalibrationSettings, Tried
from waqia.model.calibration import Calibration
from waqia.model.merge import Mention
from waqia.model.pipeline import Happening
from waqia.model.windows import WordRange
from waqia.schema import Incident, Participant, Reading, Record, Span

TEXT = "قصف ثم قصف ثم قصف"


def a_run(labels):
    tried = Tried(mentions=(0.2, 0.4), merging=(0.5,), same_type=(1.0,), reports=(0.5,), apart=(0.55, 0.35))
    settings = CalibrationSettings(tried=tried, reports_cost=0.002, shrink=40, side_by_side=15, around=30)
    return SimpleNamespace(labels=labels, config=SimpleNamespace(calibration=settings))


def incident(type_, start, score=None, participants=(), mentions=()):
    others = tuple(Span(at, at + 3, "قصف") for at in mentions)
    return Incident(type_, "actual", Span(start, start + 3, "قصف"), tuple(participants), score, others)


def person(start, end, role="target", score=None, mentions=()):
    return Participant(start, end, "x" * (end - start), role, None, score, tuple(Span(a, b, "x" * (b - a)) for a, b in mentions))


def test_items_are_found_by_their_label_and_matched_the_most_probable_first():
    gold = [[incident("shelling", 0), incident("protest", 7)], []]
    found = [[incident("shelling", 0, 0.4), incident("shelling", 1, 0.9), incident("arrest", 7, 0.3)], [incident("protest", 7, 0.2)]]
    assert calibrate._hits(gold, found, calibrate._incident_items, calibrate._same_incident) == {
        "shelling": (1, [(0.9, True), (0.4, False)]),
        "protest": (1, [(0.2, False)]),
        "arrest": (0, [(0.3, False)]),
    }


@pytest.mark.parametrize("sides", [([[]], [[], []]), ([[], []], [[]])])
def test_as_many_texts_are_judged_as_there_are(sides):
    with pytest.raises(ValueError, match="zip"):
        calibrate._hits(*sides, calibrate._incident_items, calibrate._same_incident)


def test_an_item_without_a_probability_has_none():
    people = [person(7, 10, "place", 0.25), person(0, 2)]
    one = incident("shelling", 0, None, people)
    assert calibrate._incident_items([one]) == [("shelling", 0.0, one, one.trigger)]
    assert calibrate._participant_items([one]) == [("place", 0.25, one, people[0]), ("target", 0.0, one, people[1])]


def incidents_alike(a, b):
    return calibrate._same_incident(*(calibrate._incident_items([one])[0] for one in (a, b)))


def test_incidents_of_a_type_are_alike_where_any_of_their_mentions_overlap():
    assert incidents_alike(incident("shelling", 0), incident("shelling", 2))
    assert not incidents_alike(incident("shelling", 0), incident("shelling", 3))
    assert not incidents_alike(incident("shelling", 0), incident("protest", 0))
    assert incidents_alike(incident("shelling", 0, mentions=[7]), incident("shelling", 14, mentions=[9]))
    assert not incidents_alike(incident("shelling", 0, mentions=[7]), incident("shelling", 14, mentions=[10]))


def participants_alike(a, b, types=("shelling", "shelling")):
    sides = (incident(type_, 0, None, [one]) for type_, one in zip(types, (a, b), strict=True))
    return calibrate._same_participant(*(calibrate._participant_items([one])[0] for one in sides))


def test_a_found_participant_is_right_where_its_span_shares_half_of_any_gold_mention():
    assert participants_alike(person(0, 4), person(2, 6))  # 2 of 4
    assert not participants_alike(person(0, 4), person(3, 7))  # 1 of 4
    assert participants_alike(person(0, 4), person(2, 4))  # 2 of the longer one's 4
    assert not participants_alike(person(0, 5), person(3, 5))  # 2 of 5
    assert not participants_alike(person(0, 4), person(0, 4, "initiator"))
    assert not participants_alike(person(0, 4), person(0, 4), ("shelling", "protest"))
    assert participants_alike(person(0, 4, mentions=[(8, 12)]), person(8, 12))
    assert not participants_alike(person(8, 12), person(0, 4, mentions=[(8, 12)]))


def test_a_happening_is_judged_as_an_incident_without_participants():
    mentions = [Mention(0, WordRange(0, 1), at, at + 3, "قصف", 0.5, np.zeros(2), np.zeros(1)) for at in (7, 0)]
    bare = calibrate._bare(Happening(tuple(mentions), 1, 0.75), ["protest", "shelling"])
    assert (bare.type, bare.score, bare.participants) == ("shelling", 0.75, ())
    assert bare.trigger == Span(7, 10, "قصف")
    assert bare.mentions == (Span(0, 3, "قصف"),)


def test_thresholds_are_fitted_over_the_readings_of_the_records(monkeypatch):
    asked = []

    def read(texts, model):
        asked.append((texts, model))
        return [Reading((incident("shelling", 0, 0.9),), {}), Reading((), {})]

    monkeypatch.setattr(calibrate, "read_texts", read)
    records = [Record("a", "قصف"), Record("b", "ثم")]
    found = calibrate._read(SimpleNamespace(reader=lambda calibration: ("reader", calibration)), records, "calibration")
    assert asked == [(["قصف", "ثم"], ("reader", "calibration"))]
    assert [len(incidents) for incidents in found] == [1, 0]


def test_every_step_of_a_calibration_sees_what_the_steps_before_it_fitted(labels, monkeypatch, caplog):
    steps = []
    run, records = a_run(labels), [Record("a", TEXT, (incident("shelling", 0, None, [person(7, 10)]),))]
    fits = {"trigger_temperature": Fit(2.0, 1, (0.0, 0.0), (0.0, 0.0)), "merge_temperature": Fit(3.0, 1, (0.0, 0.0), (0.0, 0.0))}
    plain = Calibration.plain(labels, 0.05)

    def temperatures(*given):
        steps.append(("temperatures", given))
        return fits

    def merging(given, these, calibration):
        assert (given, these) == (run, records)
        steps.append(("merging", calibration))
        return calibration

    def read(given, these, calibration):
        assert (given, these) == (run, records)
        steps.append(("read", calibration))
        return [[incident("shelling", 0, 0.8, [person(7, 10, score=0.6)])]]

    def reports(given, these, calibration):
        assert (given, these) == (run, records)
        steps.append(("reports", calibration))
        return 0.25

    def apart(given, these, calibration):
        assert (given, these) == (run, records)
        steps.append(("apart", calibration))
        return 0.35

    named = {"temperatures": temperatures, "fit_merging": merging, "_read": read, "fit_reports": reports, "fit_apart": apart}
    for name, step in named.items():
        monkeypatch.setattr(calibrate, name, step)
    with caplog.at_level("INFO", "train.calibrate"):
        result, told = calibrate.calibrate(run, records)
    assert told is fits
    assert [name for name, _ in steps] == ["temperatures", "merging", "read", "reports", "apart"]
    assert steps[0][1] == (run, records)
    assert steps[1][1] == steps[2][1]
    assert (steps[1][1].trigger_temperature, steps[1][1].merge_temperature) == (2.0, 3.0)
    assert steps[1][1].trigger_thresholds == plain.trigger_thresholds
    assert steps[3][1].trigger_thresholds["shelling"] == pytest.approx((0.8 + 0.05) / 2, abs=1e-4)
    assert steps[3][1].role_thresholds["target"] == pytest.approx((0.6 + 0.05) / 2, abs=1e-4)
    assert (steps[3][1].reports, result.reports) == (0.0, 0.25)
    assert (steps[1][1].apart_threshold, steps[1][1].side_by_side, steps[1][1].around) == (0.55, 15, 30)
    assert (steps[4][1].reports, steps[4][1].apart_threshold, result.apart_threshold) == (0.25, 0.55, 0.35)
    assert str(result.to_dict()) in caplog.text
    assert str(fits) in caplog.text


def test_a_role_is_fitted_over_the_incidents_that_the_threshold_of_their_type_lets_through(labels, monkeypatch):
    # shelling from 0.4 = (0.6 + 0.2) / 2: what is found at 0.2 is dropped with its people, what has no score too
    gold = (incident("shelling", 0, None, [person(7, 10)]),)
    found = [
        incident("shelling", 0, 0.6, [person(7, 10, score=0.5)]),
        incident("shelling", 14, 0.2, [person(7, 10, score=0.3)]),
        incident("shelling", 7, None, [person(7, 10, score=0.4)]),
    ]
    monkeypatch.setattr(calibrate, "temperatures", lambda *_: {})
    monkeypatch.setattr(calibrate, "fit_merging", lambda run, records, calibration: calibration)
    monkeypatch.setattr(calibrate, "_read", lambda *_: [found])
    monkeypatch.setattr(calibrate, "fit_reports", lambda *_: 0.0)
    result, _ = calibrate.calibrate(a_run(labels), [Record("a", TEXT, gold)])
    assert result.trigger_thresholds["shelling"] == pytest.approx(0.4)
    assert result.role_thresholds["target"] == pytest.approx((0.5 + 0.05) / 2, abs=1e-4)


def test_temperatures_are_fitted_over_all_windows_sixteen_at_a_time(monkeypatch):
    asked = []

    def windows(*given):
        asked.append(given[:4])
        return iter(range(40))

    def logits(run, batch):
        asked.append(batch)
        return {"role_temperature": (torch.full((len(batch),), 2.0), torch.tensor([float(n % 4 > 0) for n in batch]))}

    monkeypatch.setattr(calibrate, "read_windows", windows)
    monkeypatch.setattr(calibrate, "Collator", {7: list}.__getitem__)  # the tokenizer's padding
    monkeypatch.setattr(calibrate, "_logits", logits)
    tokenizer = SimpleNamespace(token_to_id=lambda token: 7)
    run = SimpleNamespace(tokenizer=tokenizer, labels="labels", reader=lambda: SimpleNamespace(windows="settings"))
    fits = calibrate.temperatures(run, "records")
    assert asked == [("records", tokenizer, "labels", "settings"), list(range(16)), list(range(16, 32)), list(range(32, 40))]
    assert fits["role_temperature"].decisions == 40
    assert fits["role_temperature"].temperature == pytest.approx(2 / np.log(3), abs=1e-2)  # three of four right, see test_calibrate


class Heads(torch.nn.Module):
    """A model that says what it is told and keeps what it was asked."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.asked = []
        self.types = torch.tensor([[1.0, 2.0], [3.0, 4.0]])  # two windows, two types
        self.triggers = torch.arange(18.0).reshape(2, 3, 3)  # three words, none or one of two types
        self.states = torch.arange(24.0).reshape(2, 3, 4)
        self.roles = torch.full((1, 3, 3, 2), -7.0)

    def encode(self, *given):
        assert not self.training
        self.asked.append([tensor.tolist() for tensor in given])
        return self.types, self.triggers, None, self.states

    def participants_head(self, states, mask, start, stop, type_):
        self.asked.append([states.tolist(), mask.tolist(), start.tolist(), stop.tolist(), type_.tolist()])
        return self.roles, None, None

    def merge_head(self, first, second, first_types, second_types, features):
        self.asked.append([first.tolist(), second.tolist(), features.tolist()])
        return torch.tensor([0.5])


def batch(**changes):
    plain = {
        "input_ids": torch.tensor([[1, 2], [3, 4]]),
        "attention_mask": torch.tensor([[1, 1], [1, 1]]),
        "word_starts": torch.tensor([[0, 1, 2], [0, 1, 0]]),
        "word_ends": torch.tensor([[1, 2, 3], [1, 2, 0]]),
        "type_targets": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        "type_asked": torch.tensor([[1, 0], [1, 1]]),
        "trigger_targets": torch.tensor([[2, 0, -100], [-100, 0, 1]]),
        "triggers": torch.zeros(0, 5, dtype=torch.long),
        "spans": torch.zeros(0, 5, dtype=torch.long),
        "pairs": torch.zeros(0, 3, dtype=torch.long),
        "pair_features": torch.zeros(0, 3),
    }
    return plain | changes


def test_temperatures_of_types_and_triggers_are_fitted_over_what_was_asked_and_labelled():
    model = Heads()
    found = calibrate._logits(SimpleNamespace(model=model), batch())
    assert set(found) == {"type_temperature", "trigger_temperature"}
    assert [tensor.tolist() for tensor in found["type_temperature"]] == [[1.0, 3.0, 4.0], [1.0, 0.0, 1.0]]
    rows = model.triggers.reshape(6, 3)[[0, 1, 4, 5]].tolist()
    assert [tensor.tolist() for tensor in found["trigger_temperature"]] == [rows, [2, 0, 0, 1]]
    assert model.asked == [[[[1, 2], [3, 4]], [[1, 1], [1, 1]], [[0, 1, 2], [0, 1, 0]], [[1, 2, 3], [1, 2, 0]]]]


def test_the_temperature_of_roles_is_fitted_over_gold_spans_and_those_near_to_a_decision():
    model = Heads()
    model.roles[0, 0, 1, 1] = -9.0  # gold, however unlikely
    model.roles[0, 2, 2, 0] = -5.9  # near
    model.roles[0, 1, 1, 0] = -6.0  # not near
    marked = batch(triggers=torch.tensor([[1, 1, 2, 0, 0]]), spans=torch.tensor([[0, 1, 0, 2, 0]]))  # role 1 over words 0 and 1
    logits, targets = calibrate._logits(SimpleNamespace(model=model), marked)["role_temperature"]
    assert logits.tolist() == pytest.approx([-9.0, -5.9])
    assert targets.tolist() == [1.0, 0.0]
    assert model.asked[1] == [model.states[[1]].tolist(), [[1, 1, 0]], [1], [2], [0]]


def test_the_temperature_of_merging_is_fitted_over_pairs_of_gold_mentions():
    model = Heads()
    triggers = torch.tensor([[0, 0, 1, 0, 0], [1, 1, 2, 1, 0]])
    marked = batch(triggers=triggers, pairs=torch.tensor([[0, 1, 1]]), pair_features=torch.tensor([[1.0, 0.0, 0.5]]))
    logits, targets = calibrate._logits(SimpleNamespace(model=model), marked)["merge_temperature"]
    assert (logits.tolist(), targets.tolist()) == ([0.5], [1.0])
    assert targets.dtype == torch.float32
    assert model.asked[-1] == [[[0.0, 1.0, 2.0, 3.0]], [[16.0, 17.0, 18.0, 19.0]], [[1.0, 0.0, 0.5]]]


def test_a_temperature_is_rounded_to_four_places():
    found = calibrate._temperature("role_temperature", torch.full((4,), 2.0), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert found == round(found, 4) != round(found, 3)
