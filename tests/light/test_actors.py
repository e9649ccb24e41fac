"""Actors under their many names: the packaged table, a user's own, and links within one article."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from waqia.document import actors
from waqia.document.actors import COLUMNS, ActorTable, link_actors
from waqia.document.folding import fold, key
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.schema import Incident, Participant, Reading, Span

LABELS = LabelSet.load("configs/labels/incidents.yaml")
TABLE = ActorTable.packaged(LABELS)
HEADER = "\t".join(COLUMNS)


def _id(span: str, year: int | None = None, text: str | None = None) -> str | None:
    actor = TABLE.find(span, year, frozenset() if text is None else TABLE.named(text, year))
    return actor.id if actor else None


def _load(tmp_path: Path, *rows: str, header: str = HEADER) -> ActorTable:
    path = tmp_path / "actors.tsv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return ActorTable.load(path, LABELS)


def _reading(text: str, *sides: tuple[str, str], date: str | None = None) -> Reading:
    def span(words: str, sector: str) -> Participant:
        start = text.index(words)
        return Participant(start, start + len(words), words, "initiator", sector)

    trigger = Span(0, 4, text[:4])
    return Reading(tuple(Incident("arrest", "actual", trigger, (span(*side),), date=date) for side in sides))


def test_packaged_table_holds_at_least_442_actors_with_a_sector_each() -> None:
    actors = TABLE.actors
    assert len({actor.id for actor in actors}) >= 442
    assert all(actor.sector in LABELS.sectors and actor.name_en and actor.name_ar for actor in actors)


@pytest.mark.parametrize(
    "span", ["داعش", "تنظيم الدولة", "تنظيم «داعش» الإرهابي", "عناصر من تنظيم الدولة الإسلامية", "وداعش", "#داعش", "خلايا داعش"]
)
def test_one_actor_has_one_id_under_all_its_names(span: str) -> None:
    assert _id(span) == "islamic-state"


@pytest.mark.parametrize(
    ("span", "actor"),
    [
        ("لقوات النظام", "syrian-regime-forces"),
        ("وقوات الحكومة السورية", "syrian-regime-forces"),
        ("للتحالف الدولي", "coalition"),
        ("طائرة مسيرة تابعة للجيش التركي", "turkish-forces"),
        ("الطائرات الحربية الروسية", "russian-forces"),
        ("بغارة إسرائيلية", "idf"),
        ("ميليشيات الحوثي", "houthis"),
        ("قوات_سوريا_الديمقراطية", "sdf"),
        ("«قسد»", "sdf"),
        ("كتائب القسّام", "qassam"),
        ("لطيران الاحتلال الروسي", "russian-forces"),
    ],
)
def test_clitics_head_nouns_and_marks_are_passed_over(span: str, actor: str) -> None:
    assert _id(span, 2019) == actor


@pytest.mark.parametrize(
    "span",
    [
        "مدنيون",
        "قرى تسيطر عليها قسد",
        "عائلة عنصر في داعش",
        "صحيفة تركية",
        "مصدر أمني عراقي",
        "مسلحون مجهولون",
        "",
        "...",
        "إسرائيليين",
        "محمد",
    ],
)
def test_no_match_is_no_match(span: str) -> None:
    assert _id(span, 2019) is None


def test_longest_alias_decides() -> None:
    assert (_id("حزب الله"), _id("كتائب حزب الله العراقي")) == ("hezbollah", "kataib-hezbollah")


def test_role_changes_with_the_year() -> None:
    sectors = [actor.sector for year in (2021, 2023, None) if (actor := TABLE.find("قوات الدعم السريع", year))]
    assert sectors == ["PRM", "REB", "REB"]


def test_name_outside_its_years_names_nobody() -> None:
    assert _id("جيش المهدي", 2020) is None


def test_shared_name_goes_to_the_actor_that_the_text_names_otherwise() -> None:
    assert _id("قوات الاحتلال", 2022, "اقتحمت قوات الاحتلال البلدة") == "idf"
    assert _id("قوات الاحتلال", 2022, "قصف الجيش التركي القرية ثم اقتحمتها قوات الاحتلال") == "turkish-forces"
    assert _id("القوات الحكومية", 2018) is None
    assert _id("القوات الحكومية", 2018, "قال الجيش السوري إن القوات الحكومية تقدمت") == "syrian-regime-forces"


def test_known_actor_has_one_sector_within_an_article() -> None:
    text = "اعتقلت قسد شابين في الرقة ثم اعتقلت قوات سوريا الديمقراطية ثالثا"
    linked = link_actors(text, _reading(text, ("قسد", "REB"), ("قوات سوريا الديمقراطية", "MIL")), TABLE, date="2022-03-01")
    assert [incident.participants[0].sector for incident in linked.reading.incidents] == ["PRM", "PRM"]
    assert {place: actor.id for place, actor in linked.actors.items()} == {(0, 0): "sdf", (1, 0): "sdf"}


def test_unknown_actor_keeps_its_sector() -> None:
    text = "خطف مسلحون مجهولون تاجرا"
    reading = _reading(text, ("مسلحون مجهولون", "UAF"))
    linked = link_actors(text, reading, TABLE)
    assert (linked.reading, linked.actors) == (reading, {})


def test_state_may_stay_government_where_the_model_read_it_so() -> None:
    text = "وقّعت تركيا اتفاقا وقصفت روسيا المدينة"
    linked = link_actors(text, _reading(text, ("تركيا", "GOV"), ("روسيا", "UNK")), TABLE)
    assert [incident.participants[0].sector for incident in linked.reading.incidents] == ["GOV", "MIL"]


def test_other_mentions_name_an_actor_that_the_span_does_not() -> None:
    text = "هاجم مقاتلون الحاجز وتبنى داعش الهجوم"
    span = Participant(5, 12, "مقاتلون", "initiator", "UAF", None, (Span(26, 30, "داعش"),))
    linked = link_actors(text, Reading((Incident("armed_attack", "actual", Span(0, 4, "هاجم"), (span,)),)), TABLE)
    assert linked.actors[0, 0].id == "islamic-state"


def test_date_of_the_incident_goes_before_the_text_s() -> None:
    text = "اعتقلت طالبان صحفيا"
    linked = link_actors(text, _reading(text, ("طالبان", "REB"), date="2012-05-01"), TABLE, date="2024-01-01")
    assert linked.actors[0, 0].sector == "REB"


def test_own_table_goes_before_the_packaged_one(tmp_path: Path) -> None:
    own = _load(tmp_path, "my-group\tMy group\tقسد\tلواء الاختبار\tREB\tSY\t\t")
    both = own.over(TABLE)
    assert [actor.id for name in ("قسد", "لواء الاختبار", "داعش") if (actor := both.find(name))] == [
        "my-group",
        "my-group",
        "islamic-state",
    ]


def test_table_travels_pickled() -> None:
    assert pickle.loads(pickle.dumps(TABLE)) == TABLE


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a\tA\tألف\t\tXYZ\tSY\t\t", "sector 'XYZ' is unknown"),
        ("\tA\tألف\t\tREB\tSY\t\t", "id is empty"),
        ("a\tA\tألف\t\tREB\tSY\t12\t", "from is '12', expected a year"),
        ("a\tA\tألف\t\tREB\tSY\t2020\t2010", "from 2020 lies after to 2010"),
        ("a\tA\tألف\t...\tREB\tSY\t\t", "holds no letter"),
        ("a\tA\tألف", "3 cells, the header has 8"),
    ],
)
def test_bad_row_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(RecordError, match=message) as error:
        _load(tmp_path, row)
    assert "actors.tsv:2" in str(error.value)


def test_alias_given_twice_names_both_rows(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"'شام' is given twice, to 'a' \(.*:2\) and 'b' \(.*:3\)"):
        _load(tmp_path, "a\tA\tالشام\t\tREB\tSY\t2010\t2015", "b\tB\tشام\t\tREB\tSY\t2015\t")


def test_alias_may_pass_to_another_actor_in_other_years(tmp_path: Path) -> None:
    table = _load(tmp_path, "a\tA\tالشام\t\tREB\tSY\t2010\t2014", "b\tB\tشام\t\tREB\tSY\t2015\t")
    assert [actor.id for year in (2012, 2016) if (actor := table.find("الشام", year))] == ["a", "b"]


def test_one_id_twice_in_the_same_years_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="id 'a' stands in line 2 for some of the same years"):
        _load(tmp_path, "a\tA\tالف\t\tREB\tSY\t2010\t", "a\tA\tباء\t\tREB\tSY\t2012\t")


def test_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r":1: missing column sector, to"):
        _load(tmp_path, header="id\tname_en\tname_ar\taliases_ar\tcountry\tfrom")


def test_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="give a tab-separated file"):
        ActorTable.load(tmp_path / "none.tsv", LABELS)


def test_folding_makes_spellings_one() -> None:
    assert fold("#قوّات_النظـام") == "قوات النظام"
    assert key("إدلب") == key("ادلب")
    assert key("الحسكة") == key("حسكه") == ("حسكه",)


@pytest.mark.parametrize("stretch", [1, 7, 40])
def test_a_long_text_is_looked_through_in_stretches_that_cut_no_name(monkeypatch, root, stretch) -> None:
    rows = (root / "src/waqia/document/aliases.tsv").read_text("utf-8").splitlines()[1:60]
    names = [name for row in rows for name in row.split("\t")[3].split("|")]
    text = "قال إن ".join(f"{name} " for name in names)
    whole = [actor.id for actor in TABLE.mentioned(text)]
    monkeypatch.setattr(actors, "STRETCH", stretch)
    assert [actor.id for actor in TABLE.mentioned(text)] == whole
    assert len(whole) > 40
    assert max(len(words) for words, _ in TABLE._stretches(text)) < stretch + TABLE.longest
