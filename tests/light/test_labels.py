from __future__ import annotations

import json

import pytest

from waqia import LabelSet, LabelSetError


def test_the_default_label_set_has_what_it_promises(labels):
    sizes = [len(part) for part in (labels.incident_types, labels.statuses, labels.roles, labels.sectors)]
    assert sizes == [24, 3, 6, 24]
    assert labels.incident_types["air_strike"].acled == ("Explosions/Remote violence/Air/drone strike",)
    assert labels.incident_types["air_strike"].plover == "ASSAULT/aerial"


def test_every_label_has_an_arabic_name(labels):
    for part in (labels.incident_types, labels.statuses, labels.roles, labels.sectors):
        assert all(any("\u0621" <= c <= "\u064a" for c in label.ar) for label in part.values())


def test_the_label_set_of_the_gold_standard_loads_with_the_same_code(root):
    gsr = LabelSet.load(root / "configs/labels/plover-gsr.yaml")
    assert list(gsr.incident_types) == ["ASSAULT", "PROTEST"]
    assert list(gsr.roles) == ["initiator", "target"]


def test_a_label_set_survives_json(tmp_path, labels):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(labels.to_dict(), ensure_ascii=False), "utf-8")
    assert LabelSet.load(path) == labels


def test_an_unknown_key_is_named(labels):
    with pytest.raises(LabelSetError, match=r"x: missing or unknown \['colour'\]"):
        LabelSet.from_dict({**labels.to_dict(), "colour": 1}, "x")


def test_a_missing_key_of_a_label_is_named_with_the_label(labels):
    data = labels.to_dict()
    del data["roles"]["target"]["sector"]
    with pytest.raises(LabelSetError, match=r"roles: target: missing or unknown \['sector'\]"):
        LabelSet.from_dict(data, "x")


def test_a_label_that_yaml_reads_as_false_is_explained(tmp_path, root):
    text = (root / "configs/labels/plover-gsr.yaml").read_text("utf-8").replace("  CVL:", "  no:")
    (tmp_path / "l.yaml").write_text(text, "utf-8")
    with pytest.raises(LabelSetError, match="put it in quotes"):
        LabelSet.load(tmp_path / "l.yaml")


def test_a_label_set_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LabelSetError, match=r"gone\.yaml: No such file"):
        LabelSet.load(tmp_path / "gone.yaml")


def test_actor_roles_and_the_default_status_are_named_by_the_label_set(labels, root):
    for found in (labels, LabelSet.load(root / "configs/labels/plover-gsr.yaml")):
        assert found.actors == ("initiator", "target")
        assert found.default_status == "actual"


def test_a_label_set_written_before_it_named_actors_is_the_same_label_set(labels):
    data = labels.to_dict()
    for key in ("actors", "default_status", "unrealised_status", "unknown_sector", "fact_roles"):
        del data[key]
    assert LabelSet.from_dict(data, "x") == labels


def test_a_label_set_may_have_no_actors(labels):
    assert LabelSet.from_dict({**labels.to_dict(), "actors": []}, "x").actors == ()


@pytest.mark.parametrize("actors", [["place"], ["initiator", "initiator"], ["doer"], "initiator", [1]])
def test_an_actor_that_is_no_role_with_a_sector_is_refused(labels, actors):
    with pytest.raises(LabelSetError, match=r"x: actors is .*expected a list of roles that carry a sector.*initiator, target, reporter"):
        LabelSet.from_dict({**labels.to_dict(), "actors": actors}, "x")


@pytest.mark.parametrize("status", ["real", None, 1])
def test_a_default_status_that_is_none_of_the_statuses_is_refused(labels, status):
    with pytest.raises(LabelSetError, match=r"x: default_status is .*expected one of actual, alleged, unrealised"):
        LabelSet.from_dict({**labels.to_dict(), "default_status": status}, "x")


def test_a_label_set_says_what_did_not_happen_who_is_unknown_and_which_roles_tell_facts(labels, root):
    gsr = LabelSet.load(root / "configs/labels/plover-gsr.yaml")
    assert (labels.unrealised_status, labels.unknown_sector) == ("unrealised", "UNK")
    assert (gsr.unrealised_status, gsr.unknown_sector, gsr.fact_roles) == (None, "NONE", {})
    assert labels.fact_roles == {"place": "place", "time": "time", "casualties": "casualties"}


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("unrealised_status", "actual", "expected one of alleged, unrealised"),
        ("unknown_sector", "XYZ", "expected one of GOV"),
        ("fact_roles", {"place": "where"}, "fact_roles: place is 'where', expected one of initiator"),
        ("fact_roles", {"weather": "place"}, "expected a mapping from some of place, time, casualties"),
        ("fact_roles", ["place"], "expected a mapping"),
    ],
)
def test_a_property_that_names_no_label_is_refused(labels, key, value, reason):
    with pytest.raises(LabelSetError, match=reason):
        LabelSet.from_dict({**labels.to_dict(), key: value}, "x")


def test_a_role_with_a_sector_tells_no_fact_by_its_name_alone(labels):
    data = labels.to_dict()
    del data["fact_roles"]
    data["roles"]["place"]["sector"] = True
    assert LabelSet.from_dict(data, "x").fact_roles == {"time": "time", "casualties": "casualties"}
