"""What one folded word says happened to people, and how many people it names."""

from __future__ import annotations

import pytest

from waqia.document.peoplewords import DETAINED, DISPLACED, INJURED, JOINT, KILLED, MISSING, Fate, _shape, fate, people, suffix_count


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("جندي", 1),
        ("وجندي", 1),
        ("الجندي", 1),
        ("رجلا", 1),
        ("اخر", 1),
        ("اخري", 1),
        ("احدهم", 1),
        ("احداهن", 1),
        ("احدهما", 1),
        ("احداهما", 1),
        ("اخران", 2),
        ("اخرتان", 2),
        ("كلاهما", 2),
        ("كليهما", 2),
        ("اثنان", 2),
        ("جنود", 0),
        ("الجنود", 0),
        ("جنديين", 2),
        ("مدنيين", 0),
        ("مدنيون", 0),
        ("طفلان", 2),
        ("امراتين", 2),
        ("معلمات", 0),
        ("نجله", 1),
        ("زوجته", 1),
        ("والدتها", 1),
        ("اطفاله", 0),
        ("رفاقهم", 0),
        ("طفليها", 2),
        ("شقيقيه", 2),
        ("ثالث", 1),
        ("ورابع", 1),
        ("شهيدان", 2),
        ("جرحي", 0),
        ("قتيل", 1),
        ("وجنديين", 2),
        ("لضابطين", 2),
        ("والمدنيين", 0),
        ("زيد", None),
        ("سلطان", None),
        ("وسلطان", None),
        ("حسين", None),
        ("لحسين", None),
        ("قصف", None),
    ],
)
def test_a_word_names_one_two_or_more_people(word, count):
    assert people(word) == count


def test_context_makes_a_dual_and_the_place_of_a_victim_a_person():
    assert people("مدنيين", dual=True) == 2
    assert people("جنود", dual=True) == 0
    assert people("زيد", loose=True) == 1
    assert people("جنود", loose=True) == 0
    assert people("قصف", loose=True) == 1


@pytest.mark.parametrize(
    ("word", "dual", "count"),
    [
        ("فنان", False, None),  # four letters, and «فن» is nobody
        ("رجلان", False, 2),
        ("عمان", False, 2),  # «عم», an uncle
        ("غيلان", False, 2),
        ("بان", False, None),
        ("تيتين", False, 0),  # five letters: no «تين» of a dual
        ("ممرضتين", False, 2),
        ("ممرضتان", False, 2),
        ("فلاحين", False, 0),
        ("فلاحين", True, 2),
        ("جنديين", False, 2),
        ("لاعين", False, 0),
        ("رعين", False, None),
        ("فلاحون", False, 0),
        ("رعون", False, None),
        ("فلاحات", False, 0),
        ("حيات", False, None),
        ("فلاح", False, None),
    ],
)
def test_the_ending_of_an_unknown_word_tells_how_many(word, dual, count):
    assert _shape(word, dual) == count


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("قتل", Fate(KILLED)),
        ("وقتلوا", Fate(KILLED)),
        ("مقتله", Fate(KILLED, suffix="ه")),
        ("مقتلهم", Fate(KILLED, suffix="هم")),
        ("اصابه", Fate(INJURED)),
        ("اصابته", Fate(INJURED, suffix="ه")),
        ("اصابتها", Fate(INJURED, suffix="ها")),
        ("اصابتهما", Fate(INJURED, suffix="هما")),
        ("اصابت", Fate(INJURED)),
        ("اعتقال", Fate(DETAINED)),
        ("اعتقالهن", Fate(DETAINED, suffix="هن")),
        ("نزوح", Fate(DISPLACED)),
        ("فقدان", Fate(MISSING)),
        ("قتيل", Fate(KILLED, 1)),
        ("القتلي", Fate(KILLED, 0)),
        ("شهيدان", Fate(KILLED, 2)),
        ("جريح", Fate(INJURED, 1)),
        ("اسير", Fate(DETAINED, 1, True)),
        ("نازحين", Fate(DISPLACED, 0, True)),
        ("ضحايا", Fate(JOINT, 0)),
        ("بيت", None),
        ("زيد", None),
    ],
)
def test_a_word_says_what_happened_to_people(word, said):
    assert fate(word) == said


def test_a_pronoun_stands_for_one_two_or_more():
    found = {suffix: suffix_count(suffix) for suffix in ("ه", "ها", "هم", "هن", "هما", "")}
    assert found == {"ه": 1, "ها": 1, "هم": 0, "هن": 0, "هما": 2, "": None}
