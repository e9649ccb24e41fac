from __future__ import annotations

import hashlib
import json
import unicodedata

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from train import tokenizer as tokenizers
from waqia import ConfigError

SHIPPED = tokenizers.normaliser(fold_letters=True, words={})
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


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("🔴انظر", ["[UNK]", "انظر"]),
        ("انظر▪\ufe0fثم°", ["انظر", "[UNK]", "ثم", "[UNK]"]),
        ("🔴https://a.example/b ثم€", ["[UNK]", "[رابط]", "ثم", "[UNK]"]),
        ("انظر\ufe70 ث\u08f0م\u034f", ["انظر", "ثم"]),
        ("انظر™ثم", ["انظر", "[UNK]", "ثم"]),
    ],
)
def test_symbols_and_marks_leave_the_words_of_a_hub_vocabulary_whole(text, tokens):
    assert tokenizers.from_hub(HubTokenizer()).encode(text, add_special_tokens=False).tokens == tokens


def version_1(tokenizer, *, fold: bool):
    """The same vocabulary with the normalising and splitting of version 1, as far as an upgrade looks at it."""
    old = Tokenizer.from_str(tokenizer.to_str())
    folds = [normalizers.Replace(Regex("[ة]"), "ه")] if fold else [normalizers.Replace("x", f" {word} ") for word in ("[رابط]", "[بريد]")]
    old.normalizer = normalizers.Sequence([normalizers.NFKC(), *folds, normalizers.Lowercase()])
    old.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return old


def test_an_upgrade_keeps_vocabulary_and_numbers_and_mends_the_splitting(tokenizer, tmp_path):
    version_1(tokenizer, fold=True).save(str(tmp_path / "old.json"))
    tokenizers.main(["upgrade", str(tmp_path / "old.json"), str(tmp_path / "new.json")])
    upgraded = Tokenizer.from_file(str(tmp_path / "new.json"))
    assert upgraded.get_vocab() == tokenizer.get_vocab()
    assert json.loads(upgraded.to_str()) == json.loads(tokenizer.to_str())


def test_an_upgrade_takes_over_which_addresses_become_words_and_whether_letters_are_folded():
    upgraded = tokenizers.upgrade(version_1(tokenizers.from_hub(HubTokenizer()), fold=False))
    text = "🔴انظر https://a.example ثم a@b.example مدرسة"
    assert upgraded.encode(text, add_special_tokens=False).tokens == ["[UNK]", "انظر", "[رابط]", "ثم", "[بريد]", "مدرسة"]


def test_upgrading_twice_changes_nothing(tokenizer):
    assert tokenizers.upgrade(tokenizer).to_str() == tokenizer.to_str()


def test_a_tokenizer_of_another_kind_is_not_upgraded():
    with pytest.raises(ConfigError, match="BPE"):
        tokenizers.upgrade(Tokenizer(models.BPE()))


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="another Unicode version names other marks")
def test_the_version_stands_for_one_way_to_normalise_and_split():
    """A change of what these say is another version: trained models read by it."""
    parts = json.loads(tokenizers.build({token: n for n, token in enumerate(tokenizers.SPECIAL)}, SHIPPED).to_str())
    said = json.dumps([parts["normalizer"], parts["pre_tokenizer"]], sort_keys=True)
    assert (tokenizers.VERSION, hashlib.sha256(said.encode()).hexdigest()[:16]) == (2, "3edfcd99b0d17607")


def test_the_shipped_encoder_has_this_version():
    shipped = Tokenizer.from_file("models/waqia-mini/tokenizer.json")
    assert tokenizers.upgrade(shipped).to_str() == shipped.to_str()


def test_a_megabyte_of_letters_and_dots_without_an_address_is_normalised():
    """Before, every letter started a search for «@»: hours."""
    normalise = tokenizers.normaliser(fold_letters=False, words=tokenizers.ARABERT_WORDS)
    for text in ("ق" * 1_000_000, "ق." * 500_000, "." * 1_000_000, "a@" * 500_000):
        assert normalise.normalize_str(text)


def test_a_vocabulary_without_special_tokens_is_refused():
    with pytest.raises(ConfigError, match="PAD"):
        tokenizers.build({"قصف": 0}, tokenizers.normaliser(fold_letters=True, words={}))
