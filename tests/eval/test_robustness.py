from __future__ import annotations

import pytest

from eval.perturb.robustness import PERTURBATIONS, perturb
from waqia import read_records
from waqia.arabic import word_end
from waqia.model import artefact
from waqia.records import parse_record


@pytest.fixture(scope="module")
def records(root, labels):
    return list(read_records(root / "data/dev.jsonl", labels))


@pytest.mark.parametrize("change", PERTURBATIONS, ids=lambda change: change.__name__)
def test_gold_spans_are_carried_along(records, labels, change):
    changed = [perturb(record, change) for record in records]
    for before, after in zip(records, changed, strict=True):
        parse_record(after.to_dict(), labels, change.__name__)
        for a, b in zip(before.incidents, after.incidents, strict=True):
            assert (a.type, len(a.participants)) == (b.type, len(b.participants))
            assert not b.trigger.text[0].isspace()
            assert not after.text[: b.trigger.start][-1:].isalpha()
            assert not after.text[word_end(after.text, b.trigger.end) :][:1].isalpha()


@pytest.mark.parametrize("change", PERTURBATIONS, ids=lambda change: change.__name__)
def test_every_change_changes_something_and_the_same_each_time(records, change):
    changed = [perturb(record, change) for record in records]
    assert changed == [perturb(record, change) for record in records]
    assert any(a.text != b.text for a, b in zip(records, changed, strict=True))


def test_only_typing_errors_and_punctuation_reach_the_model(records):
    normal = artefact.load().tokenizer.normalizer.normalize_str
    unseen = {"diacritics", "no_diacritics", "tatweel", "letters", "digits", "quotes", "censored", "marks", "presentation"}
    for change in PERTURBATIONS:
        if change.__name__ in unseen:
            for record in records:
                assert normal(perturb(record, change).text) == normal(record.text), change.__name__
