"""What all tests share: the label set, and articles written by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

# Waiting threads must not spin beside other processes, and no test may reach for the hub.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from waqia import LabelSet

if TYPE_CHECKING:
    from waqia import Reader, Reading

ROOT = Path(__file__).parent.parent
# Files that take longest, longest first. Workers take whole files (their fixtures are dear), in this order: what is left for the end is
# short, so that two workers end together.
LONG = (
    "train/test_resume.py",
    "train/test_pretrain.py",
    "examples/test_notebooks.py",
    "train/test_quantise.py",
    "train/test_finetune.py",
    "eval/test_speed.py",
    "train/test_hub.py",
    "faults/test_silent.py",
    "faults/test_kills.py",
    "faults/test_size.py",
    "serve/test_service.py",
    "serve/test_page.py",
    "light/test_ray.py",
    "train/test_settings.py",
    "train/test_quickstart.py",
    "train/experiments/test_training_speed.py",
    "eval/test_report.py",
    "faults/test_files.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests of LONG to the front."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


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
    """Forty of the authored texts."""
    lines = [line for name in ("dev", "test") for line in (ROOT / f"data/{name}.jsonl").read_text("utf-8").splitlines()[:20]]
    return [json.loads(line)["text"] for line in lines]


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The model in the package on one thread, opened once."""
    from waqia import Reader

    return Reader.load(threads=1)


@pytest.fixture(scope="session")
def readings(reader: Reader, passages: list[str]) -> list[Reading]:
    """The forty texts, each read by itself."""
    return [reader.read(text) for text in passages]


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
