"""What all tests share: the label set, and articles written by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Waiting threads must not spin beside other processes, and no test may reach for the hub.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from waqia import LabelSet

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone."""
    return ROOT


@pytest.fixture(scope="session")
def labels() -> LabelSet:
    """The default label set."""
    return LabelSet.load(ROOT / "configs/labels/incidents.yaml")


@pytest.fixture(scope="session")
def passages() -> list[str]:
    """Eighty of the authored texts."""
    lines = [line for name in ("dev", "test") for line in (ROOT / f"data/{name}.jsonl").read_text("utf-8").splitlines()]
    return [json.loads(line)["text"] for line in lines[:80]]


@pytest.fixture
def row() -> dict:
    """A record as it stands in a file."""
    text = "هاجم مسلحون 🔴 دورية للشرطة في تعز"
    return {
        "id": "t-1",
        "text": text,
        "incidents": [
            {
                "type": "armed_attack",
                "status": "actual",
                "trigger": span(text, "هاجم"),
                "participants": [
                    {"role": "initiator", "sector": "UAF", **span(text, "مسلحون")},
                    {"role": "target", "sector": "COP", **span(text, "دورية للشرطة")},
                    {"role": "place", "sector": None, **span(text, "تعز")},
                ],
            }
        ],
    }


def span(text: str, part: str) -> dict:
    """The first place of a part in a text, as records write it."""
    start = text.index(part)
    return {"start": start, "end": start + len(part), "text": part}
