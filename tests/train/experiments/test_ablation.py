from __future__ import annotations

import json

import pytest
import yaml

from train.config import FinetuneConfig, load_config
from train.experiments.ablation import main, shown, variant
from waqia.errors import ConfigError
from waqia.labels import LabelSet


@pytest.fixture
def base(root):
    return load_config(FinetuneConfig, root / "configs/smoke/finetune.yaml")


def test_a_variant_changes_what_it_names_and_nothing_else(base):
    changed = variant(base, "no dropout", {"tokenizer": "hub"}, 3)
    assert (changed.tokenizer, changed.seed, changed.output.name) == ("hub", 3, "no-dropout-3")
    assert changed.training == base.training
    assert variant(base, "whole", {}, base.seed) == base


def test_a_key_that_no_configuration_has_is_refused(base):
    with pytest.raises(ValueError, match="tokeniser"):
        variant(base, "typo", {"tokeniser": "hub"}, 3)


def test_variants_are_set_beside_the_first(root, tmp_path, monkeypatch, capsys):
    """Runs that find everything, and runs that find nothing."""
    gold = [json.loads(line) for line in (root / "data/dev.jsonl").read_text("utf-8").splitlines()]

    def made(config):
        folder = tmp_path / config.output.name
        folder.mkdir(exist_ok=True)
        rows = [row | ({"incidents": []} if "silent" in config.output.name else {}) for row in gold]
        (folder / "dev-predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return folder

    monkeypatch.setattr("train.experiments.ablation.fine_tuned", made)
    plan = {
        "base": "configs/smoke/finetune.yaml",
        "gold": "data/dev.jsonl",
        "seeds": [1, 2],
        "variants": {"whole": {}, "silent": {"seed": 5}},
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), "utf-8")
    main([str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "table.json")])
    table = json.loads((tmp_path / "table.json").read_text("utf-8"))
    whole = {"mean": 1.0, "deviation": 0.0, "interval": [1.0, 1.0], "effect": 0.0, "p": 1.0, "decided": False}
    assert table["whole"]["incidents F1"] == whole
    roles = ["reporter F1", "place F1", "time F1", "casualties F1"]
    assert list(table["whole"])[3:8] == ["actors F1", *roles]
    assert table["silent"]["incidents F1"]["mean"] == 0
    assert table["silent"]["incidents F1"]["p"] < 0.01
    assert "0.000 ±0.000 [0.000, 0.000]*" in capsys.readouterr().out


def test_the_table_has_the_roles_of_its_label_set(root):
    named = ("types micro-F1", "types macro-F1", "incidents F1", "actors F1", "sectors accuracy", "incident-free kept")
    assert tuple(shown(LabelSet.load(root / "configs/labels/plover-gsr.yaml"))) == named  # two actors, no other role


def test_a_plan_with_a_key_too_many_names_it(tmp_path):
    (tmp_path / "plan.yaml").write_text("base: a\ngold: b\nseeds: [1]\nvariants: {}\nepochs: 3\n", "utf-8")
    with pytest.raises(ConfigError, match="epochs"):
        main([str(tmp_path / "plan.yaml")])
