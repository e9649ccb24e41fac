"""The tokenizer: all normalising inside `tokenizer.json`, so that offsets stay those of the raw text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase

from waqia.errors import ConfigError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# AraBERT's vocabulary has words of its own for what would fall to pieces.
ARABERT_WORDS = {r"https?://\S+|www\.\S+": "[رابط]", r"[\w.+-]+@[\w-]+\.[\w.]+": "[بريد]", r"(?<![\w@])@\w+": "[مستخدم]"}

_LETTER = r"[\u0621-\u064A]"
_MARKS = (
    r"[\u0610-\u061A\u061C\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E8\u06EA-\u06ED"
    r"\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]"
)
# Censored words: dots or stars beside a tatweel («قصـ.ـف»), single letters («د.ا.عش», «أ.ف.ب»), a last lone letter («داع.ش»),
# stars between letters («ق*تل»). A dot between two words («قال.وأضاف», «انتهى.و قال») ends a sentence and stays, as does a hashtag's «_».
_CENSORED = (
    rf"(?<=\u0640)[.*]+(?=\u0640?{_LETTER})|(?<={_LETTER})[.*]+(?=\u0640)"
    rf"|(?<=[^\p{{L}}]\p{{L}}|\A\p{{L}})\.(?=\p{{L}}\.\p{{L}})|(?<=\.\p{{L}})\.(?=\p{{L}})|(?<={_LETTER}{_LETTER})\.(?=(?!و){_LETTER}(?!\p{{L}}))"
    rf"|(?<={_LETTER})[*]+(?={_LETTER})"
)
_FOLDED = {"ا": "أإآٱ", "ي": "ى", "ه": "ة"}
_SAME = {
    **{str(digit): chr(0x660 + digit) + chr(0x6F0 + digit) for digit in range(10)},
    '"': "“”«»„‟",
    "'": "’‘‚‛`",
    "-": "–—―−",
    "ك": "ک",
    "ي": "ی",
}


def normaliser(*, fold_letters: bool, words: Mapping[str, str]) -> normalizers.Sequence:
    """NFKC, censoring undone, marks stripped, digits, quotes and dashes unified; letters folded on demand.

    fold_letters writes أإآٱ as ا, ى as ي and ة as ه, spellings that writers mix; a vocabulary made without it (AraBERT's) needs it off.
    words maps regular expressions (addresses, say) to a word of the vocabulary.
    """
    steps: list[normalizers.Normalizer] = [normalizers.NFKC()]
    steps += [normalizers.Replace(Regex(pattern), "") for pattern in (_CENSORED, _MARKS)]
    steps += [normalizers.Replace(Regex(pattern), f" {word} ") for pattern, word in words.items()]
    for one, others in [*_SAME.items(), *(_FOLDED.items() if fold_letters else ())]:
        steps.append(normalizers.Replace(Regex(f"[{others}]"), one))
    return normalizers.Sequence([*steps, normalizers.Lowercase()])


def build(vocabulary: Mapping[str, int], normal: normalizers.Normalizer) -> Tokenizer:
    """A whole WordPiece tokenizer over a vocabulary that holds the special tokens; ConfigError names those it lacks."""
    missing = [token for token in SPECIAL if token not in vocabulary]
    if missing:
        raise ConfigError(f"the vocabulary lacks {missing}; expected a BERT WordPiece vocabulary")
    tokenizer = Tokenizer(models.WordPiece(dict(vocabulary), unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normal
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends)
    return tokenizer


def train(texts: Iterable[str], size: int) -> Tokenizer:
    """Learn a WordPiece vocabulary of `size` tokens from texts, special tokens first."""
    normal = normaliser(fold_letters=True, words={})
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    learner.normalizer = normal
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=300, min_frequency=2, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    return build(learner.get_vocab(), normal)


def from_hub(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """An explicit tokenizer on a hub tokenizer's WordPiece vocabulary, whose letters are not folded.

    Words of ARABERT_WORDS that the vocabulary has survive pre-tokenising as one token each.
    """
    vocabulary = tokenizer.get_vocab()
    words = {pattern: word for pattern, word in ARABERT_WORDS.items() if word in vocabulary}
    built = build(vocabulary, normaliser(fold_letters=False, words=words))
    built.add_tokens([AddedToken(word, normalized=True, special=False) for word in words.values()])
    return built


def save(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    """Write tokenizer.json and tokenizer_config.json, which `AutoTokenizer.from_pretrained(folder)` reads as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), "utf-8")
