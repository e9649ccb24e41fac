"""Tables of actors and links of one reading, on rows written for the case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from waqia.document.actors import COLUMNS, Actor, ActorTable, link_actors
from waqia.errors import RecordError
from waqia.schema import Incident, Participant, Reading, Span

ROWS = (
    "lions\tLions\tلواء الأسود\tالأسود| أسود الجبل |\tREB\tSY\t\t2014",
    "lions\tLions\tلواء الأسود\tالأسود\tPRM|GOV\tSY\t2015\t",
    "moon\tMoon army\tجيش القمر\t@قمري|?الجيش\tMIL\tQA\t\t",
    "sun\tSun army\tجيش الشمس\t@شمسي|?الجيش\tMIL\tSO\t2000\t",
    "# a remark",
    "",
    "party\tParty\tحزب النجم\t\tCIV\tQA\t1900\t1999",
)


@pytest.fixture
def table(tmp_path, labels) -> ActorTable:
    path = tmp_path / "own.tsv"
    rows = [row.replace("CIV", list(labels.sectors)[0]) for row in ROWS]  # noqa: RUF015
    path.write_text("\n".join(["\t".join(COLUMNS), *rows]), "utf-8")
    return ActorTable.load(path, labels)


def known(table, span, year=None, named=frozenset()):
    actor = table.find(span, year, named)
    return actor and (actor.id, actor.sector)


def test_the_row_of_the_year_or_the_newest_names_an_actor(table):
    assert known(table, "لواء الأسود", 2014) == ("lions", "REB")
    assert known(table, "لواء الأسود", 2015) == ("lions", "PRM")
    assert known(table, "الأسود") == ("lions", "PRM")
    assert known(table, "أسود الجبل", 2014) == ("lions", "REB")
    assert known(table, "أسود الجبل", 2015) is None
    assert known(table, "جيش الشمس", 1999) is None
    assert known(table, "حزب النجم", 1999)[0] == "party"
    assert known(table, "حزب النجم", 2000) is None


def test_a_row_tells_years_country_and_further_sectors(table):
    first, last = (actor for actor in table.actors if actor.id == "lions")
    assert first == Actor("lions", "Lions", "لواء الأسود", "REB", "SY", 1800, 2014)
    assert last == Actor("lions", "Lions", "لواء الأسود", "PRM", "SY", 2015, 9999, ("GOV",))
    assert [actor.id for actor in table.actors] == ["lions", "lions", "moon", "party", "sun"]
    assert last.to_dict() == {"id": "lions", "name_en": "Lions", "name_ar": "لواء الأسود", "sector": "PRM", "country": "SY"}


@pytest.mark.parametrize("span", ["الطيران القمري", "طائرات قمرية", "جنود قمريين", "قمرية", "لقوات قمرية"])
def test_a_nationality_behind_arms_or_alone_names_an_army(table, span):
    assert known(table, span) == ("moon", "MIL")


@pytest.mark.parametrize("span", ["قمريين", "قمريون", "صحيفة قمرية", "مصدر قمري", "رجل قمري", ""])
def test_people_papers_and_sources_of_a_nationality_are_no_army(table, span):
    assert known(table, span) is None


def test_a_word_in_the_way_ends_the_search(table):
    assert known(table, "عناصر من لواء الأسود") == ("lions", "PRM")
    assert known(table, "قرى بيد لواء الأسود") is None
    assert known(table, "مصدر في حزب النجم")[0] == "party"


def test_a_shared_name_needs_the_actor_or_else_its_country_in_the_text(table):
    assert known(table, "الجيش") is None
    assert known(table, "الجيش", None, frozenset({"moon"})) == ("moon", "MIL")
    assert known(table, "الجيش", None, frozenset({"@SO"})) == ("sun", "MIL")
    assert known(table, "الجيش", None, frozenset({"moon", "@SO"})) == ("moon", "MIL")
    assert known(table, "الجيش", None, frozenset({"@QA", "@SO"})) is None
    assert known(table, "الجيش", None, frozenset({"moon", "sun"})) is None
    assert known(table, "الجيش", 1990, frozenset({"@QA", "@SO"})) == ("moon", "MIL")


def test_a_text_names_actors_in_its_order_and_their_countries(table):
    text = "قصف جيش القمر مواقع الأسود ثم رد الجيش وعاد جيش القمر"
    assert [actor.id for actor in table.mentioned(text)] == ["moon", "lions"]
    assert table.named(text) == {"moon", "lions", "@QA", "@SY"}
    assert table.named("لا أحد") == frozenset()
    assert [actor.sector for actor in table.mentioned("الأسود", 2010)] == ["REB"]


def test_the_longer_name_behind_a_head_says_more(table, tmp_path, labels):
    path = tmp_path / "more.tsv"
    rows = ["a\tA\tجيش الليل\t\tREB\tSY\t\t", "b\tB\tالليل الطويل\t\tREB\tSY\t\t", "c\tC\tالليل\t\tREB\tSY\t\t"]
    path.write_text("\n".join(["\t".join(COLUMNS), *rows]), "utf-8")
    more = ActorTable.load(path, labels)
    assert known(more, "جيش الليل الطويل")[0] == "b"
    assert known(more, "جيش الليل")[0] == "a"
    assert known(more, "الليل")[0] == "c"
    assert more.longest == 2
    assert ActorTable({}, 5).over(more).longest == more.over(ActorTable({}, 5)).longest == 5


def reading(text, *people, date=None):
    participants = []
    for words, role, sector, *others in people:
        start = text.index(words)
        spans = tuple(Span(text.index(other), text.index(other) + len(other), other) for other in others)
        participants.append(Participant(start, start + len(words), words, role, sector, None, spans))
    return Reading((Incident("shelling", "actual", Span(0, 3, text[:3]), tuple(participants), date=date),))


def test_a_known_actor_gets_its_sector_by_its_span_or_else_its_mentions(table):
    text = "قصف مجهول زهر وقال إنه لواء الأسود وجيش القمر"
    people = (("مجهول", "initiator", "UAF", "زهر", "لواء الأسود"), ("جيش القمر", "target", "REB"), ("زهر", "place", None))
    linked = link_actors(text, reading(text, *people), table, date="2016")
    assert [p.sector for p in linked.reading.incidents[0].participants] == ["PRM", "MIL", None]
    assert {at: actor.id for at, actor in linked.actors.items()} == {(0, 0): "lions", (0, 1): "moon"}


def test_a_sector_that_the_row_allows_stays(table):
    text = "قصف لواء الأسود"
    for sector, kept in (("GOV", "GOV"), ("PRM", "PRM"), ("MIL", "PRM")):
        linked = link_actors(text, reading(text, ("لواء الأسود", "initiator", sector)), table)
        assert linked.reading.incidents[0].participants[0].sector == kept


@pytest.mark.parametrize(
    ("own", "date", "sector"),
    [
        ("2012", "2020", "REB"),
        (None, "2012", "REB"),
        (None, "2012-05-01", "REB"),
        (None, "201", "PRM"),
        (None, None, "PRM"),
        (None, "x2012", "PRM"),
    ],
)
def test_the_year_is_the_incidents_or_else_the_texts(table, own, date, sector):
    text = "قصف لواء الأسود"
    linked = link_actors(text, reading(text, ("لواء الأسود", "initiator", "UNK"), date=own), table, date=date)
    assert linked.reading.incidents[0].participants[0].sector == sector


def test_the_text_decides_who_a_shared_name_is_in_its_year(table):
    text = "قصف الجيش القرية وقال جيش الشمس"
    linked = link_actors(text, reading(text, ("الجيش", "initiator", "UNK")), table, date="2005")
    assert linked.actors[0, 0].id == "sun"
    assert link_actors(text, reading(text, ("الجيش", "initiator", "UNK")), table, date="1999").actors == {}


HEADER = "\t".join(COLUMNS)


def fault(tmp_path, labels, *rows, header=HEADER):
    path = tmp_path / "bad.tsv"
    path.write_text("\n".join([header, *rows]), "utf-8")
    with pytest.raises(RecordError) as found:
        ActorTable.load(path, labels)
    return str(found.value).removeprefix(f"{path}")


def test_every_fault_of_a_table_is_told_with_its_line(tmp_path, labels):
    good = "a\tA\tزهر\t\tREB\tSY\t\t"
    empty = "is empty; every row needs an id and both names"
    assert fault(tmp_path, labels, good, good.replace("a", "", 1)) == f":3: id {empty}"
    assert fault(tmp_path, labels, good.replace("A", "")) == f":2: name_en {empty}"
    assert fault(tmp_path, labels, good.replace("زهر", "")) == f":2: name_ar {empty}"
    sectors = ", ".join(labels.sectors)
    assert (
        fault(tmp_path, labels, good.replace("REB", "REB|X"))
        == f":2: sector 'X' is unknown, expected one of {sectors}, or several with «|»"
    )
    year = "expected a year such as 2014, or nothing"
    assert fault(tmp_path, labels, good[:-1] + "99\t") == f":2: from is '99', {year}"
    assert fault(tmp_path, labels, good + "٢٠١٤") == f":2: to is '٢٠١٤', {year}"
    assert fault(tmp_path, labels, good[:-1] + "2015\t2014") == ":2: from 2015 lies after to 2014; swap them"
    assert fault(tmp_path, labels, good.replace("\t\tREB", "\t؟|\tREB")) == ":2: alias '؟' holds no letter; write a name or leave it out"
    assert fault(tmp_path, labels, good + "\tx") == ":2: 9 cells, the header has 8; write an empty cell where there is nothing"
    columns = ", ".join(COLUMNS)
    assert fault(tmp_path, labels, header="id\tto") == (
        f":1: missing column {', '.join(COLUMNS[1:-1])}; expected a tab-separated header with {columns}"
    )
    again = "id 'a' stands in line 2 for some of the same years; give each row years of its own"
    assert fault(tmp_path, labels, good + "2014", good.replace("\t\t", "\t", 0)[:-1] + "2014\t") == f":3: {again}"


def test_an_alias_of_two_actors_must_be_marked_unless_their_years_differ(tmp_path, labels):
    both = "write «?» before it in one of the rows"
    told = fault(tmp_path, labels, "a\tA\tزهر\t\tREB\tSY\t\t2014", "b\tB\tالزهر\t\tREB\tSY\t2014\t")
    where = f"{tmp_path}/bad.tsv"
    assert told == f"alias 'زهر' is given twice, to 'a' ({where}:2) and 'b' ({where}:3); {both}"
    for rows in (
        ("a\tA\tزهر\t\tREB\tSY\t\t2013", "b\tB\tالزهر\t\tREB\tSY\t2014\t"),
        ("a\tA\tنخل\t?زهر\tREB\tSY\t\t", "b\tB\tزهر\t\tREB\tSY\t\t"),
        ("a\tA\tزهر\tالزهر|زهـر\tREB\tSY\t\t",),
    ):
        path = tmp_path / "good.tsv"
        path.write_text("\n".join(["\t".join(COLUMNS), *rows]), "utf-8")
        assert ActorTable.load(path, labels).find("زهر", 2013).id in ("a", "b")


def test_a_table_of_ones_own_decides_where_both_know_an_alias(table):
    other = Actor("else", "Else", "غيره", "REB", "SY", 1800, 9999)
    entries = {words: tuple(replace(entry, actor=other) for entry in rows) for words, rows in table.entries.items() if words == ("اسود",)}
    assert ActorTable(entries, 1).over(table).find("الأسود").id == "else"
    assert table.over(ActorTable(entries, 1)).find("الأسود").id == "lions"


def test_the_packaged_table_is_read_from_the_wheel(labels):
    assert ActorTable.packaged(labels).find("داعش").id == "islamic-state"
