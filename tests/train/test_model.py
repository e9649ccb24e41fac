from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import BertConfig, BertModel

from train import tokenizer as tokenizers
from train.config import HeadShape, LossWeights
from train.features import Collator, read_windows
from train.model import IncidentModel, MergeHead, Sizes, distance_bucket, merge_loss, participants_loss, word_means
from waqia import read_records
from waqia.model.align import Reach
from waqia.model.merge import PAIR_FEATURES
from waqia.model.windows import WindowSettings


@pytest.fixture(scope="module")
def features(root, labels):
    records = list(read_records(root / "data/dev.jsonl", labels))[:12]
    tokenizer = tokenizers.train([record.text for record in records], 600)
    return list(read_windows(records, tokenizer, labels, WindowSettings(128, 32), Reach()))


@pytest.fixture(scope="module")
def model(labels):
    torch.manual_seed(0)
    bert = BertConfig(vocab_size=600, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    shape = HeadShape(width=32, layers=1, attention_heads=2, role_width=8, dropout=0.1)
    weights = LossWeights(types=1, triggers=1, inside=1, roles=1, statuses=1, sectors=1, merge=1)
    return IncidentModel.over(BertModel(bert, add_pooling_layer=False), shape, labels, weights).eval()


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_the_loss_does_not_change_with_how_a_batch_is_cut(model, features, cut):
    collate, rows = Collator(0), features[:10]
    whole = model(**collate(rows))["loss"]
    parts = [model(**collate(rows[start : start + cut]), num_items_in_batch=len(rows))["loss"] for start in range(0, len(rows), cut)]
    torch.testing.assert_close(torch.stack(parts).sum(), whole, rtol=1e-5, atol=1e-3)


def test_padding_changes_no_logit(model, features):
    collate = Collator(0)
    short, long = sorted(features, key=lambda row: row["length"])[:: len(features) - 1]
    inputs = ("input_ids", "attention_mask", "word_starts", "word_ends")
    alone, beside = collate([short]), collate([short, long])
    words = alone["word_starts"].shape[1]
    for a, b in zip(model.encode(*(alone[n] for n in inputs))[1:], model.encode(*(beside[n] for n in inputs))[1:], strict=True):
        torch.testing.assert_close(a[0], b[0, :words], rtol=1e-4, atol=1e-4)


def test_training_on_one_batch_learns_it(model, features):
    batch = Collator(0)(features[:4])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    first = model(**batch)["loss"].item()
    for _ in range(15):
        optimizer.zero_grad()
        loss = model(**batch)["loss"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first


def test_a_word_is_the_mean_of_its_tokens_and_padding_is_zero():
    tokens = torch.arange(8.0).view(1, 4, 2)
    means = word_means(tokens, torch.tensor([[1, 0]]), torch.tensor([[3, 0]]))
    assert means.tolist() == [[[3.0, 4.0], [0.0, 0.0]]]


def test_distances_are_signed_and_double():
    buckets = distance_bucket(torch.arange(12), torch.tensor([5]), torch.tensor([7]))
    assert buckets.tolist() == [[4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12]]


def test_the_loss_of_roles_is_the_binary_cross_entropy_of_every_span_of_real_words():
    torch.manual_seed(0)
    logits, mask = torch.randn(3, 5, 5, 2), torch.tensor([[1] * 5, [1, 1, 1, 0, 0], [1] * 5])
    spans = torch.tensor([[0, 1, 2, 5, 3], [0, 1, 2, 5, 0], [1, 0, 0, 1, -100]])  # trigger, role, start, stop, sector; one told twice
    targets = torch.zeros_like(logits)
    targets[0, 2, 4, 1] = targets[1, 0, 0, 0] = 1
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(-1)
    real = sum(each[n, i, j] for n, words in enumerate((5, 3, 5)) for i in range(words) for j in range(i, words))
    roles_alone = LossWeights(types=0, triggers=0, inside=0, roles=1, statuses=0, sectors=0, merge=0)
    loss = participants_loss(logits, torch.zeros(3, 2), torch.zeros(3, 5, 4), torch.zeros(3).long(), spans, mask, roles_alone)
    torch.testing.assert_close(loss, real)


def test_which_of_two_mentions_is_given_first_changes_nothing(labels):
    torch.manual_seed(0)
    sizes, shape = Sizes.of(labels), HeadShape(width=32, layers=1, attention_heads=2, role_width=8, dropout=0.0)
    head = MergeHead(shape, sizes)
    a, b, features = torch.randn(5, 32), torch.randn(5, 32), torch.rand(5, PAIR_FEATURES)
    types_a, types_b = (torch.rand(5, sizes.types).softmax(-1) for _ in range(2))
    torch.testing.assert_close(head(a, b, types_a, types_b, features), head(b, a, types_b, types_a, features))


def test_a_mention_weighs_the_same_in_the_loss_of_merging_however_many_others_its_window_has():
    triggers = torch.tensor([[0, 0, 1, 0, 0], [0, 2, 3, 0, 0], [0, 4, 5, 0, 0], [1, 0, 1, 0, 0], [1, 3, 4, 0, 0]])  # window first
    pairs = torch.tensor([[0, 1, 1], [0, 2, 0], [1, 2, 0], [3, 4, 1]])
    # at a logit of 0 each pair costs ln 2; three pairs in a window of three mentions weigh half, the one in a window of two weighs all
    assert merge_loss(torch.zeros(4), pairs, triggers).item() == pytest.approx((3 / 2 + 1) * 0.693147, abs=1e-5)
