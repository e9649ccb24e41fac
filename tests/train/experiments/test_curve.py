from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from eval.report import plots
from train.config import FinetuneConfig, load_config
from train.experiments.curve import FIGURES, at, curve, law, main, subset
from train.experiments.runs import fine_tuned
from waqia import read_records
from waqia.errors import ConfigError


def scores(value: float) -> dict:
    return {"figures": {name: {"value": value, "interval": [value - 0.02, value + 0.02]} for name in FIGURES}}


def test_parts_are_nested_and_keep_documents_whole(root, labels):
    records = list(read_records(root / "data/train.jsonl", labels))
    tenth, half = subset(records, 0.1), subset(records, 0.5)
    assert {record.id for record in tenth} < {record.id for record in half}
    assert 0.4 < len(half) / len(records) < 0.6
    assert subset(records, 1) == records
    kept, left = {r.extra.get("document", r.id) for r in half}, {r.extra.get("document", r.id) for r in records if r not in half}
    assert not kept & left


def test_a_power_law_is_found_again():
    sizes = np.array([100.0, 250, 500, 1000])
    a, b, c = law(sizes, at(sizes, 0.8, 3.0, 0.5))
    assert (a, b, c) == pytest.approx((0.8, 3.0, 0.5), rel=0.05)


def test_more_labels_are_foretold_with_an_interval_around(monkeypatch):
    monkeypatch.setattr("train.experiments.curve.DRAWS", 60)
    sizes = [100, 250, 500, 1000]
    result = curve(sizes, [scores(float(at(n, 0.8, 3.0, 0.5))) for n in sizes], "dev.jsonl")
    twice = result["figures"]["incidents F1"]["more"]["2"]
    assert twice["interval"][0] < twice["value"] < twice["interval"][1]
    assert twice["value"] == pytest.approx(at(2000, 0.8, 3.0, 0.5), abs=0.01)
    assert "<svg" in plots.svg(plots.learning_curve(result))


def test_two_points_are_shown_without_a_law():
    result = curve([10, 20], [scores(0.2), scores(0.3)], "dev.jsonl")
    assert result["figures"]["incidents F1"]["law"] is None
    assert "<svg" in plots.svg(plots.learning_curve(result))


def test_the_runs_of_a_curve_are_made_once(root, tmp_path, monkeypatch):
    settings = yaml.safe_load((root / "configs/smoke/finetune.yaml").read_text("utf-8"))
    settings["output"] = str(tmp_path / "smoke")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    started = []

    def trained(command, check):
        config = yaml.safe_load(Path(command[-1]).read_text("utf-8"))
        started.append(config["training"]["epochs"])
        size = sum(len(Path(source["path"]).read_text("utf-8").splitlines()) for source in config["train_files"])
        output = Path(config["output"])
        output.mkdir(parents=True)
        (output / "dev-scores.json").write_text(json.dumps(scores(size / 1000)), "utf-8")
        (output / "config.yaml").write_text(Path(command[-1]).read_text("utf-8"), "utf-8")

    monkeypatch.setattr("train.experiments.runs.subprocess.run", trained)
    arguments = [str(tmp_path / "config.yaml"), "--parts", "0.25", "1", "--out", str(tmp_path / "curve.json")]
    main(arguments)
    epochs = settings["training"]["epochs"]
    assert started == [2 * epochs, epochs]
    main(arguments)
    assert len(started) == 2
    records = json.loads((tmp_path / "curve.json").read_text("utf-8"))["records"]
    assert records[0] < records[1] / 2


def test_an_output_that_holds_another_run_is_refused(root, tmp_path):
    config = load_config(FinetuneConfig, root / "configs/smoke/finetune.yaml").model_copy(update={"output": tmp_path})
    (tmp_path / "dev-scores.json").write_text("{}", "utf-8")
    (tmp_path / "config.yaml").write_text((root / "configs/smoke/finetune.yaml").read_text("utf-8"), "utf-8")
    with pytest.raises(ConfigError, match="another configuration"):
        fine_tuned(config)


def test_parts_that_are_none_are_refused(root):
    with pytest.raises(ConfigError, match="shares above 0"):
        main([str(root / "configs/smoke/finetune.yaml"), "--parts", "0", "1"])
