"""What the robustness script changes and counts, on texts and readings worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from eval.perturb import robustness
from eval.perturb.edits import apply
from waqia.schema import Incident, Reading, Record, Span


class Always:
    """A source of chance that always falls below any rate, and takes the first of a choice."""

    def random(self):
        return 0.0

    def choice(self, values):
        return values[0]


class Never(Always):
    def random(self):
        return 0.999


@pytest.mark.parametrize(
    ("change", "text", "changed"),
    [
        (robustness.diacritics, "قصف", "قَصَفَ"),
        (robustness.no_diacritics, "قَصَفَ حيّ", "قصف حي"),
        (robustness.tatweel, "قصفوا قصف", "قـــصفوا قصف"),  # words of four letters and more
        (robustness.tatweel, "أوراد", "أوراد"),  # nothing joins
        (robustness.letters, "أإآ مدينة إلى مستشفىx", "ااا مدينه الي مستشفىx"),
        (robustness.digits, "5 و19", "٥ و١٩"),
        (robustness.quotes, '"أ" “ب”', "«أ» «ب»"),
        (robustness.no_commas, "أ، ب؛ ج, د;", "أ ب ج د"),
        (robustness.run_on, "أ. ب.ج\n\nد.", "أ  ب.ج د "),
        (robustness.censored, "قصفوا قصف", "قصـ.ـفوا قصف"),
        (robustness.typing, "قضو", "ثضة"),  # the key before; «ض» is the first
        (robustness.scanning, "بم", "تم"),
        (robustness.hashtags, "أب جد 5", "أب #جد 5"),
        (robustness.emoji, "أ. ب! ج", "🔴 أ. 🔴 ب! 🔴 ج"),
        (robustness.marks, "أ ب 5", "أ \u200fب \u200f5"),
        (robustness.presentation, "با", "ﺏﺍ"),
    ],
)
def test_a_change_does_what_its_name_says(change, text, changed):
    assert apply(Record("a", text), sorted(change(text, Always()))).text == changed


@pytest.mark.parametrize("change", robustness.PERTURBATIONS, ids=lambda change: change.__name__)
def test_a_change_by_chance_may_leave_a_text_alone(change):
    by_chance = {"diacritics", "tatweel", "censored", "typing", "typing_often", "scanning", "hashtags", "marks"}
    assert (not list(change("قصفوا قريتنا", Never()))) == (
        change.__name__ in by_chance | {"no_diacritics", "digits", "quotes", "no_commas", "run_on", "letters"}
    )


def test_each_change_happens_as_often_as_it_says():
    text = "بيت " * 4000

    def share(change, of):
        return len(list(change(text, robustness.chance(Record("a", text))))) / of

    assert share(robustness.diacritics, 12_000) == pytest.approx(0.3, abs=0.02)
    assert share(robustness.typing, 12_000) == pytest.approx(0.01, abs=0.003)
    assert share(robustness.typing_often, 12_000) == pytest.approx(0.05, abs=0.008)
    assert share(robustness.scanning, 8_000) == pytest.approx(1 / 30, abs=0.008)
    assert share(robustness.hashtags, 3_999) == pytest.approx(0.1, abs=0.02)
    assert share(robustness.marks, 3_999) == pytest.approx(0.2, abs=0.025)
    words = "قصفوا " * 4000
    for change, rate in ((robustness.tatweel, 0.3), (robustness.censored, 0.2)):
        assert len(list(change(words, robustness.chance(Record("a", words))))) / 4000 == pytest.approx(rate, abs=0.03)


class Reads:
    """A reader that finds a shelling wherever a text says «قصف», and counts what it was asked."""

    def __init__(self):
        self.asked = []

    def read_many(self, texts):
        self.asked.append(list(texts))
        return [Reading(found(text), {}) for text in texts]


def found(text):
    at = text.find("قصف")
    return () if at < 0 else (Incident("shelling", "actual", Span(at, at + 3, "قصف")),)


GOLD = [Record(name, text, found(text)) for name, text in (("a", "قصف حلب 5"), ("b", "هدوء في حلب"), ("c", "قصف حمص"))]


def test_a_text_that_a_change_leaves_as_it_was_is_not_read_again():
    reader = Reads()
    said = robustness.read(GOLD, reader)
    assert [(record.id, len(record.incidents)) for record in said] == [("a", 1), ("b", 0), ("c", 1)]
    changed = [robustness.perturb(record, robustness.digits) for record in GOLD]
    after = robustness.read(changed, reader, GOLD, said)
    assert reader.asked == [[record.text for record in GOLD], ["قصف حلب ٥"]]
    assert [(record.id, record.text) for record in after] == [(record.id, record.text) for record in changed]
    assert [len(record.incidents) for record in after] == [1, 0, 1]


def test_passages_that_a_change_touches_are_counted_with_what_it_costs(labels, monkeypatch):
    def blind(text, chance):
        """No more shelling of Aleppo."""
        if "حلب 5" in text:
            yield 0, 3, "نهض"

    monkeypatch.setattr(robustness, "PERTURBATIONS", (blind, robustness.digits))
    monkeypatch.setattr(robustness.meaning, "words", lambda: {"swaps": {}})
    monkeypatch.setattr(robustness, "paraphrases", lambda labels: ())
    result = robustness.judge(GOLD, Reads(), labels)
    assert (result["records"], result["plain"]["incidents F1"]) == (3, 1.0)
    assert {name: row["passages_touched"] for name, row in result["changes"].items()} == {"blind": 1, "digits": 1}
    # of two incidents one is lost: F1 falls from 1 to 2 · 1 / (2 + 1)
    assert result["changes"]["blind"]["incidents F1"]["effect"] == pytest.approx(2 / 3 - 1)
    assert result["changes"]["digits"]["incidents F1"] == {"effect": 0.0, "interval": [0.0, 0.0], "decided": False}
    assert result["changes"]["blind"]["what"] == "No more shelling of Aleppo."
    assert (result["statuses"], "no unrealised_status" in result["left_out"]) == ({}, True)
    lines = robustness.table(result)
    assert lines[0] == "3 records as they are: incidents F1 1.000"
    assert any(line.startswith(f"{'digits':<20} {1:>7}  +0.000 [+0.000, +0.000]") for line in lines)


def test_negation_needs_a_status_for_what_did_not_happen(labels):
    assert [change.__name__ for change in robustness.paraphrases(labels)] == ["negated", "future"]
    assert robustness.paraphrases(SimpleNamespace(unrealised_status=None)) == ()
