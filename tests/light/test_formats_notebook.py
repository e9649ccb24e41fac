"""What a notebook shows."""

from __future__ import annotations

import pytest

import waqia
from waqia.records import parse_record
from waqia.schema import Reading


@pytest.fixture
def reading(row, labels):
    row["incidents"][0]["mentions"] = []
    return Reading(parse_record(row, labels, "here").incidents, {"armed_attack": 0.9}, 1, False, "incidents/1", "m")


def test_a_reading_shows_itself_in_arabic(reading):
    shown = reading._repr_html_()
    assert shown.startswith('<div dir="rtl"')
    assert "هجوم مسلح" in shown
    assert "<bdi>دورية للشرطة</bdi> <code>COP</code>" in shown


def test_a_text_cannot_bring_markup_into_a_notebook(labels):
    text = "<script>x</script> هجوم"
    row = {"id": "1", "text": text, "incidents": []}
    row["incidents"] = [
        {"type": "armed_attack", "status": "actual", "trigger": {"start": 0, "end": 18, "text": text[:18]}, "participants": []}
    ]
    reading = Reading(parse_record(row, labels, "here").incidents)
    assert "<script" not in reading._repr_html_()
    assert "<script" not in waqia.show(text, reading)._repr_html_()


def test_a_text_is_shown_in_a_frame_of_its_own(reading, row):
    shown = waqia.show(row["text"], reading)._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert "sandbox" in shown
