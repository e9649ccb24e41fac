"""The hub road without the hub: a cache laid out as huggingface_hub lays it out, with AraBERT's kind of files and random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
import yaml
from huggingface_hub.constants import HF_HUB_CACHE
from transformers import BertConfig, BertForMaskedLM

from tests.train.test_finetune import configure
from tests.train.test_resume import short
from train.config import FinetuneConfig, load_config
from train.run import Run, load_encoder
from waqia import ConfigError
from waqia.model.pipeline import read_texts

HUB_ID = "aubmindlab/bert-base-arabertv02"
WORDS = ["قصف", "مدفعي", "على", "مدينة", "حلب", "هاجم", "مسلحون", "دورية", "الشرطة", "في", "إلى", "من", "احتجاج", "قتل"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """HF_HOME with the model's snapshot: blobs behind links, as the hub client keeps them."""
    home = tmp_path_factory.mktemp("hf")
    folder = home / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    snapshot = folder / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(snapshot.name)
    vocabulary = ["[PAD]", *(f"[unused{n}]" for n in range(3)), "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[رابط]", "[بريد]", "[مستخدم]"]
    letters = [chr(code) for code in range(0x621, 0x64B)] + list("0123456789.,:;!?\"'-")
    vocabulary += [*letters, *(f"##{letter}" for letter in letters), *WORDS]
    vocabulary += [f"كلمة{n}" for n in range(64_000 - len(vocabulary))]
    (snapshot / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    settings = {"do_lower_case": False, "max_len": 512, "never_split": ["[بريد]", "[مستخدم]", "[رابط]"], "tokenizer_class": "BertTokenizer"}
    (snapshot / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False), "utf-8")
    (snapshot / "special_tokens_map.json").write_text(
        json.dumps({f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")})
    )
    torch.manual_seed(0)
    shape = BertConfig(vocab_size=64_000, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertForMaskedLM(shape).save_pretrained(snapshot)  # the hub's file has the language-model head too
    blobs = folder / "blobs"
    blobs.mkdir()
    for path in list(snapshot.iterdir()):
        path.rename(blobs / f"blob-{path.name}")
        path.symlink_to(f"../../blobs/blob-{path.name}")
    return home


def hub_config(root, tmp_path):
    return short(root, tmp_path, lambda data: data.update(encoder=HUB_ID, tokenizer="hub", name="arabert-test"))


def test_a_model_in_the_hub_cache_trains_and_reads_offline(root, tmp_path, cache):
    """What an export writes of it, beside graphs as of any other run, is its tokenizer."""
    command = [sys.executable, "-m", "train.finetune", str(hub_config(root, tmp_path))]
    environment = {**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    trained = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert trained.returncode == 0, trained.stderr
    run = Run.load(tmp_path / "run")
    (reading,) = read_texts(["هاجم مسلحون دورية الشرطة https://t.example/x"], run.reader())
    assert (reading.windows, reading.model) == (1, "arabert-test")
    tokenizer = json.loads(run.tokenizer.to_str())
    assert len(tokenizer["model"]["vocab"]) == 64_000
    assert {"[رابط]", "[بريد]", "[مستخدم]"} <= {token["content"] for token in tokenizer["added_tokens"]}


def test_without_the_model_the_error_names_the_cache_and_the_way_out(root, tmp_path):
    config = configure(root, tmp_path, lambda data: data.update(encoder="aubmindlab/in-no-cache", tokenizer="hub"))
    with pytest.raises(ConfigError, match="path of a folder") as failed:
        load_encoder(load_config(FinetuneConfig, config), [])
    assert HF_HUB_CACHE in str(failed.value)
    assert "hf download aubmindlab/in-no-cache" in str(failed.value)


def test_a_folder_in_hub_layout_works_in_place_of_an_id(root, tmp_path, cache):
    (snapshot,) = (cache / "hub").glob("models--*/snapshots/*")
    path = hub_config(root, tmp_path)
    data = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**data, "encoder": str(snapshot)}), "utf-8")
    config = load_config(FinetuneConfig, path)
    encoder, tokenizer = load_encoder(config, [])  # all that reads the encoder; the rest of the road is the same
    assert encoder.config.vocab_size == tokenizer.get_vocab_size() == 64_000
    assert tokenizer.token_to_id("[رابط]") == 8  # where the vocabulary has it


def test_the_shipped_configuration_asks_the_hub_for_arabert(root):
    data = yaml.safe_load((root / "configs/arabertv02/finetune.yaml").read_text("utf-8"))
    assert (data["encoder"], data["tokenizer"], data["training"]["precision"]) == (HUB_ID, "hub", "bf16")
