from __future__ import annotations

import re
import tracemalloc
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from waqia import ArtefactError, ConfigError
from waqia.arabic import HALFWIDTH, MARKS, SIGNS
from waqia.model import artefact
from waqia.model import windows as windows_module
from waqia.model.tensors import batch
from waqia.model.windows import WindowSettings, WordRange, split

TOKENIZER = artefact.load().tokenizer
WIDE = WindowSettings(256, 64)


def words(text: str) -> list[str]:
    return [text[start:end] for window in split(text, TOKENIZER, WIDE) for start, end in window.words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("قَصْفٌ عنيفٌ", ["قَصْفٌ", "عنيفٌ"]),
        ("القـــصف المدفعيـ", ["القـــصف", "المدفعيـ"]),
        ("🔴 عاجل 🔴", ["🔴", "عاجل", "🔴"]),
        ("النبي محمد ﷺ قال", ["النبي", "محمد", "ﷺ", "قال"]),
        ("\u200fقصف\u200f مدفعي", ["قصف\u200f", "مدفعي"]),
        ("قصف\r\nثم نزوح", ["قصف", "ثم", "نزوح"]),
        ("قصـ.ـف د.ا.عش", ["قصـ.ـف", "د.ا.عش"]),
        ("ﻗﺼﻒ ﻣﺪﻓﻌﻲ", ["ﻗﺼﻒ", "ﻣﺪﻓﻌﻲ"]),
        ("مقتل ١٢ و12", ["مقتل", "١٢", "و12"]),
        ("“الدفاع الوطني”", ["“", "الدفاع", "الوطني", "”"]),
        ("\ud800 قصف", ["\ud800", "قصف"]),
        ("🔴قصف▪\ufe0fحلب", ["🔴", "قصف", "▪\ufe0f", "حلب"]),
        ("حرارة 45°م و100€ ثم\ufffdقصف", ["حرارة", "45", "°", "م", "و100", "€", "ثم", "\ufffd", "قصف"]),
        ("🇸🇾قصف 👩\u200d👧\u200d👦 🤝🏽", ["🇸🇾", "قصف", "👩\u200d👧\u200d👦", "🤝🏽"]),
        ("قصف™حلب 5㎞ ´قصف´", ["قصف", "™", "حلب", "5", "㎞", "´", "قصف", "´"]),
        ("قصﹱف\ufe70 قصف\ufc60 \ufe76قصف", ["قصﹱف\ufe70", "قصف\ufc60", "قصف"]),
        ("قصف\x1cحلب ق\x00صف", ["قصف", "حلب", "ق\x00صف"]),
        ("آية\u06dd١٢ \u0600١٢", ["آية", "\u06dd", "١٢", "\u0600", "١٢"]),
    ],
    ids=[
        "diacritics",
        "tatweel",
        "emoji",
        "ligature",
        "bidi",
        "crlf",
        "censored",
        "presentation",
        "digits",
        "quotes",
        "surrogate",
        "symbols",
        "units",
        "flags and families",
        "compatibility",
        "isolated marks",
        "controls",
        "number signs",
    ],
)
def test_words_index_the_raw_text(text, expected):
    assert words(text) == expected


POINTS = [point for point in (*range(0x20000), *range(0xE0000, 0xE1100), 0xF0000, 0x10FFFF) if not 0xD800 <= point < 0xE000]
SHELLING = TOKENIZER.encode("قصف", add_special_tokens=False).ids


def read(text: str) -> list[tuple[str, list[int]]]:
    """Every word of a text with its tokens, in one window."""
    (window,) = split(text, TOKENIZER, WindowSettings(10_000_000, 0))
    tokens = [window.ids[start:end].tolist() for start, end in zip(window.word_starts, window.word_ends, strict=True)]
    return [(text[start:end], ids) for (start, end), ids in zip(window.words.tolist(), tokens, strict=True)]


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="another Unicode version names other code points")
def test_every_mark_of_unicode_is_in_the_table():
    ignored = {0x115F, 0x1160, 0x3164, 0xFFA0, 0x2065, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)}
    kinds = {point for point in range(0x110000) if unicodedata.category(chr(point)) in {"Mn", "Me", "Cf", "Cc"}}
    signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    visible = signs | {point for point in kinds if chr(point).isspace()}
    forms = {*range(0xFC5E, 0xFC64), *range(0xFCF2, 0xFCF5), *range(0xFE70, 0xFE80)} - {0xFE75}
    later = {0x897, 0x10EFC, 0x10EFD, 0x10EFE, 0x10EFF}
    assert {point for point in POINTS if MARK.match(chr(point))} == (kinds - visible) | ignored | forms | later | {0x640}


