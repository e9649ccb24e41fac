"""The page of an archive: what it holds, that nothing of a text is markup, and that its policy allows its own script and style alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.light.test_table import TEXT, _event, _span
from waqia.bulk.likeness import NAMES
from waqia.cli import main
from waqia.errors import RecordError
from waqia.formats.archive import CLUES, embedded, page
from waqia.frame import packaged_labels

LABELS = packaged_labels()
HOSTILE = "</script><script>alert(1)</script><!--\u2028"


def _data(made: str) -> dict[str, Any]:
    (said,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', made, re.DOTALL)
    data: dict[str, Any] = json.loads(said)
    return data


def test_an_event_carries_its_texts_with_every_span_and_why_they_were_joined() -> None:
    merge = {"id": "b", "number": None, "with": {"id": "a", "number": 0}, "score": -1.5, "clues": {"words «قسطون»": 2.04, "same day": 0.9}}
    (event,) = _data(page([_event(merges=[merge])], LABELS))["events"]
    assert (event["name"], event["at"], event["killed"], event["told"]) == (
        LABELS.incident_types["shelling"].ar,
        [35.7, 36.37],
        {"min": 4, "max": 5},
        True,
    )
    assert event["sides"] == "قوات النظام السوري ← أربعة مدنيين"
    told, silent = event["sources"]
    assert [TEXT[start:end] for start, end, name, _ in told["marks"] if name == "trigger"] == ["قصفت"]
    assert [name for _, _, name, _ in told["marks"]] == ["trigger", "role-1", "role-2", "role-4"]
    assert (silent["name"], silent["score"], silent["why"]) == (None, -1.5, "كلمات «قسطون» +2.0، اليوم نفسه +0.9")


def test_events_stand_newest_first_and_those_without_a_day_last() -> None:
    days = ["2020-01-01", None, "2021-01-01"]
    events = [_event(id=f"{n}#0", start=day, end=day) for n, day in enumerate(days)]
    assert [event["start"] for event in _data(page(events, LABELS))["events"]] == ["2021-01-01", "2020-01-01", None]


def test_texts_that_try_to_be_markup_stay_data() -> None:
    source = {**_event()["sources"][1], "id": HOSTILE, "source": HOSTILE, "passages": [{"start": 0, "text": HOSTILE}]}
    made = page([_event(sources=[_event()["sources"][0], source], place=HOSTILE)], LABELS, title=HOSTILE)
    assert made.count("<script") == 2
    assert "alert(1)</" not in made
    assert _data(made)["events"][0]["sources"][1]["passages"] == [[0, HOSTILE]]


def test_the_policy_allows_the_one_script_and_style_and_nothing_of_the_net() -> None:
    made = page([_event()], LABELS)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', made)
    for name, pattern in (("script", r"<script>(.*?)</script>"), ("style", r"<style>(.*?)</style>")):
        (code,) = re.findall(pattern, made, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"(?:src|href)=|https?://(?!www\.w3\.org)", made.replace("http-equiv", ""))


def test_embedded_json_cannot_end_its_block() -> None:
    assert embedded(["</script>&\u2029\ud800"]) == '["\\u003c/script\\u003e\\u0026\\u2029\ufffd"]'


def test_every_clue_of_a_merge_has_an_arabic_name() -> None:
    spoken = {name.replace("_", " ") for name in NAMES} - {"rarest", "three", "eight", "alike", "length"}
    assert spoken | {"no word in common", "crowd"} == set(CLUES)


def test_a_role_of_another_label_set_is_refused() -> None:
    event = _event()
    event["sources"][0]["incident"]["participants"].append({"role": "weapon", "sector": None, **_span("قصفت")})
    with pytest.raises(RecordError, match="role 'weapon' is not in the label set"):
        page([event], LABELS)


def test_the_command_writes_a_page_of_events(tmp_path: Path) -> None:
    events, out = tmp_path / "events.jsonl", tmp_path / "out.html"
    events.write_text(json.dumps(_event()) + "\n", "utf-8")
    assert main(["page", str(events), str(out), "--title", "أرشيف <١>"]) == 0
    made = out.read_text("utf-8")
    assert "<title>أرشيف &lt;١&gt;</title>" in made
    assert len(_data(made)["events"]) == 1
