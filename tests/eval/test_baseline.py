from __future__ import annotations

import pytest

from eval.baseline import predict
from eval.score import score
from waqia import ConfigError, Record, read_records
from waqia.schema import parse_record


@pytest.fixture(scope="module")
def records(root, labels):
    return {split: list(read_records(root / f"data/{split}.jsonl", labels)) for split in ("train", "dev")}


def test_it_learns_types_from_passages_and_predicts_every_record(records, labels):
    rows = predict(records["train"][:200], records["dev"], labels)
    predicted = [parse_record({**row, "text": gold.text}, labels, "x") for row, gold in zip(rows, records["dev"], strict=True)]
    figures = score(records["dev"], predicted, labels).figures()
    assert figures["types micro-F1"] > 0.2
    assert figures["incidents F1"] == 0


def test_records_that_were_not_asked_teach_nothing(labels):
    def passages(word, type_answers, count=6):
        asked = tuple(type_answers)
        return [Record(f"{word}{n}", f"{word} في المدينة {n}", annotated=asked, extra={"answers": type_answers}) for n in range(count)]

    train = passages("قصف", {"shelling": "yes"}) + passages("طقس", {"shelling": "no"}) + passages("قصف", {"protest": "no"}, 40)
    (row,) = predict(train, [Record("x", "قصف في المدينة")], labels)
    assert row["passage_types"] == ["shelling"]


def test_files_without_enough_of_any_type_are_refused(labels):
    with pytest.raises(ConfigError, match="no type with 5 passages"):
        predict([Record(str(n), "طقس جميل") for n in range(6)], [Record("b", "طقس")], labels)
