"""What is uploaded to the Hugging Face hub, and that it comes back the same from the cache that huggingface_hub makes of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from transformers import AutoModel

from tests.hub import COMMIT, lay
from tests.train.test_finetune import configure
from train import push
from train.config import FinetuneConfig, load_config
from train.model import IncidentModel
from train.run import Run, build_model, load_encoder, start_model
from waqia import ConfigError, Reader
from waqia.model import artefact
from waqia.model.calibration import Calibration

NAME = "org/waqia-test"
TEXT = "قصف مدفعي على مدينة إدلب مساء أمس."


def content(operation):
    """The bytes that a commit adds."""
    with operation.as_file() as file:
        return file.read()


@pytest.fixture
def pushed(tmp_path, monkeypatch):
    """What was committed, by repository and file; a commit also stands in the cache then, and no network is asked for it."""
    committed = {}

    def commit(_, repository, operations, commit_message):
        assert commit_message.endswith("by python -m train.push")
        committed[repository] = {operation.path_in_repo: content(operation) for operation in operations}
        lay(tmp_path / "cache", repository, committed[repository])
        return SimpleNamespace(commit_url=f"https://huggingface.co/{repository}/commit/{COMMIT}")

    made = []
    monkeypatch.setattr(HfApi, "create_repo", lambda _, name, private, exist_ok: made.append((name, private, exist_ok)))
    monkeypatch.setattr(HfApi, "create_commit", commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return SimpleNamespace(committed=committed, made=made)


@pytest.fixture
def run(root, labels, tmp_path):
    """A run as fine-tuning leaves it, its model untrained; its folder holds texts and logs too."""
    config = load_config(FinetuneConfig, configure(root, tmp_path, lambda data: data["encoder"].update(vocabulary=300)))
    encoder, tokenizer = load_encoder(config, [TEXT])
    model = build_model(encoder, config, labels).eval()
    made = Run(config, labels, tokenizer, model, Calibration.plain(labels), {"data": {}, "label_set": "0"})
    made.save(tmp_path / "run")
    for name, text in {"README.md": "# mine\n", "dev-scores.json": "{}", "trainer-state.json": "{}", "dev-predictions.jsonl": TEXT}.items():
        (tmp_path / "run" / name).write_text(text, "utf-8")
    return made


def test_an_artefact_comes_back_from_the_hub_as_it_was(pushed, capsys):
    push.main([str(artefact.DEFAULT), NAME, "--private"])
    assert pushed.made == [(NAME, True, True)]
    assert capsys.readouterr().out == f"https://huggingface.co/{NAME}/commit/{COMMIT}\n"
    assert Reader.load(NAME, threads=1).read(TEXT) == Reader.load(threads=1).read(TEXT)


def test_the_card_of_an_artefact_says_how_to_read_with_it_and_what_its_gate_found(pushed):
    push.main([str(artefact.DEFAULT), NAME])
    card = ModelCard(pushed.committed[NAME]["README.md"].decode())
    assert (card.data.model_name, card.data.library_name, card.data.language) == ("waqia-mini-int8", "waqia", "ar")
    assert card.data.base_model is None  # the encoder was a folder, no repository
    assert f'waqia.Reader.load("{NAME}")' in card.text
    assert "24 types of the label set `incidents` (version 1)" in card.text
    figures = artefact.load().card["int8"]["figures"]["onnxruntime"]["incidents F1"]
    assert f"| onnxruntime | incidents F1 | {figures['fp32']:.3f} | {figures['int8']:.3f} |" in card.text


def test_a_card_of_ones_own_takes_the_place_of_the_one_made(pushed, tmp_path):
    (tmp_path / "model-card.md").write_text("---\nlicense: mit\n---\n# mine\n", "utf-8")
    push.main([str(artefact.DEFAULT), NAME, "--card", str(tmp_path / "model-card.md")])
    assert pushed.committed[NAME]["README.md"] == b"---\nlicense: mit\n---\n# mine\n"
    with pytest.raises(ConfigError, match=r"gone\.md: no such file"):
        push.main([str(artefact.DEFAULT), NAME, "--card", str(tmp_path / "gone.md")])


def test_a_run_is_uploaded_without_the_texts_it_was_judged_on(pushed, run, tmp_path):
    push.main([str(tmp_path / "run"), NAME])
    assert set(pushed.committed[NAME]) == {*push.RUN, *push.RUN_BESIDE, "README.md"}
    assert not [name for name, data in pushed.committed[NAME].items() if TEXT.encode() in data]


def test_a_run_of_the_hub_is_loaded_by_transformers_exported_and_gone_on_from(pushed, run, root, tmp_path, labels):
    push.main([str(tmp_path / "run"), NAME])
    kept = run.model.state_dict()
    with torch.no_grad():
        for load in (IncidentModel.from_pretrained, AutoModel.from_pretrained):
            assert all(torch.equal(kept[name], tensor) for name, tensor in load(NAME).state_dict().items())
    again = Run.load(NAME)
    assert again.tokenizer.to_str() == run.tokenizer.to_str()
    assert all(torch.equal(kept[name], tensor) for name, tensor in again.model.state_dict().items())
    (tmp_path / "next").mkdir()
    config = load_config(FinetuneConfig, configure(root, tmp_path / "next", lambda data: data.update(encoder=NAME)))
    model, _ = start_model(config, labels, [])
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items())
    assert load_encoder(config, [])[0].config.hidden_size == 32


def test_a_folder_that_is_neither_is_refused_with_what_is_missing(pushed, run, tmp_path):
    (tmp_path / "run/model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"no manifest\.json, so no artefact, and model\.safetensors missing for a finished run"):
        push.main([str(tmp_path / "run"), NAME])
    assert not pushed.committed


def test_a_damaged_artefact_is_not_uploaded(pushed, tmp_path):
    for name in (artefact.MANIFEST, *artefact.FILES):
        (tmp_path / name).write_bytes((artefact.DEFAULT / name).read_bytes() + (b" " if name == "settings.json" else b""))
    with pytest.raises(ValueError, match=r"settings\.json: differs from its sha256"):
        push.main([str(tmp_path), NAME])
    assert not pushed.committed
