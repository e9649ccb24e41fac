"""Splits by document, without a leak."""

from __future__ import annotations

import pytest

from train.data import main, split
from waqia.errors import RecordError
from waqia.records import write_records
from waqia.schema import Record


def where(splits):
    return {record.id: name for name, records in splits.items() for record in records}


def test_a_document_is_in_one_split_and_stays_there():
    records = [Record(f"{n}-{part}", f"نص {n} {part}", extra={"document": f"d{n}"}) for n in range(200) for part in (1, 2)]
    placed = where(split(records))
    assert all(placed[f"{n}-1"] == placed[f"{n}-2"] for n in range(200))
    assert where(split(records[:40])).items() <= placed.items()
    counts = [sum(name == kind for name in placed.values()) / 400 for kind in ("train", "dev", "test")]
    assert counts == pytest.approx([0.7, 0.1, 0.2], abs=0.08)


def test_documents_that_share_a_text_go_together():
    records = [Record(str(n), f"نص {n // 2}" + " " * (n % 2)) for n in range(100)]
    placed = where(split(records))
    assert all(placed[str(n)] == placed[str(n + 1)] for n in range(0, 100, 2))


def test_an_id_that_stands_twice_is_refused():
    with pytest.raises(RecordError, match=r"id 'a' stands in several records"):
        split([Record("a", "نص"), Record("a", "نص آخر")])


def test_splits_are_files(tmp_path, root, capsys):
    write_records(tmp_path / "in.jsonl", [Record(str(n), f"نص {n}") for n in range(30)])
    labels = str(root / "configs/labels/incidents.yaml")
    assert main(["split", str(tmp_path / "in.jsonl"), str(tmp_path / "out"), "--labels", labels]) == 0
    lines = [line for path in (tmp_path / "out").iterdir() for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == 30


def test_a_split_without_records_keeps_no_file_of_a_run_before_and_says_so(tmp_path, root, capsys):
    labels, out = str(root / "configs/labels/incidents.yaml"), tmp_path / "out"
    write_records(tmp_path / "many.jsonl", [Record(str(n), f"نص {n}") for n in range(30)])
    write_records(tmp_path / "one.jsonl", [Record("0", "نص")])
    for name in ("many", "one"):
        assert main(["split", str(tmp_path / f"{name}.jsonl"), str(out), "--labels", labels]) == 0
    assert len(list(out.iterdir())) == 1
    assert capsys.readouterr().err.count("not written") == 2
