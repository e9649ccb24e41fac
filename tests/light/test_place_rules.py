"""Weights, distances and shifts of places worked out by hand, on tables of a few rows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from waqia.document import places
from waqia.document.folding import bare, fold, key, uncliticised
from waqia.document.gazetteer import Entry, Gazetteer, _joined_or_cut
from waqia.document.places import Place, distance_km, resolve, resolve_places, text_place, told_places
from waqia.document.tables import table_text
from waqia.errors import RecordError
from waqia.schema import Incident, Participant, Reading, Span

HEADER = "name_ar\tname_en\tlatitude\tlongitude\tcountry\taliases_ar\tkind\tadmin\tpopulation"
ROWS = (
    "مرج\tMarj\t36\t37\tSY\tمروج|\ttown\tHama\t",
    "مرج\tMarj\t36\t44\tIQ\t\ttown\t\t",
    "زهر\tZahr\t36\t37\tSY\t\ttown\t\t",
    "نخل\tNakhl\t36\t44\tIQ\t\ttown\t\t",
    "كبرى\tKubra\t40\t40\tXX\t\tcity\t\t100000",
    "صغرى\tSughra\t40\t40\tXX\t\ttown\t\t99998",
    "بلاد الشمس\tSunland\t30\t30\tSY\t\tcountry\t\t",
    "محافظة الورد\tWard\t36\t37\tSY\t\tgovernorate\t\t",
    "كفر نبل\tKafr Nabl\t35.6\t36.6\tSY\t\t\t\t",
)
TOWN = Entry("Marj", "مرج", 60.0, 10.0, "town", "SY", "Hama", 0, "own")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Gazetteer:
    path = tmp_path_factory.mktemp("places") / "own.tsv"
    path.write_text("\n".join([HEADER, *ROWS]), "utf-8")
    return Gazetteer.load(path)


def test_weights_and_distances_are_pinned():
    assert (places.SURE, places.SAME_KM, places.FAR_KM, places.SHIFT_KM) == (0.6, 25.0, 170.0, 15.0)
    assert (places._ENCLOSED, places._NEAR, places._VOTES, places._KNOWN_ABROAD) == (4.0, 3.0, 2.0, 5.0)


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0, 0), (0, 180), math.pi * 6371),
        ((90, 0), (-90, 77), math.pi * 6371),
        ((0, 0), (90, 0), math.pi * 6371 / 2),
        ((60, 0), (60, 180), math.pi * 6371 / 3),  # over the pole
        ((36, 37), (36, 37), 0),
        ((0, 0), (1, 0), math.pi * 6371 / 180),
        ((10, 20), (-20, 50), 4680.7),  # sin²(-15°) + cos 10° · cos 20° · sin²(15°) = 0.12898, the square of sin 21.047°
    ],
)
def test_distances_are_those_of_the_great_circle(a, b, km):
    assert distance_km(a, b) == pytest.approx(km, rel=1e-3)
    assert distance_km(b, a) == pytest.approx(distance_km(a, b))


@pytest.mark.parametrize(
    ("direction", "at"),
    [
        ((0, 0), (60.0, 10.0)),
        ((1, 0), (60.13489, 10.0)),  # 15 / 111.2
        ((-1, 0), (59.86511, 10.0)),
        ((0, 1), (60.0, 10.26978)),  # 15 / (111.2 · cos 60°)
        ((0, -1), (60.0, 9.73022)),
        ((1, 1), (60.09538, 10.19077)),  # both divided by √2
    ],
)
def test_a_direction_moves_the_point_by_15_km(direction, at):
    assert places._shifted(TOWN, direction) == at
    assert places._shifted(replace(TOWN, kind="country"), direction) == (60.0, 10.0)
    assert places._shifted(replace(TOWN, kind="rural"), direction) == (60.0, 10.0)


@pytest.mark.parametrize(
    ("word", "step"), [("شمال", (1, 0)), ("الجنوبي", (-1, 0)), ("شرقيه", (0, 1)), ("غرب", (0, -1)), ("شمالا", None), ("مشرق", None)]
)
def test_directions_are_read_in_every_ending(word, step):
    assert places._direction(word) == step


def test_a_place_is_as_large_as_its_people_or_its_kind():
    assert places._size(replace(TOWN, population=999)) == pytest.approx(3.0)
    assert places._size(TOWN) == 4.7
    assert places._size(replace(TOWN, kind="made up")) == 3.0


def test_of_two_homonyms_alone_each_is_half_sure_and_the_first_is_taken(table):
    place = resolve("مدينة مرج", table)
    assert (place.entry.country, place.score, place.ambiguous, place.exact, place.inferred) == ("SY", 0.5, True, True, False)
    assert [entry.country for entry in place.alternatives] == ["IQ"]
    assert (place.latitude, place.longitude) == (36.0, 37.0)


def test_another_place_of_the_text_weighs_5_on_the_spot_for_a_homonym(table):
    # 2 for its country and 3 for lying there, against 3 · e^(-629 / 100) = 0.006
    place = resolve("مرج", table, ["مدينة نخل"])
    assert place.entry.country == "IQ"
    assert place.score == pytest.approx(1 / (1 + math.exp(-(5 - 3 * math.exp(-6.29)))), abs=1e-4)
    assert not place.ambiguous
    half = resolve("مرج", table, ["مدينة نخل", "مدينة زهر"])
    assert (half.entry.country, half.score) == ("SY", pytest.approx(0.5, abs=1e-6))


def test_the_name_that_encloses_it_weighs_6_on_the_spot_for_a_homonym(table):
    # 2 for its country and 4 for lying there, against 4 · e^(-629 / 50) = 0.00001
    place = resolve("مرج في نخل", table)
    assert (place.entry.country, place.score) == ("IQ", pytest.approx(1 / (1 + math.exp(-6)), abs=1e-4))
    assert resolve("مرج في نخل", table, ["زهر"]).entry.country == "IQ"


def test_a_phrase_is_no_context_of_itself_and_the_same_context_counts_once(table):
    assert resolve("مرج", table, ["مرج", "مرج"]).score == 0.5
    once = resolve("مرج", table, ["نخل"]).score
    assert resolve("مرج", table, ["نخل", "نخل", "لا يعرف"]).score == once


def test_homonyms_as_near_as_25_km_are_one_place(tmp_path):
    def load(*longitudes):
        rows = [f"مرج\tM{n}\t0\t{longitude}\tSY" for n, longitude in enumerate(longitudes)]
        (tmp_path / "t.tsv").write_text("\n".join([HEADER[: HEADER.index("\taliases")], *rows]), "utf-8")
        return resolve("مرج", Gazetteer.load(tmp_path / "t.tsv"))

    assert (load(10, 10.22).score, load(10, 10.22).alternatives) == (1.0, ())  # 24.5 km
    assert (load(10, 10.23).score, len(load(10, 10.23).alternatives)) == (0.5, 1)  # 25.6 km
    many = load(*range(10, 80, 10))
    assert [entry.name for entry in many.alternatives] == ["M1", "M2", "M3", "M4", "M5"]
    assert many.score == pytest.approx(1 / 7)


def test_what_stands_before_a_name_makes_it_inexact_or_moves_it(table):
    assert resolve("قرب مدينة زهر", table).exact
    assert not resolve("ريف زهر", table).exact
    assert not resolve("مصنع زهر", table).exact
    assert resolve("7 زهر", table).exact
    north = resolve("شمالي زهر", table)
    assert (north.exact, north.latitude, north.longitude) == (False, 36.13489, 37.0)
    behind = resolve("ريف زهر الشرقي", table)
    assert (behind.exact, behind.latitude) == (False, 36.0)
    assert behind.longitude == pytest.approx(37 + 15 / (111.2 * math.cos(math.radians(36))), abs=1e-5)
    assert resolve("زهر الشرقي", table).longitude == 37.0
    corner = resolve("شمال شرق زهر", table)
    assert corner.latitude == pytest.approx(36 + 15 / math.sqrt(2) / 111.2, abs=1e-5)
    assert corner.longitude > 37
    assert resolve("جنوب شمال زهر", table).latitude < 36  # the first of two decides


def test_a_small_place_is_not_taken_from_a_country_that_the_text_does_not_speak_of(table):
    assert resolve("صغرى", table, ["زهر", "محافظة الورد"]) is None
    assert resolve("صغرى", table, ["زهر"]).entry.name == "Sughra"  # one other place says too little
    assert resolve("كبرى", table, ["زهر", "محافظة الورد"]).entry.name == "Kubra"
    assert resolve("صغرى قرب زهر", table, ["زهر", "محافظة الورد"]).entry.name == "Zahr"


def test_a_phrase_without_a_name_takes_the_first_place_of_the_text_that_is_no_country(table):
    assert resolve("البلدة", table, ["زهر"]) is None
    place = resolve("البلدة", table, ["بلاد الشمس", "زهر", "نخل"], infer=True)
    assert (place.entry.name, place.exact, place.inferred, place.score) == ("Zahr", False, True, 0.5)
    assert resolve("البلدة", table, ["بلاد الشمس"], infer=True) is None


def test_what_lies_elsewhere_than_what_encloses_it_gives_what_encloses_it(table):
    place = resolve("صغرى في زهر", table)
    assert (place.entry.name, place.exact) == ("Zahr", False)
    assert resolve("نخل في بلاد الشمس", table).entry.name == "Sunland"
    assert resolve("زهر في بلاد الشمس", table).entry.name == "Zahr"


def test_places_of_one_incident_are_ordered_from_exact_to_inferred():
    def vagueness(kind="town", exact=True, inferred=False):
        return Place(replace(TOWN, kind=kind), 0, 0, 1, exact, False, inferred).vagueness

    order = [
        vagueness(),
        vagueness(exact=False),
        vagueness("governorate"),
        vagueness("rural", exact=False),
        vagueness(inferred=True),
        vagueness("country", inferred=True),
    ]
    assert order == sorted(order)
    assert {vagueness(kind)[1] for kind in ("country", "region", "governorate", "rural")} == {True}
    assert {vagueness(kind)[1] for kind in ("city", "town", "village", "district", "site")} == {False}


def test_a_place_is_plain_data(table):
    assert resolve("مرج", table).to_dict() == {
        "name": "Marj",
        "name_ar": "مرج",
        "latitude": 36.0,
        "longitude": 37.0,
        "kind": "town",
        "country": "SY",
        "admin": "Hama",
        "source": "own.tsv",
        "score": 0.5,
        "exact": True,
        "ambiguous": True,
        "inferred": False,
        "alternatives": [{"name": "Marj", "country": "IQ", "latitude": 36.0, "longitude": 44.0}],
    }
    assert resolve("مرج", table, ["نخل"]).to_dict()["score"] == 0.9933


def test_the_nearest_other_place_of_the_incident_is_the_first_context(table):
    text = "قصف زهر ثم البلدة ثم محافظة الورد وقصف بلدة زهر"

    def participant(words, role="place"):
        start = text.index(words)
        return Participant(start, start + len(words), words, role, None)

    trigger = Span(0, 3, "قصف")
    first = Incident("shelling", "actual", trigger, (participant("زهر"), participant("قصف", "initiator"), participant("البلدة")))
    second = Incident("shelling", "actual", trigger, (participant("محافظة الورد"),))
    found = resolve_places(text, Reading((first, second)), table)
    assert {at: (place.entry.name, place.inferred) for at, place in found.items()} == {
        (0, 0): ("Zahr", False),
        (0, 2): ("Zahr", True),
        (1, 0): ("Ward", False),
    }
    assert (0, 2) not in resolve_places(text, Reading((first, second)), table, infer=False)
    assert resolve_places(text, Reading(()), table) == {}


def test_places_are_told_by_a_head_word_and_up_to_seven_words_behind_it():
    assert told_places("في مدينة زهر، وبلدة نخل. ثم مدينة زهر،") == ["مدينة زهر", "وبلدة نخل"]
    assert told_places("مدينة " + "زهر " * 9) == ["مدينة " + " ".join(["زهر"] * 7)]
    assert told_places("المدينة") == []


def test_the_place_of_a_text_is_the_most_exact_that_it_tells(table):
    told = text_place("في محافظة الورد، ثم بلدة زهر.", table)
    assert (told.entry.name, told.inferred, told.score, told.exact) == ("Zahr", True, 0.5, True)
    assert text_place("في محافظة الورد.", table).entry.name == "Ward"
    assert text_place("بلدة مصنع نخل، ثم بلدة زهر.", table).entry.name == "Zahr"
    assert text_place("في مدينة لا يعرفها أحد.", table) is None


def test_a_table_gives_entries_by_every_name(table):
    assert [entry.country for entry in table.find(("مرج",))] == ["SY", "IQ"]
    assert table.find(("مروج",)) == table.find(("مرج",))[:1]
    assert table.find(("لا", "يعرف")) == ()
    assert table.find(key("كفر نبل")) == table.find(("كفرنبل",)) != ()
    assert (table.longest, len(table), table.attribution) == (2, 9, "")
    assert table.find(("كبري",))[0] == Entry("Kubra", "كبرى", 40.0, 40.0, "city", "XX", "", 100_000, "own.tsv")
    assert table.find(("كفرنبل",))[0].kind == "town"  # where the cell is empty


@pytest.mark.parametrize(
    ("words", "forms"),
    [
        (("كفر", "نبل"), [("كفر", "نبل"), ("كفرنبل",)]),
        (("كفرنبل", "شرقي"), [("كفرنبل", "شرقي"), ("كفر", "نبل", "شرقي")]),
        (("كفر",), [("كفر",)]),
        (("كفرنب",), [("كفرنب",)]),
        (("زهر", "نبل"), [("زهر", "نبل")]),
    ],
)
def test_first_parts_of_names_are_written_apart_or_together(words, forms):
    assert list(_joined_or_cut(words)) == forms


def test_joined_tables_keep_both_and_name_both_sources(table):
    other = Gazetteer({("زهر",): (TOWN,), ("بعيد", "جدا", "هنا"): (TOWN,)}, 3, "theirs")
    both = replace(table, attribution="ours").joined(other)
    assert [entry.name for entry in both.find(("زهر",))] == ["Zahr", "Marj"]
    assert (both.longest, both.attribution) == (3, "ours; theirs")
    assert replace(table, attribution="the").joined(other).attribution == "theirs"
    assert other.joined(table).longest == 3


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a\tA\t91\t0\tSY", "latitude is 91, expected degrees from -90 to 90"),
        ("a\tA\t-91\t0\tSY", "latitude is -91, expected degrees from -90 to 90"),
        ("a\tA\t0\t181\tSY", "longitude is 181, expected degrees from -180 to 180"),
        ("a\tA\t0\tx\tSY", "longitude is 'x', expected degrees such as 36.2"),
        ("\t\t0\t0\tSY", "name_ar and name_en are empty; a place needs a name"),
        ("a\tA\t0", "3 cells, the header has 5; write an empty cell where there is nothing"),
    ],
)
def test_a_fault_of_a_table_is_told_with_its_line(tmp_path: Path, row: str, fault: str):
    path = tmp_path / "t.tsv"
    path.write_text("\n".join(["name_ar\tname_en\tlatitude\tlongitude\tcountry", "ب\tB\t90\t-180\tSY", "", row]), "utf-8")
    with pytest.raises(RecordError) as found:
        Gazetteer.load(path)
    assert str(found.value) == f"{path}:4: {fault}"


def test_a_population_is_a_whole_number_in_ascii(tmp_path: Path):
    path = tmp_path / "t.tsv"
    for people in ("-1", "١٠", "1.5"):
        path.write_text(f"{HEADER}\na\tA\t0\t0\tSY\t\t\t\t{people}", "utf-8")
        with pytest.raises(RecordError) as found:
            Gazetteer.load(path)
        assert str(found.value) == f"{path}:2: population is {people!r}, expected a whole number, or nothing"


def test_a_table_without_its_columns_or_in_other_bytes_says_what_to_do(tmp_path: Path):
    path = tmp_path / "t.tsv"
    path.write_text("name_ar\tcountry\n", "utf-8")
    with pytest.raises(RecordError) as found:
        Gazetteer.load(path)
    columns = "name_ar, name_en, latitude, longitude, country (and optionally aliases_ar, kind, admin, population)"
    assert str(found.value) == f"{path}:1: missing column name_en, latitude, longitude; expected a tab-separated header with {columns}"
    path.write_bytes(b"ab\xff")
    with pytest.raises(RecordError) as found:
        table_text(path, ("a", "b"))
    assert str(found.value) == f"{path}: byte 2 is no UTF-8; save the file as UTF-8"
    with pytest.raises(RecordError) as found:
        table_text(tmp_path / "none", ("a", "b"))
    assert str(found.value) == f"{tmp_path}/none: No such file or directory; give a tab-separated file with a, b"
    path.write_bytes("\ufeffa\tb".encode())
    assert table_text(path, ("a",)) == "a\tb"


def test_a_dump_of_geonames_tells_kinds_by_its_codes(tmp_path: Path):
    def line(number, code, feature, name="Name", others="مكان,Place,موضع"):
        cells = [str(number), name, "Ascii", others, "1.5", "2.5", code, feature, "SY", "", "08", "", "", "", "70", "", "", "", ""]
        return "\t".join(cells)

    codes = [("A", "PCLI"), ("A", "ADM1"), ("A", "ADM2"), ("P", "PPLC"), ("P", "PPLA"), ("P", "PPL"), ("A", "X"), ("L", "X"), ("S", "X")]
    path = tmp_path / "d.txt"
    path.write_text("\n".join([line(1, *codes[0]), "", *(line(n, *code) for n, code in enumerate(codes[1:], 2))]), "utf-8")
    found = Gazetteer.load(path)
    kinds = ["country", "governorate", "district", "city", "city", "village", "region", "region", "site"]
    assert [entry.kind for entry in found.find(("مكان",))] == kinds
    assert found.find(("مكان",))[0] == Entry("Name", "مكان", 1.5, 2.5, "country", "SY", "08", 70, "geonames")
    assert found.find(("موضع",)) == found.find(("مكان",)) == found.find(("name",)) == found.find(("ascii",))
    assert found.find(("place",)) == ()
    assert "GeoNames" in found.attribution


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("#قوّات_النظام", "قوات النظام"),
        ("أإآٱ ىی ک گ ؤ ئ ة ڤ پ چ ء", "اااا يي ك ك و ي ه ف ب ج"),
        ("الت*ركي الاحت..لال", "التركي الاحتلال"),
        ("ABC  (x)", "abc x"),
        ("مـــرج", "مرج"),
        ("...", ""),
    ],
)
def test_names_are_folded_to_letters_and_single_spaces(text, folded):
    assert fold(text) == folded


def test_the_article_and_clitics_come_off_a_word():
    assert [bare(word) for word in ("الشام", "الي", "الله", "شام")] == ["شام", "الي", "له", "شام"]
    assert list(uncliticised("وللتحالف")) == ["وللتحالف", "للتحالف", "تحالف", "لتحالف"]
    assert list(uncliticised("بالشام")) == ["بالشام", "شام"]
    assert list(uncliticised("فالشام")) == ["فالشام", "شام"]
    assert list(uncliticised("للشام")) == ["للشام", "شام", "لشام"]
    assert list(uncliticised("وقع")) == ["وقع"]
    assert list(uncliticised("بيت")) == ["بيت"]
    assert list(uncliticised("بيوت")) == ["بيوت", "يوت"]


def test_a_place_lies_in_its_country_or_within_170_km_of_what_encloses_it():
    country = replace(TOWN, kind="country", country="SY")
    assert places._inside(replace(TOWN, country="SY"), country)
    assert places._inside(replace(TOWN, country=""), country)
    assert not places._inside(replace(TOWN, country="IQ"), country)
    assert places._inside(replace(TOWN, country="IQ"), replace(country, kind="region", country=""))
    equator = replace(TOWN, latitude=0.0, longitude=0.0)
    assert places._inside(equator, replace(equator, longitude=1.528))  # 169.9 km
    assert not places._inside(equator, replace(equator, longitude=1.53))  # 170.1 km