MARK = re.compile(f"[{MARKS}]")


def test_every_mark_is_dropped_and_belongs_to_the_word_before_it():
    marks = [chr(point) for point in POINTS if MARK.match(chr(point))]
    assert len(marks) > 5900
    alone = {chr(point) for point in POINTS if all(MARK.match(sign) for sign in unicodedata.normalize("NFKC", chr(point)))}
    assert alone - {*marks, "\uff9e", "\uff9f"} == set()
    marks += HALFWIDTH
    expected = [word for mark in marks for word in (f"قصف{mark}", f"ق{mark}صف")]
    assert read(" ".join(expected)) == [(word, SHELLING) for word in expected]


def test_every_symbol_is_a_word_of_its_own_and_the_words_beside_it_are_read():
    kinds = {"Sm", "Sc", "Sk", "So", "Co"} | {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"}
    signs = [chr(point) for point in POINTS if unicodedata.category(chr(point)) in kinds or re.match(f"[{SIGNS}]", chr(point))]
    signs = [sign for sign in signs if unicodedata.normalize("NFKC", sign) not in {"*", "."}]  # «ق*صف», «ق.صف»: words with a letter hidden
    assert len(signs) > 14000
    found = read(" ".join(f"قصف{sign}قصف" for sign in signs))
    assert [word for word, _ in found] == [word for sign in signs for word in ("قصف", sign, "قصف")]
    assert all(ids == SHELLING for word, ids in found if word == "قصف")


def test_every_white_space_parts_words():
    spaces = [chr(point) for point in POINTS if chr(point).isspace()]
    assert [word for space in spaces for word in words(f"قصف{space}قصف")] == ["قصف", "قصف"] * 29


@pytest.mark.parametrize("text", ["", "   ", "\n\r\n", "\u200f\u064b"])
def test_a_text_without_words_has_no_windows(text):
    assert split(text, TOKENIZER, WIDE) == []


ARTICLE = " ".join(f"قصفت الطائرات البلدة رقم {n} مساء أمس. ثم عاد الهدوء إلى الأحياء الشرقية." for n in range(40))


@pytest.mark.parametrize(("most", "overlap"), [(16, 0), (32, 10), (64, 31), (128, 32), (256, 64)])
def test_every_word_of_a_long_article_is_owned_by_one_window(most, overlap):
    windows = split(ARTICLE, TOKENIZER, WindowSettings(most, overlap))
    owned = [tuple(bounds) for window in windows for bounds in window.words[slice(*window.owned)].tolist()]
    assert len(windows) > 1
    assert owned == [tuple(bounds) for bounds in split(ARTICLE, TOKENIZER, WindowSettings(100_000, 0))[0].words.tolist()]
    assert all(len(window.ids) <= most for window in windows)


@pytest.mark.parametrize(("ligatures", "cut"), [(2, False), (3, True)])
def test_a_word_with_more_tokens_than_a_window_holds_is_said_to_be_cut(ligatures, cut):
    windows = split("قصف " + "ﷺ" * ligatures + " مدفعي", TOKENIZER, WindowSettings(16, 0))  # 6 tokens a ligature, 14 a window
    assert any(window.cut for window in windows) is cut


def test_windows_end_at_sentences_where_these_fit():
    windows = split(ARTICLE, TOKENIZER, WindowSettings(64, 16))
    assert all(ARTICLE[window.words[-1][1] - 1] == "." for window in windows)


def test_a_sentence_longer_than_a_window_is_cut_with_overlap():
    endless = "قصف " * 300
    windows = split(endless, TOKENIZER, WindowSettings(64, 16))
    assert all(later.words[0][0] < earlier.words[-1][1] for earlier, later in pairwise(windows))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("قصفتمدلأإىة ًـ.\u200f\n\t🔴ﷺaB1٣«»،@\ud800\x00"), max_size=120))
