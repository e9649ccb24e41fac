from __future__ import annotations

import json
from dataclasses import replace

import pytest

from waqia.model.calibration import Calibration


def test_before_it_is_calibrated_a_model_has_no_temperatures_and_one_threshold(labels):
    plain = Calibration.plain(labels)
    assert {plain.type_temperature, plain.trigger_temperature, plain.role_temperature, plain.merge_temperature} == {1.0}
    assert (plain.mention_threshold, plain.merge_threshold, plain.reports) == (0.5, 0.5, 0.0)
    assert plain.trigger_thresholds == dict.fromkeys(labels.incident_types, 0.5)
    assert plain.role_thresholds == dict.fromkeys(labels.roles, 0.5)


def test_another_threshold_is_that_of_mentions_types_and_roles_but_not_of_merging(labels):
    plain = Calibration.plain(labels, 0.05)
    assert (plain.mention_threshold, plain.merge_threshold, plain.reports) == (0.05, 0.5, 0.0)
    assert set(plain.trigger_thresholds.values()) == set(plain.role_thresholds.values()) == {0.05}


def test_a_calibration_without_one_of_its_numbers_is_refused(labels):
    data = json.loads(json.dumps(Calibration.plain(labels).to_dict()))
    assert Calibration.from_dict(data) == Calibration.plain(labels)
    del data["merge_temperature"]
    with pytest.raises(TypeError, match="merge_temperature"):
        Calibration.from_dict(data)


def test_a_calibration_of_before_gathering_had_settings_reads_as_it_did(labels):
    data = Calibration.plain(labels).to_dict()
    del data["apart_threshold"], data["side_by_side"], data["around"]
    read = Calibration.from_dict(data)
    assert (read.apart_threshold, read.side_by_side, read.around) == (0.5, 20, 48)


def test_asking_for_less_brings_the_thresholds_of_mentions_and_texts_down(labels):
    fitted = replace(Calibration.plain(labels, 0.4), reports=0.6)
    asked = fitted.at_least({"shelling": 0.1, "place": 0.05})
    assert (asked.mention_threshold, asked.reports) == (0.1, 0.1)
    assert (asked.trigger_thresholds["shelling"], asked.trigger_thresholds["protest"]) == (0.1, 0.4)
    assert (asked.role_thresholds["place"], asked.role_thresholds["target"]) == (0.05, 0.4)


def test_asking_for_more_leaves_the_thresholds_of_mentions_and_texts(labels):
    fitted = replace(Calibration.plain(labels, 0.4), reports=0.6)
    asked = fitted.at_least(0.9)
    assert (asked.mention_threshold, asked.reports) == (0.4, 0.6)
    assert set(asked.trigger_thresholds.values()) == {0.9}
    assert asked.role_thresholds == fitted.role_thresholds
    assert fitted.at_least(None) is fitted
