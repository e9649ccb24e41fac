from __future__ import annotations

import pytest
import yaml

from train.config import FinetuneConfig, config_path, load_config
from train.pretrain.config import PretrainConfig
from waqia import ConfigError


def changed(root, tmp_path, change) -> str:
    """A copy of the smoke configuration after a change."""
    data = yaml.safe_load((root / "configs/smoke/finetune.yaml").read_text("utf-8"))
    change(data)
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return str(path)


def test_every_shipped_configuration_is_complete(root):
    names = ("finetune", "quickstart", "transfer", "scratch", "short", "pretrain")
    paths = [path for name in names for path in (root / "configs").glob(f"*/{name}.yaml")]
    assert len(paths) == 10, paths
    for path in paths:
        assert load_config(PretrainConfig if path.stem == "pretrain" else FinetuneConfig, path).output.parts[0] == "runs"


def test_a_configuration_that_points_outside_the_repository_says_so_in_its_first_line(root):
    for path in (root / "configs").rglob("*.yaml"):
        text = path.read_text("utf-8")
        assert "../" not in text or "needs ../shared" in text.splitlines()[0].lower(), path


def test_a_misspelt_key_fails_with_its_name(root, tmp_path):
    path = changed(root, tmp_path, lambda data: data["training"].update(epoch=3))
    with pytest.raises(ConfigError, match=r"c\.yaml: training\.epoch: Extra inputs are not permitted"):
        load_config(FinetuneConfig, path)


def test_a_missing_key_fails_with_its_name(root, tmp_path):
    path = changed(root, tmp_path, lambda data: data["training"].pop("warmup"))
    with pytest.raises(ConfigError, match=r"training\.warmup: Field required"):
        load_config(FinetuneConfig, path)


def test_every_fault_is_reported(root, tmp_path):
    path = changed(root, tmp_path, lambda data: (data.pop("seed"), data.update(sed=1)))
    with pytest.raises(ConfigError) as caught:
        load_config(FinetuneConfig, path)
    assert len(str(caught.value).splitlines()) >= 2


def test_a_rate_that_yaml_reads_as_text_is_a_number(root, tmp_path):
    text = (root / "configs/smoke/finetune.yaml").read_text("utf-8").replace("encoder_learning_rate: 1e-3", "encoder_learning_rate: 3e-5")
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    assert yaml.safe_load("3e-5") == "3e-5"  # the trap
    assert load_config(FinetuneConfig, tmp_path / "c.yaml").training.encoder_learning_rate == 3e-5


def test_heads_that_do_not_divide_are_explained(root, tmp_path):
    path = changed(root, tmp_path, lambda data: data["heads"].update(attention_heads=5))
    with pytest.raises(ConfigError, match="must be a multiple"):
        load_config(FinetuneConfig, path)


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: No such file"):
        load_config(FinetuneConfig, tmp_path / "gone.yaml")


def test_a_script_takes_one_configuration():
    assert config_path(["a.yaml"]) == "a.yaml"
    with pytest.raises(ConfigError, match="expected one configuration file"):
        config_path([])


@pytest.mark.parametrize(("wrong", "right"), [("epoch", "epochs"), ("save_step", "save_steps"), ("encoder_dropuot", "encoder_dropout")])
def test_a_misspelt_key_is_answered_with_the_nearest(root, tmp_path, wrong, right):
    path = changed(root, tmp_path, lambda data: data["training"].update({wrong: 3}))
    with pytest.raises(ConfigError, match=rf"did you mean training\.{right}\?"):
        load_config(FinetuneConfig, path)


def test_a_misspelt_path_is_answered_with_the_nearest(root, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(ConfigError, match=r"did you mean configs/smoke/finetune\.yaml"):
        load_config(FinetuneConfig, "configs/smoke/finetun.yaml")


def test_a_configuration_in_another_encoding_is_told(tmp_path):
    (tmp_path / "c.yaml").write_bytes("name: واقعة".encode("cp1256"))
    with pytest.raises(ConfigError, match="save the file in UTF-8"):
        load_config(FinetuneConfig, tmp_path / "c.yaml")


@pytest.mark.parametrize("value", [".nan", ".inf"])
def test_a_number_that_is_not_finite_is_refused(root, tmp_path, value):
    text = (root / "configs/smoke/finetune.yaml").read_text("utf-8").replace("weight_decay: 0.01", f"weight_decay: {value}")
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="finite"):
        load_config(FinetuneConfig, tmp_path / "c.yaml")
