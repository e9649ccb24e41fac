from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from train import tokenizer as tokenizers
from waqia import ConfigError

TEXTS = ["قصف مدفعي على مدينة حلب", "اشتباكات عنيفة في الريف الشرقي", "داعش تعلن مسؤوليتها عن التفجير"] * 4


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizers.train(TEXTS, 300)


def normal(text: str, *, fold: bool = True, words=()) -> str:
    return tokenizers.normaliser(fold_letters=fold, words=dict(words)).normalize_str(text)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("قصـ.ـف", "قصف"),
        ("د.ا.عش", "داعش"),
        ("أ.ف.ب", "افب"),
        ("داع.ش", "داعش"),
        ("ق*تل", "قتل"),
        ("قَصْفٌ", "قصف"),
        ("القـــصف", "القصف"),
        ("\u200fقصف\u200f", "قصف"),
        ("١٢٣ ۴۵", "123 45"),
        ("“نص” «نص»", '"نص" "نص"'),
        ("إلى أم آخر", "الي ام اخر"),
        ("مدرسة", "مدرسه"),
        ("ﻗﺼﻒ", "قصف"),
        ("ﷺ", "صلي الله عليه وسلم"),
    ],
)
def test_spellings_of_a_word_become_one(raw, expected):
    assert normal(raw) == expected


@pytest.mark.parametrize("text", ["قال.واضاف", "3.5", "د. احمد", "انتهي. ثم", "#طرابلس_الان", "انتهي.و قال"])
def test_dots_that_end_something_stay(text):
    assert normal(text) == text


def test_letters_are_folded_on_demand_only():
    assert normal("إلى مدرسة", fold=False) == "إلى مدرسة"


def test_special_tokens_come_first(tokenizer):
    assert [tokenizer.token_to_id(token) for token in tokenizers.SPECIAL] == [0, 1, 2, 3, 4]


def test_token_offsets_lie_in_the_raw_text(tokenizer):
    text = "اشتَبــاكات 🔴 في «حلب»"
    encoding = tokenizer.encode(text, add_special_tokens=False)
    firsts = [text[start] for start, _ in encoding.offsets]
    assert firsts[0] == "ا"
    assert "ح" in firsts
    assert all(0 <= start < end <= len(text) for start, end in encoding.offsets)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("قَصْف على\r\nحَلَب", ["قَصْف", "على", "حَلَب"]),
        ("ﷺ قصف", ["ﷺ", "ﷺ", "ﷺ", "ﷺ", "قصف"]),
        ("\u202bقصف\u202c 🔴 حلب", ["قصف", "🔴", "حلب"]),
        ("قصـ.ـف ١٢", ["قصـ.ـف", "١٢"]),
    ],
)
def test_words_map_back_to_the_raw_text(text, pieces):
    words = ["قصف", "علي", "حلب", "صلي", "الله", "عليه", "وسلم", "12"]
    vocabulary = {word: place for place, word in enumerate([*tokenizers.SPECIAL, *words])}
    built = tokenizers.build(vocabulary, tokenizers.normaliser(fold_letters=True, words={}))
    assert [text[start:end] for start, end in built.encode(text, add_special_tokens=False).offsets] == pieces


def test_transformers_loads_the_very_same_tokenizer(tokenizer, tmp_path):
    tokenizers.save(tokenizer, tmp_path, 512)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "قَصْفٌ على المدينة إلى ١٢"
    assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert loaded.model_max_length == 512
    assert loaded.mask_token == "[MASK]"


class HubTokenizer:
    """The part of a hub tokenizer that `from_hub` asks for, with AraBERT's own words."""

    def get_vocab(self):
        words = [*tokenizers.SPECIAL, "[رابط]", "[مستخدم]", "[بريد]", "إلى", "مدرسة", "انظر", "و", "ثم", "."]
        return {word: place for place, word in enumerate(words)}


def test_addresses_become_the_words_of_the_hub_vocabulary():
    text = "انظر https://a.example/b?c=1 و @someone ثم a.b@c.example"
    assert tokenizers.from_hub(HubTokenizer()).encode(text).tokens == [
        "[CLS]", "انظر", "[رابط]", "و", "[مستخدم]", "ثم", "[بريد]", "[SEP]"
    ]  # fmt: skip


def test_a_hub_vocabulary_keeps_its_letters():
    assert tokenizers.from_hub(HubTokenizer()).encode("إِلَى مدرسة").tokens[1:-1] == ["إلى", "مدرسة"]


def test_a_vocabulary_without_special_tokens_is_refused():
    with pytest.raises(ConfigError, match="PAD"):
        tokenizers.build({"قصف": 0}, tokenizers.normaliser(fold_letters=True, words={}))
