from __future__ import annotations

import re
import re._constants as parts
import re._parser as parser
from itertools import pairwise

import pytest

from waqia.arabic import _ENDS, _TRAILING, MARKS, SPELLINGS, encodable, fold, ranges, sentence_starts, word_end, word_start


def sentences(text: str) -> list[str]:
    starts = [*sentence_starts(text), len(text)]
    return [text[a:b].strip() for a, b in pairwise(starts)]


def test_sentences_end_at_stops_question_marks_and_line_breaks():
    assert sentences("قصفوا المدينة. هل سقط قتلى؟ نعم!\r\nعاجل") == ["قصفوا المدينة.", "هل سقط قتلى؟", "نعم!", "عاجل"]


def test_a_closing_quote_stays_with_its_sentence():
    assert sentences("قال: «انسحبنا.» ثم صمت.") == ["قال: «انسحبنا.»", "ثم صمت."]


@pytest.mark.parametrize("text", ["قال د. أحمد العلي إن القصف توقف", "سقط 3.5 ملايين ليرة", "القصف، ثم النزوح؛ ثم الهدنة"])
def test_titles_decimals_commas_and_semicolons_end_no_sentence(text):
    assert sentences(text) == [text]


def test_a_word_reaches_over_the_marks_that_trail_it():
    assert word_end("قَصْفٌ عنيف", 5) == 6
    assert word_end("قصف\u200f مدفعي", 3) == 4


def test_lone_surrogates_are_replaced_one_for_one():
    assert encodable("قصف\ud83d!") == "قصف\ufffd!"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("قصف...ثم", ["قصف...ثم"]),
        ("قصف... ثم", ["قصف...", "ثم"]),
        ("قصف!.ثم", ["قصف!.", "ثم"]),
        ("قصف؟؟!ثم", ["قصف؟؟!", "ثم"]),
        ("صمت (د. أحمد) ثم د.\nأحمد", ["صمت (د. أحمد) ثم د.", "أحمد"]),
        ("رقم 5. ثم", ["رقم 5. ثم"]),
        ("انتهى.»ثم", ["انتهى.»ثم"]),
        ("قصف.\u2028ثم", ["قصف.", "ثم"]),
    ],
)
def test_runs_of_stops_and_initials(text, expected):
    assert sentences(text) == expected


def one_character(item) -> bool:
    kind, value = item
    return kind in (parts.IN, parts.LITERAL) or (kind is parts.SUBPATTERN and len(value[3]) == 1 and one_character(value[3][0]))


def is_linear(pattern: re.Pattern[str]) -> bool:
    """Whether a regular expression looks at no character twice: possessive repeats of single characters, and no looking around.

    A repeat that may give characters back, or a look ahead after one, is what made runs of dots quadratic.
    """
    todo = list(parser.parse(pattern.pattern, pattern.flags))
    while todo:
        kind, value = todo.pop()
        if kind is parts.SUBPATTERN:
            todo += list(value[3])
        elif kind is parts.BRANCH:
            todo += [item for branch in value[1] for item in branch]
        elif kind is parts.POSSESSIVE_REPEAT:
            if len(value[2]) != 1 or not one_character(value[2][0]):
                return False
        elif kind not in (parts.IN, parts.LITERAL):
            return False
    return True


def test_sentence_ends_and_trailing_marks_are_found_in_one_pass():
    assert is_linear(_ENDS)
    assert is_linear(_TRAILING)
    assert not is_linear(re.compile(r"[.]+(?=\s|$)"))  # as it was


class Counted(str):
    """A text that counts how often one of its characters is looked at."""

    looks = 0

    def __getitem__(self, key):
        Counted.looks += 1
        return super().__getitem__(key)


@pytest.mark.parametrize("size", [1_000, 8_000])
def test_the_start_of_a_word_is_found_in_as_many_steps_as_characters_lie_before_it(size):
    Counted.looks = 0
    text = Counted("قصف " + "\u0640" * size + "حلب")
    assert word_start(text, size + 4, 3) == size + 4
    assert Counted.looks <= size + 3


def test_a_hundred_thousand_stops_are_cut():
    """Many minutes, before; each of these is one pass now."""
    for unit in (".", "!.", ".»", "د.", "؟", "… "):
        text = unit * (200_000 // len(unit))
        assert len(sentence_starts(text)) >= 1


def test_a_word_reaches_back_over_what_normalising_dropped_before_it():
    text = "انظر https://a.example"
    assert word_start(text, 20, 4) == 5
    assert word_start(text, 5, 4) == 5


def test_ranges_of_a_character_class():
    assert ranges([99, 97, 98, 101]) == "a-ce"
    assert re.fullmatch(f"[{MARKS}]+", "\u064b\u0640\u200f\ufe0f\u034f\U000e0041\x00\ufe70")
    assert not re.search(f"[{MARKS}]", "\n\t \x1c\u0600\u06dd\u06de،.")


def test_a_word_is_folded_to_the_spelling_that_all_others_are_read_as():
    assert fold("الأُمَمـ المُتَّحِدة") == "الامم المتحده"
    assert fold("إلى آخرٱ") == "الي اخرا"


def test_the_table_of_spellings_is_the_same_letter_by_letter():
    assert SPELLINGS == {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه"}
