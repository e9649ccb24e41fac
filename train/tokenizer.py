"""The tokenizer: all normalising inside `tokenizer.json`, so that offsets stay those of the raw text.

    python -m train.tokenizer upgrade IN OUT    # a tokenizer.json of an earlier version becomes one of this version, its vocabulary kept

Version 1 split words at white space and punctuation only and knew fewer marks. Version 2 makes symbols words of their own («🔴قصف» is two
words) and drops every mark of `waqia.arabic`. A vocabulary, and with it an encoder, serves both: the tokens and their numbers are the same.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from eval.score.command import run as run_script
from waqia.arabic import FOLDED, ISOLATED, LETTERS, MARKS, SAME, SEPARATORS, SIGNS, ranges
from waqia.arguments import Parser
from waqia.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VERSION = 2
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# AraBERT's vocabulary has words of its own for what would fall to pieces.
ARABERT_WORDS = {r"https?://\S+|www\.\S+": "[رابط]", r"(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.]+": "[بريد]", r"(?<![\w@])@\w+": "[مستخدم]"}

_LETTER = f"[{LETTERS}]"
# Censored words: dots or stars beside a tatweel («قصـ.ـف»), single letters («د.ا.عش», «أ.ف.ب»), a last lone letter («داع.ش»),
# stars between letters («ق*تل»). A dot between two words («قال.وأضاف», «انتهى.و قال») ends a sentence and stays, as does a hashtag's «_».
_CENSORED = (
    rf"(?<=\u0640)[.*]+(?=\u0640?{_LETTER})|(?<={_LETTER})[.*]+(?=\u0640)"
    rf"|(?<=[^\p{{L}}]\p{{L}}|\A\p{{L}})\.(?=\p{{L}}\.\p{{L}})|(?<=\.\p{{L}})\.(?=\p{{L}})|(?<={_LETTER}{_LETTER})\.(?=(?!و){_LETTER}(?!\p{{L}}))"
    rf"|(?<={_LETTER})[*]+(?={_LETTER})"
)
# What is a word of its own: a run of symbols, private or unassigned characters (an emoji with its modifiers, a flag), and every
# punctuation mark, «؝» too, which came into Unicode after the BERT pre-tokenizer's list.
_APART = rf"[\p{{S}}\p{{Co}}\p{{Cn}}{SIGNS}]+|\p{{P}}"


def normaliser(*, fold_letters: bool, words: Mapping[str, str]) -> normalizers.Sequence:
    """NFKC, censoring undone, marks stripped, digits, quotes and dashes unified; letters folded on demand.

    fold_letters writes أإآٱ as ا, ى as ي and ة as ه, spellings that writers mix; a vocabulary made without it (AraBERT's) needs it off.
    words maps regular expressions (addresses, say) to a word of the vocabulary.
    """
    apart, spaced = _unfolding()
    steps: list[normalizers.Normalizer] = [
        # Before NFKC, which writes «™» as «tm» and «´» as a space and a mark: the symbol would melt into the word or cut it.
        normalizers.Replace(Regex(rf"(?<=[{apart}])(?=\S)|(?<=\S)(?=[{apart}])|[{SEPARATORS}]"), " "),
        normalizers.Replace(Regex(f"[{spaced}]"), "'"),
        normalizers.Replace(Regex(f"[{ISOLATED}]+"), ""),
        normalizers.NFKC(),
    ]
    steps += [normalizers.Replace(Regex(pattern), "") for pattern in (_CENSORED, f"[{MARKS}]+")]
    steps += [normalizers.Replace(Regex(pattern), f" {word} ") for pattern, word in words.items()]
    for one, others in [*SAME.items(), *(FOLDED.items() if fold_letters else ())]:
        steps.append(normalizers.Replace(Regex(f"[{others}]"), one))
    return normalizers.Sequence([*steps, normalizers.Lowercase()])


def _unfolding() -> tuple[str, str]:
    """What NFKC takes apart, as character classes: symbols that become letters («™», «㎞»), signs that become a space and a mark."""
    apart, spaced = set(), set()
    for point in range(0x20000):
        sign = chr(point)
        kind, plain = unicodedata.category(sign), unicodedata.normalize("NFKC", sign)
        if plain[0] == " " and kind[0] in "SPL" and len(plain) > 1 and kind != "Lo":
            spaced.add(point)
        elif kind[0] == "S" and any(unicodedata.category(c)[0] != "S" for c in plain):
            apart.add(point)
    return ranges(apart), ranges(spaced)


def splitter() -> pre_tokenizers.PreTokenizer:
    """Words: what lies between white space, every punctuation mark, every run of symbols."""
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(_APART), "isolated"), pre_tokenizers.BertPreTokenizer()])


def build(vocabulary: Mapping[str, int], normal: normalizers.Normalizer) -> Tokenizer:
    """A whole WordPiece tokenizer over a vocabulary that holds the special tokens; ConfigError names those it lacks."""
    missing = [token for token in SPECIAL if token not in vocabulary]
    if missing:
        raise ConfigError(f"the vocabulary lacks {missing}; expected a BERT WordPiece vocabulary")
    tokenizer = Tokenizer(models.WordPiece(dict(vocabulary), unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normal
    tokenizer.pre_tokenizer = splitter()
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
    learner.pre_tokenizer = splitter()
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


def upgrade(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with the normalising and splitting of this version; its vocabulary and added words, and so its numbers, are kept.

    Whether letters are folded and which addresses become words is taken over from the old one. ConfigError for a tokenizer of another kind.
    """
    old = json.loads(tokenizer.to_str())
    if old["model"]["type"] != "WordPiece" or (old["normalizer"] or {}).get("type") != "Sequence":
        raise ConfigError(f"a tokenizer of model {old['model']['type']}; expected a WordPiece tokenizer written by train.tokenizer")
    said = {step["content"] for step in old["normalizer"]["normalizers"] if step["type"] == "Replace"}
    words = {pattern: word for pattern, word in ARABERT_WORDS.items() if f" {word} " in said}
    new = json.loads(build(tokenizer.get_vocab(), normaliser(fold_letters="ه" in said, words=words)).to_str())
    upgraded = Tokenizer.from_str(json.dumps({**old, "normalizer": new["normalizer"], "pre_tokenizer": new["pre_tokenizer"]}))
    upgraded.no_truncation()
    upgraded.no_padding()
    return upgraded


def main(argv: Sequence[str] | None = None) -> None:
    """Read one tokenizer.json, write another."""
    parser = Parser(description=__doc__)
    parser.add_argument("action", choices=["upgrade"])
    parser.add_argument("old", type=Path, help="tokenizer.json to read")
    parser.add_argument("new", type=Path, help="tokenizer.json to write; may be the same file")
    args = parser.parse_args(argv)
    if not args.old.is_file():
        raise ConfigError(f"{args.old}: no such file; expected a tokenizer.json")
    upgrade(Tokenizer.from_file(str(args.old))).save(str(args.new))


if __name__ == "__main__":
    run_script(main)
