"""A reading as lines for a terminal: every participant and every fact, in columns with the Arabic last."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from tests.light.test_facts import FULL as TOLD
from tests.light.test_facts import LABELS, TEXT, span
from waqia import Facts, Incident, Participant, Reading, Span
from waqia.cli import main
from waqia.document.facts import add_facts
from waqia.formats.plain import lines

DAY = date(2020, 3, 5)
ARABIC = re.compile("[\u0600-\u06ff]")


def reading(*parts: Participant) -> Reading:
    start = TEXT.index("قصف")
    return Reading((Incident("shelling", "actual", Span(start, start + 3, "قصف"), parts, 0.9),), windows=1)


FULL = (span("قتل ثلاثة مدنيين", "casualties"), *TOLD[1:])


def table(read: Reading) -> list[str]:
    """The lines of the first incident's table."""
    return lines("a.txt", TEXT, read, LABELS).splitlines()[4:]


def rows(read: Reading) -> list[tuple[str, ...]]:
    """Name, value, Arabic."""
    return [tuple(re.split(r" {2,}", line.strip())) for line in table(read)]


def known(*parts: Participant) -> Reading:
    return add_facts(TEXT, reading(*parts), DAY, tables=Facts().open(LABELS))


def test_every_participant_and_every_fact_has_a_line():
    assert rows(known(*FULL)) == [
        ("casualties", "0:16", "الضحايا: قتل ثلاثة مدنيين"),
        ("casualties", "17:30", "الضحايا: وأصيب العشرات"),
        ("initiator MIL", "36:48", "الفاعل: لقوات النظام"),
        ("place", "53:74", "المكان: بلدة البارة بريف إدلب"),
        ("time", "75:83", "الزمان: مساء أمس"),
        ("date", "2020-03-04 (part)", "التاريخ: مساء أمس"),
        ("killed", "3", "القتلى: قتل ثلاثة مدنيين"),
        ("injured", "at least 20 (dozens)", "الجرحى: وأصيب العشرات"),
        ("place is", "35.680 36.530 Al-Bara, village, Idlib, SY", "المكان: البارة"),
        ("initiator is", "syrian-regime-forces, SY", "الفاعل: قوات النظام السوري"),
    ]


def test_columns_stand_under_each_other_and_arabic_comes_last():
    starts = [found.start() for line in table(known(*FULL)) if (found := ARABIC.search(line))]
    assert len(starts) == 10
    assert len(set(starts)) == 1
    assert not any(re.search("[A-Za-z0-9]", line[starts[0] :]) for line in table(known(*FULL)))


def test_a_guessed_date_is_called_a_guess():
    read = add_facts("قصف", Reading((Incident("shelling", "actual", Span(0, 3, "قصف")),)), DAY, tables=Facts(text_day=True).open(LABELS))
    assert re.search(r"date +2020-03-05 \(the text's day, a guess\)  التاريخ\n", lines("a", "قصف", read, LABELS))


def test_totals_without_facts_and_other_counts_are_shown():
    bare = replace(reading().incidents[0], killed=4, injured=0, date="2020-03")
    assert rows(Reading((bare,))) == [("date", "2020-03", "التاريخ"), ("killed", "4", "القتلى"), ("injured", "0", "الجرحى")]
    counts = {"killed": {"min": 3, "max": 5, "about": True}, "killed_or_injured": {"min": 31, "max": None}}
    several = replace(bare, facts={"counts": counts, "other_counts": {"killed": [{"min": 2, "max": 2}]}})
    assert rows(Reading((several,)))[1:] == [
        ("killed", "about 3 to 5; also 2", "القتلى"),
        ("injured", "0", "الجرحى"),
        ("killed or injured", "at least 31", "القتلى والجرحى"),
    ]


def test_what_could_steer_a_terminal_is_left_out():
    read = Reading((Incident("shelling", "actual", Span(0, 3, "\x1b[3"), (Participant(0, 2, "أ\u202eب", "place", None),)),), error="x\ny")
    said = lines("a\x1b", "\x1b[31m", read, LABELS)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "\x1b[1m" in lines("a", "\x1b[31m", read, LABELS, colour=True)


def test_the_command_takes_the_day_of_the_text_as_a_guess_where_asked(tmp_path, capsys):
    path = tmp_path / "a.txt"
    path.write_text("قتل ثلاثة مدنيين بقصف لقوات النظام على بلدة البارة بريف إدلب.", "utf-8")
    for options, found in (([], 0), (["--text-day"], 1)):
        assert main(["read", "--date", "2020-03-05", *options, str(path)]) == 0
        assert capsys.readouterr().out.count("2020-03-05 (the text's day, a guess)") == found
    assert main(["read", "--text-day", "--facts", "counts", str(path)]) == 2
    assert "dates are switched off" in capsys.readouterr().err
