from __future__ import annotations

import json
import lzma

import numpy as np

from train.config import load_config
from train.screening import documents as making
from train.screening import roads
from train.screening.bound import bound, drawn, share_lost
from train.screening.config import ScreenConfig, Student
from train.screening.students import best_scores, fit, narrowed, tokens, whole
from train.screening.teacher import load, read_documents, sample, save
from waqia import Reader
from waqia.bulk.screen import HIGHEST, scores
from waqia.model import artefact
from waqia.model.windows import Window

WIDE = np.arange(1, 301)  # scores of 300 documents, all different


def test_with_too_few_documents_no_loss_at_all_proves_one_in_a_hundred():
    # 0.99 ** 229 = 0.1001, 0.99 ** 230 = 0.0991
    assert bound(WIDE[:229], 0.01, 0.9) is None
    assert bound(WIDE[:230], 0.01, 0.9).misses == 0


def test_the_threshold_is_the_highest_whose_misses_the_binomial_test_lets_pass():
    # of 300 at 5 %: P(at most 9) = 0.066, P(at most 10) = 0.113
    found = bound(WIDE, 0.05, 0.9)
    assert (found.misses, found.threshold, found.documents) == (9, 10, 300)


def test_documents_of_like_scores_pass_or_fail_together():
    assert bound(np.repeat([1, 2], [20, 280]), 0.05, 0.9).threshold == 1


def test_each_document_with_incidents_gives_one_of_them():
    best = [np.array([5, 5]), np.array([], np.int64), np.array([1, 2, 3])]
    assert drawn(best, 7)[0] == 5
    assert len(drawn(best, 7)) == 2
    assert {int(drawn(best, seed)[1]) for seed in range(30)} == {1, 2, 3}


def test_an_incident_is_lost_where_no_window_that_mentions_it_reaches_the_threshold():
    best = best_scores(np.array([4, 9, 2, 7]), [3, 1], [[(0, 1), (2,)], [(0,)]])
    assert [one.tolist() for one in best] == [[9, 2], [7]]
    assert share_lost(best, 7) == (1, 3)
    assert share_lost([], 7) == (0, 0)


def test_vectors_are_narrowed_onto_their_main_axes_and_padding_is_nothing():
    chance = np.random.default_rng(7)
    vectors, kept = narrowed(chance.normal(size=(500, 6)) * np.array([9, 5, 0.01, 0.01, 0.01, 0.01]), 2)
    assert kept > 0.999
    assert (vectors[0] == 0).all()
    assert 120 <= np.abs(vectors[1:].astype(int)).max(0).min() <= 127


def test_whole_numbers_order_windows_as_the_fitted_ones_do():
    chance = np.random.default_rng(7)
    vectors = chance.integers(-100, 100, (50, 8)).astype(np.int8)
    first, bias, second = chance.normal(size=(32, 16)) / 100, chance.normal(size=16), chance.normal(size=16)
    weights = whole(vectors, first.astype(np.float32), bias.astype(np.float32), second.astype(np.float32))
    seen = chance.integers(-100, 100, (400, 32))
    exact = np.maximum(seen @ first + bias, 0) @ second
    hidden = np.clip(np.floor((seen @ weights.first.astype(np.int64) + weights.bias) * weights.scale), 0, HIGHEST)
    rough = hidden @ weights.second.astype(int)
    assert np.corrcoef(exact, rough)[0, 1] > 0.995


def test_a_student_learns_the_word_that_begins_a_mention_in_one_neighbourhood_only():
    chance = np.random.default_rng(7)
    settings = Student(
        depth=8, neighbours=1, hidden=8, epochs=30, negatives=4, batch_tokens=64, learning_rate=0.01, weight_decay=0.0, dropout=0.0
    )
    vectors = chance.integers(-127, 127, (30, 8)).astype(np.int8)
    windows, triggers = [], []
    for _ in range(200):
        ids = chance.integers(1, 30, 10)
        found = (ids == 7) & (np.roll(ids, 1) == 9) & (np.arange(10) > 0)
        if chance.random() < 0.5:
            ids[4:6], found = (9, 7), found | (np.arange(10) == 5)
        place = np.arange(10)
        windows.append(Window(ids, place, place + 1, np.zeros((10, 2), np.int64), (0, 10)))
        triggers.append(found.astype(np.float32))
    told = np.array([row.any() for row in triggers])
    said = scores(windows, fit(tokens(windows, triggers), vectors, settings, 7))
    assert np.median(said[told]) > np.quantile(said[~told], 0.95)


