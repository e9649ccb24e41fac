from __future__ import annotations

from collections import Counter

import pytest
import torch

from tests.conftest import span
from train import features as features_module
from train import tokenizer as tokenizers
from train.features import Collator, dataset, hidden_words, hide_words, read_windows
from train.model import IGNORE
from train.selfcheck import check
from waqia import read_records
from waqia.model.align import Reach
from waqia.model.windows import WindowSettings
from waqia.records import parse_record

WIDE = WindowSettings(256, 64)


@pytest.fixture(scope="module")
def tokenizer(root, labels):
    return tokenizers.train([record.text for record in read_records(root / "data/train.jsonl", labels)], 4000)


def features(row, tokenizer, labels, settings=WIDE):
    reach = Reach()
    return list(read_windows([parse_record(row, labels, "x")], tokenizer, labels, settings, reach)), reach


def test_targets_mark_the_words_of_the_spans(row, tokenizer, labels):
    (window,), reach = features(row, tokenizer, labels)
    assert window["triggers"] == [[0, 1, list(labels.incident_types).index("armed_attack"), 0]]
    roles, sectors = list(labels.roles), list(labels.sectors)
    assert window["spans"] == [
        [0, roles.index("initiator"), 1, 2, sectors.index("UAF")],
        [0, roles.index("target"), 3, 5, sectors.index("COP")],
        [0, roles.index("place"), 6, 7, IGNORE],
    ]
    assert (dict(reach.reached), dict(reach.lost)) == ({"incidents": 1, "participants": 3}, {})


def test_a_trigger_of_two_words_begins_once_and_goes_on(row, tokenizer, labels):
    row["incidents"][0]["trigger"] = span(row["text"], "هاجم مسلحون")
    (window,), _ = features(row, tokenizer, labels)
    assert window["trigger_targets"][1] == 0
    assert window["inside_targets"][:3] == [0, 1, 0]


def test_a_span_that_cuts_a_word_is_counted_as_lost(row, tokenizer, labels):
    row["incidents"][0]["participants"][0] = {"role": "initiator", "sector": "UAF", **span(row["text"], "مسلح")}
    _, reach = features(row, tokenizer, labels)
    assert reach.lost["participant outside the window or not at word bounds"] == 1


def test_an_actor_in_another_window_is_counted_as_lost(labels, tokenizer):
    text = "هاجم مسلحون دورية. " + "عاد الهدوء إلى الأحياء. " * 30 + "والضحايا من بلدة الصفصاف."
    participants = [{"role": "place", "sector": None, **span(text, "بلدة الصفصاف")}]
    incident = {"type": "armed_attack", "status": "actual", "trigger": span(text, "هاجم"), "participants": participants}
    _, reach = features({"id": "x", "text": text, "incidents": [incident]}, tokenizer, labels, WindowSettings(64, 16))
    assert reach.lost["participant outside the window or not at word bounds"] == 1
    assert reach.reached["incidents"] == 1


def test_types_that_were_not_asked_are_masked(row, tokenizer, labels):
    (window,), _ = features({**row, "annotated": ["armed_attack"]}, tokenizer, labels)
    assert sum(window["type_asked"]) == 1


def test_a_passage_answered_without_a_trigger_teaches_its_words_nothing(row, tokenizer, labels):
    (window,), _ = features({**row, "incidents": [], "answers": {"shelling": "yes"}}, tokenizer, labels)
    assert set(window["trigger_targets"]) == {IGNORE}
    assert sum(window["type_targets"]) == 1


