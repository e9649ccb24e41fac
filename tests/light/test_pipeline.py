"""The pipeline over a backend made of arrays: which mentions are asked, how parts are cut, what several answers come to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer

from waqia.model import pipeline
from waqia.model.calibration import Calibration
from waqia.model.pipeline import Model, read_texts
from waqia.model.tensors import Encoded, Participants, ends, half_open
from waqia.model.windows import WindowSettings, WordRange
from waqia.schema import Span

WORD = "قصف"
WIDE = WindowSettings(64, 8)


class Fake:
    """Every word «قصف» is a mention of the first type, with logits in the order in which they are read, all mentions one happening.

    `roles` and `statuses` give the logits that a mention answers with, by its word: {word: {(first, last, role): logit}}.
    """

    def __init__(self, labels, token, logits, roles=None, statuses=None, sectors=None, same=9.0):
        self.labels, self.token, self.logits, self.same = labels, token, list(logits), same
        self.roles, self.statuses, self.sectors = roles or {}, statuses or {}, sectors or {}
        self.asked = []  # the words of the mentions asked, a list a pass
        self.encoded = []  # the shape of every pass of the encoder
        self.pairs = []  # how many pairs a pass

    def encode(self, batch):
        (b, w), k = batch.word_starts.shape, len(self.labels.incident_types)
        self.encoded.append(batch.input_ids.shape)
        triggers = np.zeros((b, w, 1 + k), np.float32)
        triggers[..., 0] = 9
        for row, word in np.argwhere(batch.word_ends > batch.word_starts):
            if batch.input_ids[row, batch.word_starts[row, word]] == self.token:
                triggers[row, word, 1] = self.logits.pop(0)
        return Encoded(np.full((b, k), 9, np.float32), triggers, np.full((b, w), -9, np.float32), np.zeros((b, w, 2), np.float32))

    def participants(self, word_states, word_mask, triggers):
        (n, w), labels = word_mask.shape, self.labels
        self.asked.append(triggers.start.tolist())
        roles = np.full((n, w, w, len(labels.roles)), -9, np.float32)
        statuses, sectors = np.zeros((n, len(labels.statuses)), np.float32), np.zeros((n, w, len(labels.sectors)), np.float32)
        for row, word in enumerate(triggers.start.tolist()):
            for place, logit in self.roles.get(word, {}).items():
                roles[row][place] = logit
            for place, logit in self.statuses.get(word, {}).items():
                statuses[row, place] = logit
            for place, logit in self.sectors.get(word, {}).items():
                sectors[row][place] = logit
        return Participants(roles, statuses, sectors)

    def merge(self, pairs):
        self.pairs.append(len(pairs.features))
        return np.full(len(pairs.features), self.same, np.float32)


@pytest.fixture(scope="module")
def tokenizer(root):
    return Tokenizer.from_file(str(root / "src/waqia/artefacts/waqia-mini-int8/tokenizer.json"))


@pytest.fixture
def read(labels, tokenizer):
    """Readings of texts and the backend that was asked."""

    def run(*texts, logits, windows=WIDE, **said):
        fake = Fake(labels, tokenizer.encode(WORD, add_special_tokens=False).ids[0], logits, **said)
        return read_texts(texts, Model("fake", fake, tokenizer, labels, windows, Calibration.plain(labels))), fake

    return run


def test_the_bounds_of_a_pass_are_pinned():
    assert (pipeline.ASKED, pipeline.WINDOWS_TOGETHER, pipeline.TOKENS_A_BATCH) == (3, 128, 512)
    assert (pipeline.CELLS_A_BATCH, pipeline.WORDS_A_BATCH, pipeline.PAIRS_A_BATCH) == (40_000, 512, 4096)


def test_the_three_most_probable_mentions_of_a_window_are_asked(read):
    (reading,), fake = read(" ثم ".join([WORD] * 5), logits=[11, 15, 12, 14, 13])
    assert fake.asked == [[2, 6, 8]]  # the most probable one first
    (incident,) = reading.incidents
    assert (incident.trigger.start, len(incident.mentions)) == (7, 4)  # the others are told all the same
    assert [span.start for span in incident.mentions] == [0, 14, 21, 28]


def test_every_window_of_an_incident_is_asked_for_itself(read):
    text = " ".join([WORD] * 20)
    (reading,), fake = read(text, logits=range(40, 0, -1), windows=WindowSettings(16, 0))  # 14 and 6 words
    assert reading.windows == 2
    assert len(reading.incidents) == 1
    assert sum(len(words) for words in fake.asked) == 6


def test_the_surest_of_the_mentions_asked_decides_whether_a_span_is_a_participant(read):
    text = f"{WORD} حلب {WORD} حمص"
    roles = {0: {(1, 1, 3): 3.0, (3, 3, 3): -0.5}, 2: {(1, 1, 3): -1.0, (3, 3, 3): -4.0}}
    (reading,), _ = read(text, logits=[15, 14], roles=roles)
    ((place,),) = (incident.participants for incident in reading.incidents)
    assert (place.text, place.role, place.sector) == ("حلب", "place", None)
    assert place.score == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-6)


def test_a_mention_sees_48_words_on_either_side_and_what_is_told_there_keeps_its_place(read):
    text = " ".join(["ثم"] * 60 + [WORD] + ["ثم"] * 30 + ["حلب"] + ["ثم"] * 40)
    (reading,), fake = read(text, logits=[15], roles={48: {(79, 79, 3): 3.0}}, windows=WindowSettings(256, 8))
    assert fake.asked == [[48]]  # word 60 of the text, as the words that are read for it count
    ((place,),) = (incident.participants for incident in reading.incidents)
    assert (place.text, place.role) == ("حلب", "place")


def test_the_mean_of_the_logits_of_all_mentions_asked_decides_the_status(read, labels):
    (reading,), _ = read(f"{WORD} ثم {WORD}", logits=[15, 14], statuses={0: {0: 2.0}, 2: {1: 3.0}})  # means 1 and 1.5
    assert reading.incidents[0].status == list(labels.statuses)[1]


def test_the_mean_over_words_and_mentions_decides_a_sector(read, labels):
    roles = {0: {(1, 2, 0): 3.0}, 3: {(1, 2, 0): 3.0}}
    # sector 0: (4 + 0 + 0 + 0) / 4 = 1; sector 1: (0 + 1.5 + 1.5 + 1.5) / 4 = 1.125
    sectors = {0: {(1, 0): 4.0, (2, 1): 1.5}, 3: {(1, 1): 1.5, (2, 1): 1.5}}
    (reading,), _ = read(f"{WORD} جيش الدفاع {WORD}", logits=[15, 14], roles=roles, sectors=sectors)
    (actor,) = reading.incidents[0].participants
    assert (actor.text, actor.role, actor.sector) == ("جيش الدفاع", "initiator", list(labels.sectors)[1])


def test_a_word_that_two_mentions_saw_has_their_mean_sector_and_largest_role():
    def said(role, sector, words):
        return Participants(np.full((words, words, 1), role, np.float32), np.zeros(2), np.full((words, 2), sector, np.float32))

    first, roles, sectors = pipeline._together([(WordRange(3, 5), said(1, 4, 2)), (WordRange(4, 7), said(2, 8, 3))])
    assert first == 3
    unseen = pipeline.UNSEEN
    assert roles[..., 0].tolist() == [[1, 1, unseen, unseen], [1, 2, 2, 2], [unseen, 2, 2, 2], [unseen, 2, 2, 2]]
    assert sectors.tolist() == [[4, 4], [6, 6], [8, 8], [8, 8]]


def test_mentions_that_are_not_alike_are_incidents_of_their_own_in_the_order_of_the_text(read):
    (reading,), fake = read(f"{WORD} ثم {WORD} ثم {WORD}", logits=[11, 15, 13], same=-9.0)
    assert [incident.trigger.start for incident in reading.incidents] == [0, 7, 14]
    assert [incident.mentions for incident in reading.incidents] == [(), (), ()]
    assert fake.pairs == [3]


def parts(sizes, labels):
    """(text, windows) of the parts that come together, for texts of so many windows."""
    model = SimpleNamespace(labels=labels)
    return [[(part.text, len(part.windows)) for part in together] for together in pipeline._parts([[None] * n for n in sizes], model)]


def test_a_long_text_is_read_in_parts_of_128_windows_and_short_ones_together(labels):
    assert parts([300], labels) == [[(0, 128)], [(0, 128)], [(0, 44)]]
    assert parts([100, 28, 1], labels) == [[(0, 100), (1, 28)], [(2, 1)]]
    assert parts([0, 1, 0], labels) == [[(1, 1)]]
    assert parts([], labels) == []


def test_mentions_of_two_parts_are_not_merged_and_their_types_come_together(read, monkeypatch):
    monkeypatch.setattr(pipeline, "WINDOWS_TOGETHER", 1)
    (reading,), fake = read(" ".join([WORD] * 20), logits=range(40, 0, -1), windows=WindowSettings(16, 0))
    assert [len(incident.mentions) for incident in reading.incidents] == [13, 5]
    assert fake.pairs == [14 * 13 / 2, 6 * 5 / 2]


def test_a_batch_holds_at_most_512_padded_tokens(read):
    _, fake = read(*[" ".join(["ثم"] * 62)] * 20, logits=[])  # 64 tokens each
    assert fake.encoded == [(8, 64), (8, 64), (4, 64)]


def test_windows_of_like_length_are_read_together(read):
    _, fake = read(*["ثم", " ".join(["ثم"] * 62)] * 4, logits=[])
    assert fake.encoded == [(8, 64)]
    windows = [("a", SimpleNamespace(ids=range(n))) for n in (600, 3, 500, 4)]
    assert [[len(window.ids) for _, window in some] for some in pipeline.token_batches(windows)] == [[3, 4], [500], [600]]


def test_mentions_are_asked_in_passes_of_at_most_so_many_cells(read, monkeypatch):
    monkeypatch.setattr(pipeline, "CELLS_A_BATCH", 50)  # of 5 words each: two mentions of 25 cells
    _, fake = read(" ثم ".join([WORD] * 3), logits=[15, 14, 13])
    assert [len(words) for words in fake.asked] == [2, 1]


def test_mentions_are_asked_in_passes_of_at_most_so_many_words(read, monkeypatch):
    monkeypatch.setattr(pipeline, "WORDS_A_BATCH", 10)
    _, fake = read(" ثم ".join([WORD] * 3), logits=[15, 14, 13])
    assert [len(words) for words in fake.asked] == [2, 1]


def test_pairs_are_asked_in_passes_of_at_most_so_many(read, monkeypatch):
    monkeypatch.setattr(pipeline, "PAIRS_A_BATCH", 4)
    _, fake = read(" ثم ".join([WORD] * 4), logits=[15, 14, 13, 12])
    assert fake.pairs == [4, 2]


def test_a_mention_is_compared_with_the_64_before_it(read):
    _, fake = read(" ".join([WORD] * 70), logits=range(90, 20, -1), windows=WindowSettings(128, 0))
    assert fake.pairs == [64 * 65 / 2 + 5 * 64]


def test_given_mentions_are_merged_and_those_that_no_window_holds_as_words_are_left_out(labels, tokenizer):
    text = f"{WORD} ثم {WORD} هنا"
    given = [Span(7, 10, WORD), Span(0, 3, WORD), Span(4, 5, "ث")]
    for same, wanted in ((9.0, [[0, 7]]), (-9.0, [[0], [7]])):
        fake = Fake(labels, tokenizer.encode(WORD, add_special_tokens=False).ids[0], [15, 14], same=same)
        model = Model("fake", fake, tokenizer, labels, WIDE, Calibration.plain(labels))
        (found,) = pipeline.merge_given([text], [given], model)
        assert [sorted(mention.start for mention in one.mentions) for one in found] == wanted
        assert {one.type for one in found} == {0}


def test_half_open_ranges_and_first_and_last_words_turn_into_each_other():
    assert ends(3, 6) == (3, 5)
    assert half_open(3, 5) == (3, 6)
