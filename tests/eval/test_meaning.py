from __future__ import annotations

import random
from dataclasses import replace

import pytest

from eval.perturb.meaning import future, moved, negated, status_counts, swap, swaps, words
from eval.perturb.robustness import perturb
from tests.conftest import span
from waqia import ConfigError, read_records
from waqia.records import parse_record
from waqia.schema import Record


def changed(kind, text):
    return perturb(Record("r", text), swap(kind)).text


def test_names_that_stand_for_each_other_stand_in_one_list_only():
    for lists in words()["swaps"].values():
        every = [name for names in lists for name in names]
        assert len(every) == len(set(every))
        for names in lists:
            assert len(names) > 1
            assert len({name.startswith("ال") for name in names}) == 1


def test_a_town_becomes_another_and_keeps_its_clitic():
    after = changed("towns", "اشتباكات بحلب وحلب")
    town = after.split()[1].removeprefix("ب")
    assert town != "حلب"
    assert after == f"اشتباكات ب{town} و{town}"


def test_a_name_inside_another_word_is_left_alone():
    assert changed("towns", "حلبجة وعدنان") == "حلبجة وعدنان"
    assert swaps("حلبجة", swap("towns"), random.Random(0)) == set()


@pytest.mark.parametrize("kind", ["towns", "factions", "nationalities"])
def test_gold_spans_are_carried_along_a_swap(root, labels, kind):
    touched = 0
    for record in read_records(root / "data/test.jsonl", labels):
        after = perturb(record, swap(kind))
        parse_record(after.to_dict(), labels, kind)
        touched += after.text != record.text
        assert [i.trigger.text for i in after.incidents] == [i.trigger.text for i in record.incidents] or kind == "factions"
    assert touched > 5


def actual(labels, text, verb, status="actual"):
    row = {"id": "r", "text": text, "incidents": [{"type": "shelling", "status": status, "trigger": span(text, verb), "participants": []}]}
    return parse_record(row, labels, "here")


def test_a_negated_verb_is_an_unrealised_incident(labels):
    record = negated(actual(labels, "وقَصَفت طائرات البلدة", "وقَصَفت"), labels)
    assert record.text == "ولم تقصف طائرات البلدة"
    assert record.incidents[0].status == "unrealised"
    assert record.incidents[0].trigger.text == "تقصف"


def test_a_verb_in_the_future_is_an_unrealised_incident(labels):
    record = future(actual(labels, "قصفت طائرات البلدة", "قصفت"), labels)
    assert (record.text, record.incidents[0].status) == ("ستقصف طائرات البلدة", "unrealised")


def test_a_passive_keeps_the_sign_that_makes_it_one(labels):
    record = actual(labels, "ثم قُتل رئيس البلدية", "قُتل")
    assert negated(record, labels).text == "ثم لم يُقتل رئيس البلدية"
    assert future(record, labels).text == "ثم سيُقتل رئيس البلدية"


def test_a_word_that_may_be_a_noun_is_left_alone(labels):
    assert negated(actual(labels, "بعد يومين من قصف المدينة", "قصف"), labels) is None


def test_a_verb_bound_by_a_particle_is_left_alone(labels):
    assert future(actual(labels, "وكان قد أوقف من كمين", "أوقف"), labels) is None
    assert future(actual(labels, "العدد كبير: أوقف ثلاثة", "أوقف"), labels).text == "العدد كبير: سيوقف ثلاثة"


def test_what_is_no_verb_of_the_list_or_not_actual_is_left_alone(labels):
    assert negated(actual(labels, "قصف عنيف", "عنيف"), labels) is None
    assert negated(actual(labels, "قصفت البلدة", "قصفت", "alleged"), labels) is None


def test_the_swap_that_moves_a_reading_is_named(labels):
    before = [actual(labels, "قصفت حلب", "قصفت"), actual(labels, "قصفت حمص", "قصفت")]
    after = [Record("r", "قصفت عدن"), before[1]]
    result = moved([{("حلب", "عدن")}, {("حمص", "عدن")}], before, after)
    assert (result["touched"], result["moved"]) == (2, 1)
    assert result["pairs"] == [{"from": "حلب", "to": "عدن", "passages": 1, "moved": 1}]


def test_statuses_are_counted_on_the_changed_incidents_that_were_found(labels):
    plain = actual(labels, "قصفت طائرات البلدة", "قصفت")
    other = negated(plain, labels)
    wrong = actual(labels, other.text, "تقصف")
    assert status_counts([plain], [plain], [other], [other], labels) == {
        "incidents": 1, "found_before": 1, "found": 1, "unrealised": 1.0, "interval": [1.0, 1.0],
        "recall": {"effect": 0.0, "interval": [0.0, 0.0], "decided": False},
    }  # fmt: skip
    assert status_counts([plain], [plain], [other], [wrong], labels)["unrealised"] == 0.0
    missed = status_counts([plain], [plain], [other], [Record("r", other.text)], labels)
    assert (missed["unrealised"], missed["recall"]["effect"]) == (None, -1.0)
    assert status_counts([], [], [], [], labels)["incidents"] == 0


def test_a_label_set_without_a_status_for_what_did_not_happen_is_refused_with_the_reason(labels):
    record = actual(labels, "قصفت طائرات البلدة", "قصفت")
    with pytest.raises(ConfigError, match="label set incidents has no unrealised_status"):
        negated(record, replace(labels, unrealised_status=None))


def test_statuses_of_other_names_are_taken_from_the_label_set(labels):
    other = replace(labels, default_status="alleged", unrealised_status="actual")
    record = actual(labels, "قصفت طائرات البلدة", "قصفت", "alleged")
    assert future(record, other).incidents[0].status == "actual"
    assert future(actual(labels, "قصفت طائرات البلدة", "قصفت"), other) is None
