from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from eval.speed import benchmark as speed
from eval.speed import worker
from eval.speed.benchmark import ENGINES, Plan, figures, installed_mb, spread, table
from eval.speed.worker import gemm, open_engine
from tests.conftest import ROOT
from train.experiments.speed_models import SHAPES, build, sample
from waqia import ConfigError

OPENVINO = find_spec("openvino") is not None


def engines_here():
    """All engines that can run anywhere; bf16 of OpenVINO needs a processor that has it."""
    return [name for name in ENGINES if name != "openvino bf16" and (OPENVINO or "openvino" not in name)]


@pytest.fixture(scope="module")
def texts():
    return sample([ROOT / "data/dev.jsonl"], 6)


@pytest.fixture(scope="module")
def models(texts, tmp_path_factory):
    """The models of the tiny shape for every engine, and what was said of them."""
    folder = tmp_path_factory.mktemp("models")
    return folder, build(SHAPES["tiny"], texts, ENGINES, folder)


@pytest.mark.parametrize("name", engines_here())
def test_every_engine_reads_alone_what_it_reads_in_a_batch(models, texts, name):
    engine = open_engine(name, models[0], threads=1)
    together = engine.many(texts)
    assert len(together) == len(texts)
    assert any(together)
    if "bf16" not in name:  # there a label may hang on the last bit
        assert together == [engine.one(text) for text in texts]


def test_bare_engines_compute_the_same_model(models, texts):
    names = ["torch fp32", "onnxruntime fp32", *(["openvino fp32"] if OPENVINO else [])]
    first, *others = (open_engine(name, models[0], threads=1).many(texts) for name in names)
    assert len({label for passage in first for _, labels in passage for label in labels}) > 2
    assert all(other == first for other in others)


def test_a_random_model_finds_about_as_many_triggers_as_the_shipped_one(models, texts):
    found = sum(len(answer) for answer in open_engine("waqia onnxruntime", models[0], threads=1).many(texts))
    assert len(texts) // 2 <= found <= 4 * len(texts)


def test_the_work_of_a_pass_is_counted_by_hand(models):
    shape = SHAPES["tiny"]
    # two layers; a token meets 4 matrices of 64 x 64 and 2 of 64 x 128, then ten others twice at 64 numbers each
    assert shape.flops([10]) == 2 * (10 * 2 * (4 * 64 * 64 + 2 * 64 * 128) + 2 * 2 * 10 * 10 * 64)
    said = models[1]
    assert said["windows"] >= said["texts"] == 6
    assert said["flops"] > shape.flops([said["tokens"] // said["windows"]] * said["windows"]) * 0.9


def test_the_limit_is_measured_in_every_precision(models):
    folder, shape = models
    (folder / "shape.json").write_text(json.dumps(shape), "utf-8")
    limit = gemm(folder, threads=1, seconds=0.01)
    assert limit.keys() == {"fp32", "bf16", "int8"}
    assert all(value > 0 for value in limit.values())


def test_a_sample_is_spread_over_the_files_and_no_text_is_taken_twice(root):
    files = sorted((root / "data").glob("*.jsonl"))
    assert len(set(sample(files, 100))) == 100
    assert len(sample(files, 10**6)) == sum(len(path.read_text("utf-8").splitlines()) for path in files)


def measured(cpu_s, waits=(0.01, 0.03)):
    return {"cold_s": 1.0, "cpu_s": cpu_s, "wall_s": cpu_s, "latencies_s": list(waits), "peak_mb": 100.0, "changed": 0, "answers": [[], []]}


def test_ratios_are_paired_by_round_and_shares_are_of_the_rounds_own_limit():
    shape = {"texts": 10, "tokens": 500, "flops": 2e9}
    rounds = {speed.BASELINE: [measured(4.0), measured(8.0)], "onnxruntime int8": [measured(1.0), measured(1.0)]}
    limits = [{"fp32": 1.0, "int8": 4.0}, {"fp32": 1.0, "int8": 8.0}]
    result = figures("onnxruntime int8", rounds, limits, shape)
    assert result["times_pipeline"] == {"median": 6.0, "min": 4.0, "max": 8.0}
    assert result["share_of_limit"] == {"median": 0.375, "min": 0.25, "max": 0.5}
    assert result["tokens_per_cpu_s"]["median"] == 500
    assert result["latency_ms"]["p50"] == pytest.approx(20)
    assert result["p95_of_pipeline"] == pytest.approx(1.0)
    assert "encoder_share_of_limit" not in result
    reader = {"waqia onnxruntime int8": [{**measured(1.0), "encoder_cpu_s": 0.5}]}
    alone = figures("waqia onnxruntime int8", reader, limits[1:], shape)
    assert alone["encoder_share_of_limit"]["median"] == 2 * alone["share_of_limit"]["median"] == 0.5


def test_an_engine_that_cannot_run_here_says_why_in_its_row():
    rounds = {"openvino bf16": [{"unsupported": "no bf16 on this processor"}]}
    assert figures("openvino bf16", rounds, [{}], {}) == {"unsupported": "no bf16 on this processor"}


def test_an_engine_that_is_not_installed_is_told_as_such(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(worker, "find_spec", lambda name: None)
    (tmp_path / "passages.json").write_text("[]", "utf-8")
    worker.main([str(tmp_path), "openvino bf16", "--started", "0"])
    assert json.loads(capsys.readouterr().out) == {"unsupported": "not installed"}


def test_installed_size_counts_what_is_required():
    assert installed_mb(["waqia"]) > installed_mb(["onnxruntime"]) > 1


def test_spread_is_median_and_range():
    assert spread([3, 1, 2]) == {"median": 2, "min": 1, "max": 3}


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"engine \['onnx'\] unknown, expected some of 'pipeline batch 1'"):
        speed.main(["--engines", "onnx"])


def test_the_whole_road_runs_in_processes_of_its_own():
    plan = Plan(("waqia onnxruntime",), repeats=1, threads=1, latencies=2, seconds=0.01, articles=(8,))
    report = speed.measure_all(plan, ["mini"], 4, [ROOT / "data/dev.jsonl"])
    one = report["shapes"]["mini"]["engines"]["waqia onnxruntime"]
    assert one["changed"] == one["unlike_reference"] == 0
    assert 0 < one["latency_ms"]["p50"] <= one["latency_ms"]["p99"]
    text = "\n".join(table(json.loads(json.dumps(report))))
    assert "waqia onnxruntime, a stream of 8" in text
    assert "import waqia" in text
    assert "the encode graph alone, of the limit: waqia onnxruntime " in text
