"""Facts of a reading: which are asked for, from which tables, and what each incident carries."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from waqia import Facts, Reader
from waqia.cli import main
from waqia.document.facts import add_facts
from waqia.errors import ConfigError, RecordError
from waqia.formats.graph import from_record
from waqia.frame import packaged_labels
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Record, Span

TEXT = "قتل ثلاثة مدنيين وأصيب العشرات بقصف لقوات النظام على بلدة البارة بريف إدلب مساء أمس"
PLACES = "name_ar\tname_en\tlatitude\tlongitude\tcountry\n"
ACTORS = "id\tname_en\tname_ar\taliases_ar\tsector\tcountry\tfrom\tto\n"
TWICE = "a\tA\tكذا\t\tREB\t\t\t\nb\tB\tكذا\t\tREB\t\t\t\n"
LABELS = packaged_labels()


def span(text: str, role: str, sector: str | None = None, *, raw: str = TEXT) -> Participant:
    start = raw.index(text)
    return Participant(start, start + len(text), text, role, sector)


def reading(*participants: Participant, raw: str = TEXT, trigger: str = "قصف") -> Reading:
    start = raw.index(trigger)
    return Reading((Incident("shelling", "actual", Span(start, start + len(trigger), trigger), participants),))


FULL = (
    span("ثلاثة مدنيين", "casualties"),
    span("وأصيب العشرات", "casualties"),
    span("لقوات النظام", "initiator", "REB"),
    span("بلدة البارة بريف إدلب", "place"),
    span("مساء أمس", "time"),
)


def told(facts: Facts | None = None, *participants: Participant) -> Incident:
    tables = (facts or Facts()).open(LABELS)
    return add_facts(TEXT, reading(*(participants or FULL)), date(2020, 3, 5), tables=tables).incidents[0]


def test_an_incident_carries_all_facts_with_the_spans_that_tell_them():
    incident = told()
    assert (incident.date, incident.killed, incident.injured) == ("2020-03-04", 3, None)
    facts = incident.facts
    assert list(facts) == ["date", "counts", "actors", "places"]
    assert facts["date"]["time_precision"] == 1
    injured = facts["counts"]["injured"]
    assert {**injured, "span": injured["span"]["text"]} == {"min": 20, "max": None, "word": "dozens", "span": "وأصيب العشرات"}
    actor, place = facts["actors"][0], facts["places"][0]
    assert (actor["role"], actor["id"], actor["country"]) == ("initiator", "syrian-regime-forces", "SY")
    assert (place["country"], place["exact"], place["alternatives"]) == ("SY", True, [])
    assert (round(place["latitude"], 1), round(place["longitude"], 1)) == (35.7, 36.5)
    for told_by in (facts["date"]["span"], injured["span"], actor["span"], place["span"]):
        assert TEXT[told_by["start"] : told_by["end"]] == told_by["text"]


def test_a_known_actor_gets_the_sector_of_the_table():
    incident = told()
    assert incident.participants[2].sector == incident.facts["actors"][0]["sector"] == "MIL"


def test_facts_survive_json():
    read = add_facts(TEXT, reading(*FULL), date(2020, 3, 5), tables=Facts().open(LABELS))
    assert Reading.from_dict(json.loads(json.dumps(read.to_dict()))) == read


def test_facts_added_twice_are_the_same():
    tables = Facts().open(LABELS)
    once = add_facts(TEXT, reading(*FULL), date(2020, 3, 5), tables=tables)
    assert add_facts(TEXT, once, date(2020, 3, 5), tables=tables) == once
    assert add_facts(TEXT, once, date(2020, 3, 5)) == once


@pytest.mark.parametrize(("kind", "key"), [("dates", "date"), ("counts", "counts"), ("places", "places"), ("actors", "actors")])
def test_each_kind_of_facts_can_be_had_alone(kind, key):
    incident = told(replace(Facts(dates=False, counts=False, places=False, actors=False), **{kind: True}))
    assert set(incident.facts) == {key}
    assert (incident.date is None, incident.killed is None) == (kind != "dates", kind != "counts")
    assert incident.participants[2].sector == ("MIL" if kind == "actors" else "REB")


def test_no_facts_leave_the_reading_as_it_is():
    tables = Facts(dates=False, counts=False, places=False, actors=False).open(LABELS)
    assert add_facts(TEXT, reading(*FULL), None, tables=tables) == reading(*FULL)
    assert tables.identity == "none"


def test_the_most_exact_place_stands_first():
    whole, town = span("بريف إدلب", "place"), span("بلدة البارة", "place")
    assert [place["span"]["text"] for place in told(None, whole, town).facts["places"]] == ["بلدة البارة", "بريف إدلب"]


def test_the_policy_gives_vague_counts_a_number():
    assert told(Facts(policy="acled")).injured == 12


def test_an_unknown_policy_is_refused():
    with pytest.raises(ConfigError, match="policy is 'most', expected one of least, acled"):
        Facts(policy="most")


def own_tables(folder: Path) -> Facts:
    gazetteer, aliases = folder / "places.tsv", folder / "actors.tsv"
    gazetteer.write_text(PLACES + "البارة\tBara\t10.5\t20.5\tXX\n", "utf-8")
    aliases.write_text(ACTORS + "mine\tMine\tقوات النظام\t\tPRM\tXX\t\t\n", "utf-8")
    return Facts(gazetteer=gazetteer, aliases=aliases)


def test_tables_of_ones_own_come_first(tmp_path):
    incident = told(own_tables(tmp_path), FULL[2], span("بلدة البارة", "place"))
    assert incident.facts["actors"][0]["id"] == "mine"
    assert incident.participants[0].sector == "PRM"
    places = [incident.facts["places"][0], *incident.facts["places"][0]["alternatives"]]
    assert {place["country"] for place in places} == {"XX", "SY"}


def test_a_reader_pickles_with_the_tables_of_files_that_are_gone(tmp_path):
    reader = Reader.load(threads=1, facts=own_tables(tmp_path))
    kept = pickle.dumps(reader)
    for path in tmp_path.iterdir():
        path.unlink()
    again = pickle.loads(kept)
    assert again.identity == reader.identity
    assert again.facts == reader.facts
    assert again.read(TEXT, date="2020-03-05") == reader.read(TEXT, date="2020-03-05")


def test_readers_with_other_tables_are_not_the_same(tmp_path):
    facts = own_tables(tmp_path)
    before = facts.open(LABELS).identity
    assert before.startswith("dates, counts (least), places (places.tsv ")
    assert Facts().open(LABELS).identity == "dates, counts (least), places (packaged), actors (packaged)"
    with facts.gazetteer.open("a", encoding="utf-8") as file:
        file.write("حلب\tHalab\t1\t2\tXX\n")
    assert facts.open(LABELS).identity != before


@pytest.mark.parametrize(
    ("flag", "content", "message"),
    [
        ("--gazetteer", "name_ar\tname_en\nحلب\tAleppo\n", r"t\.tsv:1: missing column latitude, longitude, country"),
        ("--gazetteer", PLACES + "حلب\tAleppo\t95\t37\tSY\n", r"t\.tsv:2: latitude is 95, expected degrees from -90 to 90"),
        ("--aliases", ACTORS + TWICE, r"alias 'كذا' is given twice, to 'a' \(.*t\.tsv:2\) and 'b'"),
        ("--aliases", ACTORS + "a\tA\tكذا\t\tXYZ\t\t\t\n", r"t\.tsv:2: sector 'XYZ' is unknown"),
    ],
)
def test_a_fault_in_a_table_ends_a_command_with_file_and_line(tmp_path, capsys, flag, content, message):
    table, article = tmp_path / "t.tsv", tmp_path / "a.txt"
    table.write_text(content, "utf-8")
    article.write_text(TEXT, "utf-8")
    assert main(["read", str(article), flag, str(table)]) == 3
    assert re.search(message, capsys.readouterr().err)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"gone\.tsv: No such file or directory; give a tab-separated file with name_ar"):
        Facts(gazetteer=tmp_path / "gone.tsv").open(LABELS)


def test_the_command_reads_with_tables_and_facts_as_asked(tmp_path, capsys):
    facts, article = own_tables(tmp_path), tmp_path / "a.txt"
    article.write_text(TEXT, "utf-8")
    tables = ["--gazetteer", str(facts.gazetteer), "--aliases", str(facts.aliases)]
    assert main(["read", str(article), "--format", "json", "--date", "2020-03-05", "--facts", "places,actors", *tables]) == 0
    incident = json.loads(capsys.readouterr().out)["incidents"][0]
    assert set(incident["facts"]) <= {"places", "actors"}
    assert [actor["id"] for actor in incident["facts"]["actors"]] == ["mine"]
    assert "date" not in incident


def test_unknown_facts_are_refused(tmp_path, capsys):
    assert main(["read", str(tmp_path), "--facts", "dates,colours"]) == 2
    assert "--facts holds 'colours', expected some of dates, counts, places, actors" in capsys.readouterr().err


def test_a_day_that_does_not_exist_is_said(tmp_path, capsys):
    article = tmp_path / "a.txt"
    article.write_text(TEXT, "utf-8")
    assert main(["read", str(article), "--date", "2023-02-30"]) == 3
    assert "date is '2023-02-30', expected a day that exists" in capsys.readouterr().err


def test_facts_are_read_off_the_roles_that_the_label_set_names() -> None:
    data = LABELS.to_dict()
    names = {"place": "where", "time": "when", "casualties": "hurt"}
    data["roles"] = {names.get(name, name): role for name, role in data["roles"].items()}
    other = LabelSet.from_dict({**data, "fact_roles": names}, "other")
    plain = add_facts(TEXT, reading(*FULL), date(2020, 3, 5), tables=Facts().open(LABELS)).incidents[0]
    renamed = reading(*(replace(p, role=names.get(p.role, p.role)) for p in FULL))
    told = add_facts(TEXT, renamed, date(2020, 3, 5), tables=Facts().open(other)).incidents[0]
    assert (told.date, told.killed, told.injured) == (plain.date, plain.killed, plain.injured)
    assert told.facts["places"] == plain.facts["places"]
    none = add_facts(TEXT, reading(*FULL), date(2020, 3, 5), tables=Facts().open(replace(LABELS, fact_roles={}))).incidents[0]
    assert "places" not in (none.facts or {})


def guessed(facts: Facts, said: Incident | None = None, day: date | None = date(2020, 3, 5)) -> Incident:
    """The first incident of a text whose participants tell no date."""
    raw = "قصف على بلدة البارة"
    read = reading(span("بلدة البارة", "place", raw=raw), raw=raw) if said is None else Reading((said,))
    return add_facts(raw, read, day, tables=facts.open(LABELS)).incidents[0]


def test_the_day_of_the_text_is_never_put_for_a_day_that_is_not_told():
    incident = guessed(Facts())
    assert (incident.date, incident.date_guessed, "date" in incident.facts) == (None, False, False)


def test_asked_for_the_day_of_the_text_stands_as_a_guess_without_a_span():
    incident = guessed(Facts(text_day=True))
    assert (incident.date, incident.date_guessed) == ("2020-03-05", True)
    days = {"start": "2020-03-05", "end": "2020-03-05", "grain": "day"}
    assert incident.facts["date"] == {**days, "time_precision": 2, "anchored": "text date", "source": "text day"}
    assert incident.to_dict()["facts"]["date"]["source"] == "text day"


def test_a_told_date_is_no_guess_however_coarse():
    incident = told(Facts(text_day=True))
    assert (incident.date, incident.date_guessed, "source" in incident.facts["date"]) == ("2020-03-04", False, False)


def test_nothing_is_guessed_where_the_day_of_the_text_is_unknown_or_nothing_happened():
    bare = Incident("shelling", "unrealised", Span(0, 3, "قصف"))
    assert guessed(Facts(text_day=True), day=None).date is None
    assert guessed(Facts(text_day=True), bare).date is None
    assert guessed(Facts(text_day=True), replace(bare, status="alleged")).date == "2020-03-05"
    assert guessed(Facts(text_day=True), replace(bare, status="actual", date="2019")).date == "2019"


def test_a_guessed_day_added_twice_is_the_same_and_survives_json():
    tables = Facts(text_day=True).open(LABELS)
    once = add_facts(TEXT, reading(), date(2020, 3, 5), tables=tables)
    assert add_facts(TEXT, once, date(2020, 3, 5), tables=tables) == once
    assert Reading.from_dict(json.loads(json.dumps(once.to_dict()))) == once


def test_readers_with_and_without_guessed_days_are_not_the_same():
    assert Facts().open(LABELS).identity.startswith("dates, ")
    assert Facts(text_day=True).open(LABELS).identity.startswith("dates (else the text's day), ")


def test_a_guessed_day_without_dates_is_refused():
    with pytest.raises(ConfigError, match="text_day gives dates, and dates are switched off"):
        Facts(text_day=True, dates=False)


def test_a_guessed_day_is_no_label_for_annotation_tools():
    incident = guessed(Facts(text_day=True))
    trigger = from_record(Record("a", "قصف على بلدة البارة", (incident,))).nodes[0]
    assert "date" not in trigger.facts
    assert from_record(Record("a", "قصف على بلدة البارة", (replace(incident, facts=None),))).nodes[0].facts == {"date": "2020-03-05"}
