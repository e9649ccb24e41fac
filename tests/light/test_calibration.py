from __future__ import annotations

import json

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
