"""Texts and rows that nobody would write: no exception, no wrong offset, nothing left out.

WAQIA_FUZZ=100000 python -m pytest tests/light/test_fuzz.py    # many more texts, by hand; WAQIA_FUZZ_SEED=2 other ones
"""

from __future__ import annotations

import copy
import os
import random
import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from waqia import RecordError
from waqia.arabic import HALFWIDTH, ISOLATED, MARKS, sentence_starts
from waqia.model import artefact
from waqia.model.windows import WindowSettings, split
from waqia.records import dump_row, parse_line, parse_record

TEXTS = int(os.environ.get("WAQIA_FUZZ", "3000"))
SEED = int(os.environ.get("WAQIA_FUZZ_SEED", "1"))
TOKENIZER = artefact.load().tokenizer
SETTINGS = (WindowSettings(16, 4), WindowSettings(24, 0), WindowSettings(256, 64))
MARK = re.compile(f"[{MARKS}{HALFWIDTH}]")
PIECES = [
    "قصف", "مدفعي", "حلب", "و", "د.ا.عش", "قصـ.ـف", "ق*تل", "قَصْفٌ", "القـــصف", "ﷺ", "﷽", "ﻗﺼﻒ", "١٢", "12", "3.5", "🔴",
    "▪\ufe0f", "🇸🇾",     "👩\u200d👧", "€", "°", "™", "㎞", "½", "´", "\ufe70", "\ufe77", "\ufc60", "\u06dd", "\u0600", "\u200f",
    "\u034f", "\U000e0041", "\x00",     "\x1c", "\x85", "\u2028", "\r\n", "\n", " ", "\t", "\u00a0", ".", "!", "؟", "…", "،", "«",
    "»", "\"", "(", ")", "@", "#", "_", "…..", "!.",     "http://a.b/c", "a@b.c", "\ud800", "\udc00", "\ufffd", "\uf0a7",
    "\uffff", "\U0010ffff", "中", "é", "e\u0301", "ß", "İ", "क\u094d", "A", "zß",
]  # fmt: skip


def proved(text: str, chosen: WindowSettings) -> None:
    """Words of the windows that own them: in order, without overlap, not empty, inside the text; and no character of the text beside them
    but white space, marks and the dots or stars of a hidden word, «قصف..ـ»."""
    windows = split(text, TOKENIZER, chosen)
    bounds = [tuple(pair) for window in windows for pair in window.words[slice(*window.owned)].tolist()]
    places = [place for pair in bounds for place in pair]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in bounds)
    gaps = zip([0, *(end for _, end in bounds)], [*(start for start, _ in bounds), len(text)], strict=True)
    outside = [place for end, start in gaps for place in range(end, start)]
    assert not [place for place in outside if not (text[place].isspace() or MARK.match(text[place]) or hidden(text, place))]
    for window in windows:
        assert len(window.ids) <= chosen.max_tokens
        assert window.word_starts.tolist() == [1, *window.word_ends[:-1].tolist()]
        assert window.word_ends[-1] == len(window.ids) - 1
    starts = sentence_starts(text)
    assert starts == sorted(set(starts))
    assert all(0 <= start <= len(text) for start in starts)


def hidden(text: str, place: int) -> bool:
    """Whether a dot or star stands in a run of such before a tatweel."""
    plain = unicodedata.normalize("NFKC", re.sub(f"[{ISOLATED}]", "", text[place:]))
    return re.match(r"[.*]+\u0640", plain) is not None


def odd_text(chance: random.Random) -> str:
    """Up to 30 of the pieces, with any characters at all among them."""
    parts = chance.choices(PIECES, k=chance.randrange(30))
    if chance.random() < 0.3:
        parts += [chr(chance.randrange(0x110000)) for _ in range(chance.randrange(6))]
        chance.shuffle(parts)
    return chance.choice(["", "", " "]).join(parts)


def test_texts_put_together_from_odd_pieces_keep_their_offsets():
    chance = random.Random(SEED)
    for _ in range(TEXTS):
        proved(odd_text(chance), chance.choice(SETTINGS))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_texts_of_any_characters_keep_their_offsets(text):
    proved(text, SETTINGS[0])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 40) | st.floats() | st.text(max_size=4) | st.sampled_from(["protest", "yes", "place"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(item, path=()):
    """Every path into a row."""
    inside = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_row_changed_anywhere_is_a_record_or_a_record_error(labels, data):
    row = copy.deepcopy(ROW)
    path = data.draw(st.sampled_from(PLACES))
    value = data.draw(json_values)
    item = row
    for key in path[:-1]:
        item = item[key]
    if data.draw(st.booleans()) or isinstance(item, list):
        item[path[-1]] = value
    else:
        item[data.draw(st.text(max_size=9))] = item.pop(path[-1])
    record = result_or_message(lambda: parse_record(row, labels, "f.jsonl:1"))
    if isinstance(record, str):
        assert record.startswith("f.jsonl:1")
    else:
        assert parse_record(record.to_dict(), labels, "x") == record


def result_or_message(make):
    """What a call gives, or the message of its RecordError; any other exception is a failure."""
    try:
        return make()
    except RecordError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,0123456789.eE-+ntrufalsNI \\u', max_size=40).map(str.encode))
def test_a_line_of_any_bytes_is_json_or_a_record_error(line):
    found = result_or_message(lambda: [parse_line(line, "f.jsonl:1")])
    if isinstance(found, str):
        assert found.startswith("f.jsonl:1: ")
    else:
        assert parse_line(dump_row(found[0]).encode(), "x") == found[0]


ROW = {
    "id": "t-1",
    "text": "هاجم مسلحون دورية في تعز",
    "annotated": ["armed_attack", "protest"],
    "answers": {"armed_attack": "yes", "protest": "no"},
    "types": {"armed_attack": 0.5},
    "incidents": [
        {
            "type": "armed_attack",
            "status": "actual",
            "score": 0.5,
            "trigger": {"start": 0, "end": 4, "text": "هاجم"},
            "mentions": [{"start": 12, "end": 17, "text": "دورية"}],
            "date": "2015-07/2015-08",
            "killed": 3,
            "participants": [{"role": "initiator", "sector": "UAF", "start": 5, "end": 11, "text": "مسلحون"}],
        }
    ],
}
PLACES = [path for path in places(ROW) if path]
