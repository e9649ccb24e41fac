from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waqia import ConfigError
from waqia.model import artefact
from waqia.model.tensors import batch
from waqia.model.windows import WindowSettings, split

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
    ],
    ids=["diacritics", "tatweel", "emoji", "ligature", "bidi", "crlf", "censored", "presentation", "digits", "quotes", "surrogate"],
)
def test_words_index_the_raw_text(text, expected):
    assert words(text) == expected


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


def test_a_span_is_found_by_its_words_and_one_that_cuts_a_word_is_not():
    text = "قَصْفٌ مدفعي على حلب."
    (window,) = split(text, TOKENIZER, WIDE)
    assert window.find(0, 12, text) == (0, 1)
    assert window.find(0, 5, text) == (0, 0)  # without the last diacritic
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