def test_a_batch_points_participants_at_their_triggers(row, tokenizer, labels):
    (window,), _ = features(row, tokenizer, labels)
    (empty,), _ = features({"id": "y", "text": "طقس جميل في المدينة", "incidents": []}, tokenizer, labels)
    batch = Collator(0)([empty, window, window])
    assert batch["triggers"][:, 0].tolist() == [1, 2]
    assert batch["spans"][:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.all(batch["trigger_targets"][0, 4:] == IGNORE)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_gold_through_tags_and_decoding_is_gold_but_for_what_is_counted(root, split, tokenizer, labels):
    report = check(list(read_records(root / f"data/{split}.jsonl", labels)), tokenizer, labels, WIDE)
    assert report.scores["types micro-F1"] == 1
    assert report.scores["incidents F1"] == 1
    assert report.unexplained == 0


@pytest.mark.parametrize("split", ["train", "dev"])
def test_real_news_passes_the_label_road_too(root, split, tokenizer, labels):
    path = root.parent / f"shared/data/news/{split}.jsonl"
    if not path.exists():
        pytest.skip("the news files are not part of the project")
    report = check(list(read_records(path, labels)), tokenizer, labels, WIDE)
    assert report.scores["actors F1"] == pytest.approx(1, abs=2e-3)
    assert report.unexplained == 0


def test_windows_are_cut_once_and_found_again_with_what_they_reach(row, tokenizer, labels, tmp_path, monkeypatch):
    records = [parse_record(row, labels, "x")]
    first, reach = dataset(records, tokenizer, labels, WIDE, tmp_path / "cache")
    monkeypatch.delattr(features_module, "read_windows")  # a second cut would fail
    again, reach_again = dataset(records, tokenizer, labels, WIDE, tmp_path / "cache")
    assert again.to_list() == first.to_list()
    assert (reach_again.reached, reach_again.lost) == (reach.reached, reach.lost) != (Counter(), Counter())


def test_windows_are_cut_anew_for_other_labels_or_settings(row, tokenizer, labels, tmp_path):
    other = {**row, "incidents": []}
    sizes = [
        len(dataset([parse_record(one, labels, "x")], tokenizer, labels, settings, tmp_path)[0]["triggers"][0])
        for one, settings in ((row, WIDE), (other, WIDE), (row, WindowSettings(64, 16)))
    ]
    assert sizes == [1, 0, 1]
    assert len(list(tmp_path.iterdir())) == 3


def test_hidden_words_are_hidden_whole():
    ids = torch.arange(10, 22).view(2, 6)
    starts, ends = torch.tensor([[1, 3, 4], [1, 2, 0]]), torch.tensor([[3, 4, 5], [2, 5, 0]])
    hidden = hide_words(ids, starts, ends, 4, torch.ones(2, 3, dtype=torch.long))
    assert hidden.tolist() == [[10, 4, 4, 4, 4, 15], [16, 4, 4, 4, 4, 21]]
    keys = [[(7, epoch, 0), (7, epoch, 1)] for epoch in range(400)]
    words = torch.stack([hide_words(ids, starts, ends, 4, hidden_words(key, 3, 0.5)) == 4 for key in keys])
    assert torch.equal(words[:, 0, 1], words[:, 0, 2])
    assert 0.4 < words[:, 0, 1].float().mean() < 0.6


def test_a_collator_hides_words_only_where_asked(row, tokenizer, labels):
    (window,), _ = features(row, tokenizer, labels)
    plain, hidden = Collator(0)([window])["input_ids"], Collator(0, 4, 1.0)([{**window, "window": 3, "epoch": 0}])["input_ids"]
    assert plain[0].tolist() == window["ids"]
    assert set(hidden[0, 1:-1].tolist()) == {4}


def test_hidden_words_follow_from_seed_epoch_and_window_alone(row, tokenizer, labels):
    (window,), _ = features(row, tokenizer, labels)
    long = features({**row, "text": row["text"] + " كلمة أخرى" * 30}, tokenizer, labels)[0][0]
    collate = Collator(0, 4, 0.5, 7)

    def ids(epoch, number, *beside):
        batch = collate([{**one, "window": n, "epoch": epoch} for n, one in ((number, window), *beside)])
        return batch["input_ids"][0, : window["length"]].tolist()

    first = ids(0, 3)
    torch.manual_seed(9)
    assert ids(0, 3) == first == ids(0, 3, (5, long))
    assert len({tuple(ids(epoch, number)) for epoch in range(4) for number in range(4)}) > 8


def test_one_mention_of_an_incident_is_asked_for_participants_and_another_one_at_another_time(row, tokenizer, labels):
    (window,), _ = features(row, tokenizer, labels)
    trigger, spans = window["triggers"][0], window["spans"]
    again = [[1, *span[1:]] for span in spans]
    told_twice = {**window, "triggers": [trigger, trigger, trigger], "told": [0, 0, 1], "spans": [*spans, *again], "window": 0}
    all_of_them = Collator(0)([told_twice])
    assert all_of_them["asked"].tolist() == [0, 1, 2]
    batches = [Collator(0, seed=7, asked=1)([{**told_twice, "epoch": epoch}]) for epoch in range(20)]
    asked = {tuple(batch["asked"].tolist()) for batch in batches}
    assert asked == {(0, 2), (1, 2)}
    assert all(batch["triggers"].tolist() == all_of_them["triggers"].tolist() for batch in batches)
    assert all(batch["spans"].tolist() == [[0, *span[1:]] for span in spans] for batch in batches)


def test_windows_with_a_flipped_bit_are_cut_again(row, tokenizer, labels, tmp_path, caplog):
    records = [parse_record(row, labels, "x")]
    first, _ = dataset(records, tokenizer, labels, WIDE, tmp_path)
    kept = first.to_list()
    (arrow,) = tmp_path.glob("*/*.arrow")
    data = bytearray(arrow.read_bytes())
    data[len(data) // 2] ^= 16
    arrow.write_bytes(data)
    again, _ = dataset(records, tokenizer, labels, WIDE, tmp_path)
    assert again.to_list() == kept
    assert "is not whole" in caplog.text


def test_every_mention_is_a_trigger_with_the_participants_of_its_incident(labels, tokenizer):
    text = "هاجم مسلحون دورية في تعز. الهجوم أوقع قتلى، ثم اعتقلت الشرطة رجلا."
    attack = {
        "type": "armed_attack", "status": "actual", "trigger": span(text, "هاجم"), "mentions": [span(text, "الهجوم")],
        "participants": [{"role": "initiator", "sector": "UAF", **span(text, "مسلحون")}],
    }  # fmt: skip
    arrest = {"type": "arrest", "status": "actual", "trigger": span(text, "اعتقلت"), "participants": []}
    (window,), reach = features({"id": "x", "text": text, "incidents": [attack, arrest]}, tokenizer, labels)
    assert [row[0] for row in window["triggers"]] == [0, 6, 11]
    assert window["told"] == [0, 0, 1]
    assert [(row[0], row[2]) for row in window["spans"]] == [(0, 1), (1, 1)]
    assert window["pairs"] == [[0, 1, 1], [0, 2, 0], [1, 2, 0]]
    assert reach.reached == {"incidents": 2, "participants": 1}


def test_a_participant_out_of_the_window_is_learnt_by_another_of_its_mentions(labels, tokenizer):
    text = "هاجم مسلحون دورية. " + "عاد الهدوء إلى الأحياء. " * 30 + "بلدة الصفصاف هادئة. شهد المكان هجوما على البلدة."
    place = {"role": "place", "sector": None, **span(text, "بلدة الصفصاف"), "mentions": [span(text, "دورية")]}
    incident = {"type": "armed_attack", "status": "actual", "trigger": span(text, "هاجم"), "participants": [place]}
    windows, reach = features({"id": "x", "text": text, "incidents": [incident]}, tokenizer, labels, WindowSettings(64, 16))
    assert [row[2:4] for row in windows[0]["spans"]] == [[2, 3]]
    assert reach.lost == {}
