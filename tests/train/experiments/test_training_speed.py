from __future__ import annotations

import json

import torch

from train.experiments.training_speed import endless, main, measured, widened


def test_a_quick_run_measures_both_roads_of_both_kinds_of_training(tmp_path, capsys):
    smoke = ["--pretrain", "configs/smoke/pretrain.yaml", "--finetune", "configs/smoke/finetune.yaml"]
    main([*smoke, "--quick", "--out", str(tmp_path / "speed.json")])
    result = json.loads((tmp_path / "speed.json").read_text("utf-8"))
    for kind in ("pretraining", "fine-tuning"):
        stock, ours = result[kind].values()
        assert stock["times"] == 1
        assert ours["tokens_a_second"] > 0
    assert "of limit" in capsys.readouterr().out


def test_roads_are_run_in_turn_and_compared_to_the_first(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("train.experiments.training_speed.time.perf_counter", lambda: float(next(clock)))
    turns: list[str] = []

    def step(name, tokens):
        return lambda: turns.append(name) or tokens

    result = measured({"a": step("a", 10), "b": step("b", 30)}, 2.0, [0.02, 0.01])
    assert "".join(turns) == "ab" + 2 * ("a" * 5 + "b" * 5)
    assert result["b"]["times"] == 3
    assert result["b"]["of_limit"] == 150 * 0.01


def test_padding_adds_no_real_tokens():
    batch = {"input_ids": torch.ones(2, 5, dtype=torch.long), "attention_mask": torch.ones(2, 5, dtype=torch.long)}
    wide = widened(batch, 9)
    assert wide["input_ids"].shape == (2, 9)
    assert wide["attention_mask"].sum() == 10


def test_every_number_comes_once_each_time_around():
    numbers = endless(4)
    for _ in range(3):
        assert sorted(next(numbers) for _ in range(4)) == [0, 1, 2, 3]