def test_whatever_the_text_words_are_in_order_and_not_empty(text):
    windows = split(text, TOKENIZER, WindowSettings(16, 4))
    bounds = [int(place) for window in windows for place in window.words[slice(*window.owned)].ravel()]
    assert bounds == sorted(bounds)
    assert all(0 <= start < end <= len(text) for start, end in zip(bounds[::2], bounds[1::2], strict=True))


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_a_text_tokenised_in_pieces_has_the_same_windows(monkeypatch, size):
    text = f"{ARTICLE}\n🔴قصف\u00a0د.ا.عش  \u064b قصـ.ـف ﷺ\r\n{'طويلة' * 30} ®™ حلب™ \u0651\n\nقَصْفٌ "
    whole = split(text, TOKENIZER, WindowSettings(64, 16))
    monkeypatch.setattr(windows_module, "PIECE", size)
    pieces = split(text, TOKENIZER, WindowSettings(64, 16))
    for one, other in zip(whole, pieces, strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert one.words.tolist() == other.words.tolist()
        assert (one.owned, one.cut) == (other.owned, other.cut)


def test_a_span_is_found_by_its_words_and_one_that_cuts_a_word_is_not():
    text = "قَصْفٌ مدفعي على حلب."
    (window,) = split(text, TOKENIZER, WIDE)
    assert window.find(0, 12, text) == (0, 2)
    assert window.find(0, 5, text) == (0, 1)  # without the last diacritic
    assert window.find(0, 9, text) is None
    assert window.find(1, 6, text) is None


def test_a_batch_pads_to_its_longest_window():
    windows = [split(text, TOKENIZER, WIDE)[0] for text in ("قصف", "قصف مدفعي على حلب")]
    padded = batch(windows, 0)
    assert padded.input_ids.shape == padded.attention_mask.shape
    assert padded.word_starts.shape == (2, 4)
    assert (padded.word_ends > padded.word_starts).sum(1).tolist() == [1, 4]
    assert padded.attention_mask[0].sum() == len(windows[0].ids)


@pytest.mark.parametrize(("most", "overlap"), [(8, 0), (64, 40), (64, -1)])
def test_window_settings_that_cannot_work_are_refused(most, overlap):
    with pytest.raises(ConfigError, match=f"max_tokens {most}, overlap {overlap}"):
        WindowSettings(most, overlap)


def ranges(lengths, sentences, overlap, most=16):
    """Word ranges of the windows of words with so many tokens, sentences beginning at some; by default 14 tokens a window beside two."""
    return windows_module._spans(np.array(lengths), np.array(sentences), WindowSettings(most, overlap))


@pytest.mark.parametrize(
    ("lengths", "sentences", "overlap", "expected"),
    [
        ([1] * 14, [0], 4, [(0, 14)]),  # all of it fits, special tokens counted
        ([1] * 15, [0], 4, [(0, 14), (10, 15)]),
        ([1] * 30, [0], 4, [(0, 14), (10, 24), (20, 30)]),
        ([1] * 30, [0], 0, [(0, 14), (14, 28), (28, 30)]),
        ([1] * 30, [0, 8, 12, 20], 4, [(0, 12), (8, 20), (16, 30)]),  # ends at sentences, goes back to where one begins
        ([1] * 30, [0, 9, 12, 20], 4, [(0, 12), (9, 20), (16, 30)]),
        ([1] * 20, [0, 7], 0, [(0, 7), (7, 20)]),  # a window that is half full may end
        ([1] * 20, [0, 6], 0, [(0, 14), (14, 20)]),  # one that is not goes on within the sentence
        ([5] * 4, [0], 4, [(0, 2), (2, 4)]),  # no whole word fits the overlap
        ([5] * 4, [0], 5, [(0, 2), (1, 3), (2, 4)]),
        ([1, 14, 1], [0], 6, [(0, 1), (1, 2), (2, 3)]),  # every window goes on by a word at least
    ],
)
def test_windows_hold_what_fits_and_share_what_the_overlap_allows(lengths, sentences, overlap, expected):
    assert ranges(lengths, sentences, overlap) == expected


@pytest.mark.parametrize(
    ("spans", "owned"),
    [
        ([(0, 14)], [(0, 14)]),
        ([(0, 14), (10, 24), (20, 30)], [(0, 12), (12, 22), (22, 30)]),
        ([(0, 12), (9, 20)], [(0, 10), (10, 20)]),  # the later window has the middle one of an odd overlap
        ([(0, 7), (7, 20)], [(0, 7), (7, 20)]),
    ],
)
def test_an_overlap_is_owned_half_and_half(spans, owned):
    assert windows_module._owned([WordRange(*span) for span in spans]) == owned


def test_a_window_numbers_its_words_and_tokens_from_its_own_beginning():
    text = "قصف " * 30  # a token a word
    first, second, third = split(text, TOKENIZER, WindowSettings(16, 4))
    assert [window.owned for window in (first, second, third)] == [(0, 12), (2, 12), (2, 10)]
    assert second.words[0].tolist() == [40, 43]
    assert second.word_starts.tolist() == list(range(1, 15))
    assert second.word_ends.tolist() == list(range(2, 16))
    assert (len(first.ids), len(second.ids), len(third.ids)) == (16, 16, 12)


def test_ranges_of_words_overlap_only_where_they_share_a_word():
    one = WordRange(2, 5)
    assert one.length == 3
    assert [one.overlaps(WordRange(*other)) for other in ((0, 2), (0, 3), (3, 4), (4, 9), (5, 6))] == [False, True, True, True, False]


def test_a_word_too_long_for_a_window_is_read_by_its_first_tokens_and_its_neighbours_by_theirs():
    text = "قصف " + "ﷺ" * 3 + " قصف"  # 1, 18 and 1 tokens; 14 fit
    before, long, after = split(text, TOKENIZER, WindowSettings(16, 0))
    cls, sep = (TOKENIZER.token_to_id(name) for name in ("[CLS]", "[SEP]"))
    assert before.ids.tolist() == after.ids.tolist() == [cls, *SHELLING, sep]
    assert long.ids.tolist() == [cls, *TOKENIZER.encode("ﷺ" * 3, add_special_tokens=False).ids[:14], sep]
    assert (long.word_starts.tolist(), long.word_ends.tolist(), long.owned) == ([1], [15], (0, 1))
    assert [window.cut for window in (before, long, after)] == [False, True, False]
    assert text[slice(*long.words[0])] == "ﷺ" * 3


@pytest.mark.parametrize(("most", "overlap"), [(16, 0), (16, 7), (17, 7), (256, 127)])
def test_window_settings_at_their_limits_are_accepted(most, overlap):
    assert WindowSettings(most, overlap).overlap == overlap


@pytest.mark.parametrize(("most", "overlap"), [(15, 0), (16, 8), (17, 8), (256, 128)])
def test_window_settings_just_past_their_limits_are_refused(most, overlap):
    with pytest.raises(ConfigError, match="expected at least 16"):
        WindowSettings(most, overlap)


def test_a_batch_is_filled_up_with_the_padding_token_and_words_of_no_tokens():
    windows = [split(text, TOKENIZER, WIDE)[0] for text in ("قصف", "قصف قصف")]
    padded = batch(windows, 7)
    assert padded.input_ids[0].tolist() == [*windows[0].ids, 7]
    assert padded.attention_mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert padded.word_starts.tolist() == [[1, 0], [1, 2]]
    assert padded.word_ends.tolist() == [[2, 0], [2, 3]]


def test_a_span_that_leaves_its_window_is_not_found():
    text = "قصف " * 30
    first, *_, last = split(text, TOKENIZER, WindowSettings(16, 4))
    assert first.find(52, 55, text) == (13, 14)
    assert first.find(52, 59, text) is None
    assert last.find(76, 83, text) is None
    assert last.find(80, 87, text) == (0, 2)


def test_a_run_without_white_space_is_tokenised_in_pieces_too(monkeypatch):
    monkeypatch.setattr(windows_module, "PIECE", 50)
    monkeypatch.setattr(windows_module, "RUN", 60)
    sizes = []
    pieces = windows_module._pieces
    monkeypatch.setattr(windows_module, "_pieces", lambda text: (sizes.append(len(piece)) or (at, piece) for at, piece in pieces(text)))
    text = "قصف حلب " + "!" * 1000 + " قصف حلب"
    windows = split(text, TOKENIZER, WindowSettings(64, 16))
    assert max(sizes) <= 60
    owned = [tuple(bounds) for window in windows for bounds in window.words[slice(*window.owned)].tolist()]
    assert owned == [(0, 3), (4, 7), *((8 + n, 9 + n) for n in range(1000)), (1009, 1012), (1013, 1016)]


def test_windows_are_made_when_they_are_asked_for():
    lazy = windows_module.cut(ARTICLE, TOKENIZER, WindowSettings(64, 16))
    whole = split(ARTICLE, TOKENIZER, WindowSettings(64, 16))
    assert len(lazy) == len(whole) > 5
    assert lazy[2] is not lazy[2]
    for one, other in zip(lazy[1:4], whole[1:4], strict=True):
        assert one.ids.tolist() == other.ids.tolist()
        assert (one.owned, one.cut, one.words.tolist()) == (other.owned, other.cut, other.words.tolist())


@pytest.mark.parametrize("strange", ["中文", "привет", "שלום", "पत्र", "ß", "قصفڠ", "قصف中", "ﭏ", "𐎠"])
def test_a_word_with_letters_that_the_vocabulary_lacks_is_unknown_and_leaves_its_neighbours_as_they_are(strange):
    before, after = "قصف مدفعي على", "حلب، ومقتل ثلاثة"
    plain, (mixed,) = [split(part, TOKENIZER, WIDE)[0] for part in (before, after)], split(f"{before} {strange} {after}", TOKENIZER, WIDE)
    cls, unknown, sep = (TOKENIZER.token_to_id(name) for name in ("[CLS]", "[UNK]", "[SEP]"))
    assert mixed.ids.tolist() == [cls, *plain[0].ids[1:-1], unknown, *plain[1].ids[1:-1], sep]
    assert mixed.words[len(plain[0].words)].tolist() == [len(before) + 1, len(before) + 1 + len(strange)]


class Searched(str):
    """A text that counts how many characters it is searched through."""

    steps = 0

    def find(self, sub, start=0, end=None):
        Searched.steps += min(len(self), len(self) if end is None else end) - start
        return super().find(sub, start, end)

    def rfind(self, sub, start=0, end=None):
        Searched.steps += min(len(self), len(self) if end is None else end) - start
        return super().rfind(sub, start, end)


@pytest.mark.parametrize("unit", ["قصف ", "قصف" * 40 + " ", "!", "قصف\u00a0", "." * 130 + "\n"])
def test_a_text_is_searched_for_its_pieces_in_steps_that_grow_as_its_length(monkeypatch, unit):
    monkeypatch.setattr(windows_module, "PIECE", 50)
    monkeypatch.setattr(windows_module, "RUN", 100)
    for size in (2_000, 16_000):
        Searched.steps = 0
        pieces = list(windows_module._pieces(Searched(unit * (size // len(unit)))))
        assert "".join(piece for _, piece in pieces) == unit * (size // len(unit))
        assert Searched.steps <= 8 * size


def test_what_is_kept_of_a_long_text_grows_by_some_twenty_bytes_a_word(monkeypatch):
    monkeypatch.setattr(windows_module, "PIECE", 5_000)
    text = "قصفت البلدة مساء أمس. " * 5_000
    tracemalloc.start()
    try:
        words = sum(window.owned[1] - window.owned[0] for window in windows_module.cut(text, TOKENIZER, WindowSettings(256, 64)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert words == 25_000
    assert peak / words < 110  # 21 bytes a word, twice while joined, a window and a piece; 406 in one piece with all windows made


@pytest.mark.parametrize(
    ("sentences", "second"),
    [([0, 7, 10, 14], (7, 14)), ([0, 8, 10, 14], (8, 22)), ([0, 14], (7, 14))],
)
def test_the_next_window_begins_with_the_first_sentence_of_the_overlap_the_one_at_its_very_edge_too(sentences, second):
    # 14 words a window; an overlap of 7 begins at word 7
    assert ranges([1] * 24, sentences, 7)[:2] == [(0, 14), second]


def test_a_tokenizer_without_cls_or_sep_is_refused():
    with pytest.raises(ArtefactError) as found:
        windows_module._special(Tokenizer(WordLevel({"[CLS]": 0, "x": 1}, unk_token="x")))
    told = "tokenizer.json: [CLS] or [SEP] is missing from the vocabulary; expected a BERT WordPiece tokenizer"
    assert str(found.value) == told
    assert windows_module._special(Tokenizer(WordLevel({"[CLS]": 4, "[SEP]": 7}, unk_token="[CLS]"))) == (4, 7)
