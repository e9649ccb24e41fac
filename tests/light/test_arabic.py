from __future__ import annotations

from itertools import pairwise

import pytest

from waqia.arabic import encodable, sentence_starts, word_end


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
