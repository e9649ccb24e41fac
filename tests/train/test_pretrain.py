from __future__ import annotations

import gzip
import json
import lzma
import shutil
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
import zstandard
from accelerate.state import AcceleratorState
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from tests.processes import Command
from train.checkpoints import seal_file
from train.config import load_config
from train.pretrain.__main__ import main
from train.pretrain.config import Optimisation, PretrainConfig
from train.pretrain.corpus import Corpus, CorpusConfig, TextSource, distinct, documents, pack
from train.pretrain.pretraining import Batch, MaskedLanguageModel, Pretraining, ahead, check_rows, optimizers
from train.pretrain.start import mimetic, ppmi_svd
from train.tokenizer import train as train_tokenizer
from waqia import ConfigError, RecordError


def configure(root, folder, **changes):
    data = yaml.safe_load((root / "configs/smoke/pretrain.yaml").read_text("utf-8"))
    data["output"] = str(folder / "run")
    data["corpus"]["sources"][0]["path"] = str(root / "data/train.jsonl")
    data |= changes
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(data), "utf-8")
    return folder / "config.yaml"


def pretrained(config):
    """Pretrain here, on one thread; on some processors the losses are those of a process of its own but for the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)  # of what this process may have trained before
    try:
        main([str(config)])
    finally:
        torch.set_num_threads(threads)


def lend(finished, other):
    """Give a run that has not begun the vocabulary of a finished one: learning it again would break ties otherwise."""
    shutil.copy(finished / "run/tokenizer.json", other / "run/lent.json")
    seal_file(other / "run/lent.json", other / "run/tokenizer.json")


def losses(folder):
    rows = [json.loads(line) for line in (folder / "run/log.jsonl").read_text("utf-8").splitlines()]
    return {row["step"]: (row["loss"], row["held_out_loss"]) for row in rows}


@pytest.fixture(scope="module")
def whole(root, tmp_path_factory):
    """A finished smoke run, in a process of its own as those that are killed."""
    folder = tmp_path_factory.mktemp("pretrain")
    Command(folder / "said", "train.pretrain", configure(root, folder)).finish()
    return folder


def test_pretraining_lowers_the_held_out_loss(whole):
    found = losses(whole)
    assert found[max(found)][1] < found[1][1]


def test_the_encoder_is_an_ordinary_bert_folder(whole):
    encoder, tokenizer = AutoModel.from_pretrained(whole / "run/encoder"), AutoTokenizer.from_pretrained(whole / "run/encoder")
    states = encoder(**tokenizer("قصف مدفعي على المدينة", return_tensors="pt")).last_hidden_state
    assert states.shape[-1] == 32
    assert torch.isfinite(states).all()


def test_a_run_killed_at_any_moment_resumes_to_the_same_losses(root, tmp_path, whole):
    config = configure(root, tmp_path / "cut")
    (tmp_path / "cut/run").mkdir()
    lend(whole, tmp_path / "cut")
    cut = Command(tmp_path / "said", "train.pretrain", config)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "cut/run").glob("checkpoint-*/manifest.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    cut.kill()
    Command(tmp_path / "said", "train.pretrain", config).finish()
    assert losses(tmp_path / "cut") == losses(whole)


def test_two_processes_have_the_losses_of_one(root, tmp_path, whole):
    config = configure(root, tmp_path / "two")
    (tmp_path / "two/run").mkdir()
    lend(whole, tmp_path / "two")
    Command(tmp_path / "said", "train.pretrain", config, processes=2).finish()
    one, two = losses(whole), losses(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(two[step] == pytest.approx(one[step], abs=1e-4) for step in one)


def test_losses_do_not_change_with_how_a_step_is_cut(root, tmp_path, whole):
    settings = yaml.safe_load((root / "configs/smoke/pretrain.yaml").read_text("utf-8"))["optimisation"]
    config = configure(root, tmp_path / "cut", optimisation=settings | {"micro_batch_rows": 3})
    (tmp_path / "cut/run").mkdir()
    lend(whole, tmp_path / "cut")
    pretrained(config)
    one, other = losses(whole), losses(tmp_path / "cut")
    assert all(other[step] == pytest.approx(one[step], abs=1e-4) for step in one)


def test_an_encoder_is_adapted_to_other_texts(root, tmp_path, whole):
    config = configure(root, tmp_path / "adapted", encoder=str(whole / "run/encoder"))
    pretrained(config)
    found = losses(tmp_path / "adapted")
    assert found[max(found)][1] < losses(whole)[1][1]


def test_whole_words_are_masked_at_the_rate_asked_for():
    rows = np.random.default_rng(0).integers(5, 100, (64, 128)).astype(np.int32)
    continues = np.arange(100) >= 60
    batch = Batch(rows, (1, 2), continues, 0.25, 4, np.arange(100) < 5, 512)
    hidden = np.zeros(rows.size, bool)
    hidden[batch.masked.numpy()] = True
    hidden = hidden.reshape(rows.shape)
    assert 0.22 < hidden.mean() < 0.3
    later = continues[rows][:, 1:]
    assert (hidden[:, 1:] == hidden[:, :-1])[later].all()
    assert torch.equal(batch.targets, torch.from_numpy(rows[hidden].astype(np.int64)))


def test_masks_are_a_function_of_seed_and_step_alone():
    rows = np.random.default_rng(0).integers(5, 100, (4, 32)).astype(np.int32)
    a, b, c = (Batch(rows, key, np.zeros(100, bool), 0.2, 4, np.arange(100) < 5, 64) for key in ((1, 2), (1, 2), (1, 3)))
    assert torch.equal(a.ids, b.ids)
    assert not torch.equal(a.ids, c.ids)


def test_texts_are_read_from_packed_files_filtered_and_deduplicated(tmp_path):
    rows = [{"text": f"خبر {word}", "kind": kind} for word, kind in (("أول", "a"), ("ثان", "b"), ("أول", "a"))]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    for suffix, squeeze in {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}.items():
        path = tmp_path / f"t.jsonl{suffix}"
        path.write_bytes(squeeze(lines))
        source = TextSource(path=path, where={"kind": ("a",)}, repeat=1, final_repeat=1)
        assert list(documents(source)) == ["خبر أول", "خبر أول"]
        assert distinct([source]) == [["خبر أول"]]
    (tmp_path / "t.txt").write_text("سطر\n\nآخر\n", "utf-8")
    assert list(documents(TextSource(path=tmp_path / "t.txt", where={}, repeat=1, final_repeat=1))) == ["سطر", "آخر"]


def test_a_row_without_text_is_named(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "خبر"}\n{"body": "خبر"}\n', "utf-8")
    with pytest.raises(RecordError, match=r"t\.jsonl:2: expected an object with a field `text`"):
        list(documents(TextSource(path=tmp_path / "t.jsonl", where={}, repeat=1, final_repeat=1)))


def test_rows_are_packed_without_padding_and_held_out_documents_stay_out(tmp_path, root):
    source = TextSource(path=root / "data/dev.jsonl", where={}, repeat=1, final_repeat=1)
    tokenizer = train_tokenizer(documents(source), 500)
    corpus = pack(CorpusConfig(sources=(source,), row_tokens=32, held_out=0.3), tokenizer, tmp_path)
    assert (corpus.sources[0] != tokenizer.token_to_id("[PAD]")).all()
    assert (corpus.sources[0][:, 0] == tokenizer.token_to_id("[CLS]")).all()
    rows = {tuple(row) for row in corpus.sources[0].tolist()}
    assert corpus.held_out.size
    assert not rows & {tuple(row) for row in corpus.held_out.tolist()}


def test_static_embeddings_put_words_of_like_company_near_each_other():
    random = np.random.default_rng(0)
    topics = random.integers(0, 2, 4000)
    tokens = (topics.repeat(8) * 10 + random.integers(0, 10, 32_000)).astype(np.int32)
    vectors = ppmi_svd(tokens, 20, 4, 0)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = unit @ unit.T
    assert alike[:10, :10].mean() > alike[:10, 10:].mean() + 0.3


def test_special_tokens_at_the_end_of_a_vocabulary_are_never_masked():
    rows = np.random.default_rng(0).integers(0, 100, (64, 128)).astype(np.int32)
    special = np.arange(100) >= 95
    batch = Batch(rows, (1,), np.zeros(100, bool), 0.25, 99, special, 512)
    assert 0.22 < len(batch.masked) / rows.size < 0.3
    assert not special[batch.targets.numpy()].any()
    changed = batch.ids.flatten()[batch.masked].numpy()
    assert not special[changed[changed != 99]].any()


@pytest.mark.parametrize("field", ["repeat", "final_repeat", "held_out"])
def test_a_phase_without_rows_is_refused_at_the_start(root, tmp_path, field):
    config = load_config(PretrainConfig, configure(root, tmp_path / "empty"))
    one, none = np.ones((1, 64), np.int32), np.ones((0, 64), np.int32)
    source = config.corpus.sources[0].model_copy(update={} if field == "held_out" else {field: 0})
    config = config.model_copy(update={"corpus": config.corpus.model_copy(update={"sources": (source,)})})
    with pytest.raises(ConfigError, match=field):
        check_rows(Corpus((one,), none if field == "held_out" else one, 64), config)


def test_a_checkpoint_is_sealed_only_after_its_encoder_is_written(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr("train.pretrain.pretraining.save_encoder", lambda *_: order.append("encoder"))
    monkeypatch.setattr("train.pretrain.pretraining.seal", lambda *_: order.append("seal"))
    part = SimpleNamespace(state_dict=dict, encoder=None)
    main = SimpleNamespace(is_main_process=True)
    run = SimpleNamespace(
        accelerator=main, config=SimpleNamespace(output=tmp_path), step=1, key="a", raw_model=part, optimizers=[part], tokenizer=None
    )
    Pretraining.save(run)
    assert order == ["encoder", "seal"]


def test_a_mimetic_start_looks_at_neighbours_from_the_first_step():
    settings = BertConfig(
        vocab_size=200, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64, max_position_embeddings=96
    )
    encoder = BertModel._from_config(settings, attn_implementation="eager", add_pooling_layer=False).eval()
    tokens = np.random.default_rng(0).integers(5, 200, 4000).astype(np.int32)
    mimetic(encoder, tokens, 0)
    with torch.inference_mode():
        first, second, third = encoder(torch.from_numpy(tokens[:96].astype(np.int64))[None], output_attentions=True).attentions
    for head, offset in enumerate((-1, 1, -2)):
        assert first[0, head].diagonal(offset).mean() > 0.5
    assert second[0, 0].diagonal(-1).mean() > 0.2
    assert third.max() < 0.5


def test_a_mimetic_start_is_a_function_of_its_seed():
    settings = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    tokens = np.random.default_rng(0).integers(5, 60, 2000).astype(np.int32)
    torch.manual_seed(0)
    one = BertModel(settings, add_pooling_layer=False)
    other = BertModel(settings, add_pooling_layer=False)
    other.load_state_dict(one.state_dict())
    mimetic(one, tokens, 3)
    mimetic(other, tokens, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_every_weight_has_one_optimiser_and_muon_only_the_matrices_of_the_layers(root, kind):
    data = load_config(PretrainConfig, root / "configs/smoke/pretrain.yaml").optimisation.model_dump() | {"optimizer": kind}
    settings = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    model = MaskedLanguageModel(BertModel(settings, add_pooling_layer=False))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    made = optimizers(model, Optimisation.model_validate(data))
    held = [[names[id(p)] for group in optimizer.param_groups for p in group["params"]] for optimizer in made]
    assert sorted(name for part in held for name in part) == sorted(names.values())
    if kind == "muon":
        assert {name.rsplit(".", 1)[1] for name in held[1]} == {"weight"}
        assert all(".layer." in name and "LayerNorm" not in name for name in held[1])
        assert len(held[1]) == 2 * 6
    else:
        assert len(made) == 1


def test_batches_are_made_one_ahead_in_order_and_what_fails_in_making_one_is_raised():
    made = []

    def batches():
        for number in range(3):
            made.append(threading.get_ident())
            yield number
        raise RecordError("the fourth")

    taken = []
    with pytest.raises(RecordError, match="the fourth"):
        taken.extend(ahead(batches()))
    assert taken == [0, 1, 2]
    assert threading.get_ident() not in made


def test_a_new_encoder_takes_the_place_of_the_old_one_in_one_step(tmp_path, monkeypatch):
    from train.pretrain import pretraining

    seen = []
    place = tmp_path / "encoder"
    place.mkdir()
    (place / "old").write_text("old")
    monkeypatch.setattr(pretraining.tokenizers, "save", lambda *_: seen.append([path.name for path in place.iterdir()]))
    monkeypatch.setattr(pretraining.shutil, "rmtree", lambda path, **_: seen.append(path.name))
    settings = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    pretraining.save_encoder(BertModel(settings, add_pooling_layer=False), None, place)
    assert seen == ["encoder.partial", ["old"], "encoder.partial"]  # the old one is never removed from its place
    assert not (place / "old").exists()
    assert (place / "model.safetensors").exists()


def test_pretraining_goes_on_from_the_encoder_of_a_joint_model(root, tmp_path, monkeypatch):
    from train.pretrain import pretraining

    asked = []
    config = load_config(PretrainConfig, configure(root, tmp_path / "joint", encoder="some/joint"))
    monkeypatch.setattr(pretraining, "is_joint", lambda name: True)
    monkeypatch.setattr(pretraining, "load_joint", lambda *given: asked.append(given) or SimpleNamespace(encoder="its encoder"))
    assert pretraining.load_encoder(config, None, None) == "its encoder"
    assert asked == [("some/joint", "eager", {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})]
