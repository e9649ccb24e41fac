from __future__ import annotations

import json
import subprocess
import sys

from eval.analysis.coverage import main, reach
from tests.conftest import span
from waqia.model import artefact
from waqia.model.windows import WindowSettings
from waqia.records import parse_record


def test_a_span_inside_a_word_is_out_of_reach_and_named(row, labels):
    row["incidents"][0]["participants"].append({"role": "reporter", "sector": "MIL", **span(row["text"], "سلحو")})
    model = artefact.load()
    found = reach([parse_record(row, labels, "here")], model.tokenizer, labels, model.windows).to_dict()
    assert found["incidents"] == {"reached": 1, "lost": 0, "share_lost": 0}
    assert found["participants"] == {"reached": 3, "lost": 1, "share_lost": 0.25}
    assert found["causes"] == {"participant outside the window or not at word bounds": 1}


def test_a_participant_windows_away_from_its_trigger_is_out_of_reach(row, labels):
    row["text"] += "." + " ثم مضى يوم آخر." * 30 + " صنعاء"
    row["incidents"][0]["participants"].append({"role": "place", "sector": None, **span(row["text"], "صنعاء")})
    tokenizer = artefact.load().tokenizer
    found = reach([parse_record(row, labels, "here")], tokenizer, labels, WindowSettings(32, 8)).to_dict()
    assert found["participants"]["lost"] == 1


def test_with_an_incident_its_participants_are_lost(row, labels):
    row["incidents"][0]["trigger"] = span(row["text"], "هاج")
    model = artefact.load()
    found = reach([parse_record(row, labels, "here")], model.tokenizer, labels, model.windows).to_dict()
    assert found["incidents"] == {"reached": 0, "lost": 1, "share_lost": 1}
    assert found["participants"] == {"reached": 0, "lost": 3, "share_lost": 1}


def test_a_trigger_that_begins_before_the_first_word_is_outside_every_window(labels):
    text = " قصف على المدينة"
    incident = {"type": "shelling", "status": "actual", "trigger": span(text, " قصف"), "participants": []}
    model = artefact.load()
    record = parse_record({"id": "x", "text": text, "incidents": [incident]}, labels, "here")
    assert reach([record], model.tokenizer, labels, model.windows).lost == {"incident, outside every window": 1}


def test_the_command_prints_and_writes_what_is_lost(root, tmp_path, capsys):
    main([str(artefact.DEFAULT), str(root / "data/test.jsonl"), "--out", str(tmp_path / "reach.json")])
    assert "incidents: 318 reached" in capsys.readouterr().out
    assert json.loads((tmp_path / "reach.json").read_text("utf-8"))["incidents"]["share_lost"] == 0


def test_reach_needs_no_torch(root):
    code = "import sys, eval.analysis.coverage; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
