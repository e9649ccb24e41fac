from __future__ import annotations

import json
import lzma

import pytest

from eval.speed import benchmark as speed
from eval.speed.archive import Round, articles, figures
from waqia import Incident, Reading, Span


def reading(*starts, windows=2, screened=0):
    incidents = tuple(Incident("protest", "actual", Span(start, start + 1, "x"), mentions=()) for start in starts)
    return Reading(incidents, windows=windows, screened=screened)


def test_ratios_are_paired_by_round_and_losses_are_of_the_full_reading():
    full, some = (reading(3, 9), reading(5)), (reading(3, screened=1), reading(5))
    rounds = {
        "waqia": [Round(4.0, full), Round(2.0, full)],
        "waqia, screen 0.05": [Round(1.0, some), Round(1.0, some)],
        speed.BASELINE: [Round(8.0, None), Round(8.0, None)],
    }
    found = figures(rounds, 2, price=0.05)["waqia, screen 0.05"]
    assert found["times_plain"] == {"median": 3.0, "min": 2.0, "max": 4.0}
    assert found["times_pipeline"]["median"] == 8.0
    assert (found["windows"], found["screened"], found["incidents"], found["lost"]) == (4, 1, 3, 1)
    assert found["core_hours_per_million"] == pytest.approx(1e6 / 2 / 3600)
    assert found["usd_per_million"] == pytest.approx(1e6 / 2 / 3600 * 0.05)


def test_articles_are_drawn_from_the_news_of_a_corpus_and_else_from_data(tmp_path, root):
    for name in ("paper", "wikipedia"):
        with lzma.open(tmp_path / f"{name}.jsonl.xz", "wt", encoding="utf-8") as out:
            out.writelines(json.dumps({"id": f"{name} {n}", "text": f"{name} {n}"}) + "\n" for n in range(20))
    texts, where = articles(tmp_path, [], 5)
    assert len(set(texts)) == 5
    assert all(text.startswith("paper") for text in texts)
    assert "1 files of" in where
    texts, where = articles(tmp_path / "none", [root / "data/dev.jsonl"], 4)
    assert len(texts) == 4
    assert "no corpus is here" in where


def test_the_archive_is_measured_with_and_without_the_screen(tmp_path, capsys):
    speed.main(["--mix", "archive", "--quick", "--corpus", str(tmp_path / "none"), "--out", str(tmp_path / "out.json")])
    report = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert list(report["engines"]) == ["waqia", "waqia, screen 0.01", "waqia, screen 0.05"]
    assert report["engines"]["waqia"]["screened"] == 0
    assert "6 articles" in capsys.readouterr().out