def test_what_the_full_model_says_is_read_back_as_it_was_kept(tmp_path, passages):
    folder = tmp_path / "corpus"
    folder.mkdir()
    rows = [{"id": f"d{n}", "text": text} for n, text in enumerate(passages[:12])]
    with lzma.open(folder / "paper.jsonl.xz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    documents = sample(folder, ["paper"], 8, 7)
    assert documents == sample(folder, ["paper"], 8, 7)
    assert len({one.id for one in documents}) == 8
    reader = Reader.load(threads=1)
    reads = list(read_documents(documents, reader._model))
    assert [len(one.incidents) for one in reads] == [len(reader.read(one.text).incidents) for one in documents]
    save(tmp_path / "reads.npz", reads, "a model")
    assert load(tmp_path / "reads.npz", "another model") == load(tmp_path / "none.npz", "a model") == []
    for one, back in zip(reads, load(tmp_path / "reads.npz", "a model"), strict=True):
        assert (one.id, one.outlet, one.incidents) == (back.id, back.outlet, back.incidents)
        assert all(np.array_equal(a, b) for a, b in zip(one.triggers, back.triggers, strict=True))
        assert all(np.array_equal(a.ids, b.ids) and a.owned == b.owned for a, b in zip(one.windows, back.windows, strict=True))


def test_a_second_run_reads_only_the_documents_that_the_first_did_not(tmp_path, root, passages, monkeypatch):
    with lzma.open(tmp_path / "paper.jsonl.xz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps({"id": f"d{n}", "text": text}) + "\n" for n, text in enumerate(passages[:4]))
    shipped = load_config(ScreenConfig, root / "configs/waqia-mini/screen.yaml")
    asked = []
    monkeypatch.setattr(making, "read_documents", lambda left, *args, **how: asked.append(len(left)) or read_documents(left, *args, **how))
    told = {"corpus": tmp_path, "outlets": ["paper"], "other_outlets": [], "readings": tmp_path / "runs/reads.npz"}
    full = artefact.load(root / shipped.artefact)
    for count in (3, 4, 4):
        reads = making.readings(shipped.model_copy(update={**told, "documents": count}), full)
        assert len({one.id for one in reads}) == count
    assert asked == [3, 1, 0]


def test_the_ways_to_screen_are_set_side_by_side(tmp_path, root, passages, monkeypatch, capsys):
    for name, some in (("n", [*passages[:6], *["افتتح المعرض الدولي للكتاب أمس"] * 6]), ("o", passages[6:9])):
        with lzma.open(tmp_path / f"{name}.jsonl.xz", "wt", encoding="utf-8") as out:
            out.writelines(json.dumps({"id": f"{name}{n}", "text": text}) + "\n" for n, text in enumerate(some))
    (tmp_path / "labelled.jsonl").write_text((root / "data/dev.jsonl").read_text("utf-8").partition("\n")[0] + "\n", "utf-8")
    shipped = load_config(ScreenConfig, root / "configs/waqia-mini/screen.yaml")
    student = shipped.student.model_copy(update={"depth": 8, "hidden": 8, "epochs": 1, "batch_tokens": 8})
    files = {"corpus": tmp_path, "outlets": ["n"], "other_outlets": ["o"], "readings": tmp_path / "reads.npz"}
    told = {**files, "documents": 12, "other_documents": 3, "labelled": [tmp_path / "labelled.jsonl"], "fitted": 0.5}
    config = shipped.model_copy(update={**told, "artefact": root / shipped.artefact, "student": student, "lost": [0.05]})
    monkeypatch.setattr(roads, "load_config", lambda *_: config)
    monkeypatch.setattr(roads, "WIDTHS", {"as it ships": {}})
    roads.main(["any.yaml"])
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row[:42].strip() for row in rows] == [
        "hashed runs of one to three tokens, linear",
        "static embeddings, as it ships",
        "exit after layer 1",
        "exit after layer 2",
    ]


def test_the_configuration_of_the_shipped_screen_is_complete(root):
    config = load_config(ScreenConfig, root / "configs/waqia-mini/screen.yaml")
    told = json.loads((root / config.output / "screen.json").read_text("utf-8"))["card"]["config"]
    assert told == config.model_dump(mode="json")
