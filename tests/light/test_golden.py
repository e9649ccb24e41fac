"""Ten readings of the shipped artefact, word for word and score for score.

WAQIA_GOLDEN=write python -m pytest tests/light/test_golden.py    # after a new artefact: read the diff before you commit it
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden.jsonl")
ROWS = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
TOLERANCE = 1e-4  # of a score, on processors with the same kind of int8 products


@pytest.fixture(scope="module")
def golden(reader):
    found = [reader.read(row["text"]).to_dict() for row in ROWS]
    if os.environ.get("WAQIA_GOLDEN") == "write":
        rows = [json.dumps({"text": row["text"], "reading": reading}, ensure_ascii=False) for row, reading in zip(ROWS, found, strict=True)]
        GOLDEN.write_text("\n".join(rows) + "\n", "utf-8")
        for row, reading in zip(ROWS, found, strict=True):
            row["reading"] = reading
    return found


@pytest.mark.parametrize("number", range(10))
def test_the_shipped_artefact_reads_as_it_did(golden, number):
    same(golden[number], json.loads(json.dumps(ROWS[number]["reading"])), f"golden.jsonl:{number + 1}")


def same(found, expected, where):
    """Equal in every part, numbers that are scores to within TOLERANCE."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, abs=TOLERANCE), where
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            same(found[key], value, f"{where} {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            same(one, other, f"{where} {number}")
    else:
        assert found == expected, where


def test_the_golden_texts_hold_incidents_and_silence():
    counts = [len(row["reading"]["incidents"]) for row in ROWS]
    assert len(counts) == 10
    assert 0 in counts
    assert sum(counts) >= 10
