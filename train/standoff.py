"""Stand-off labels: what is labelled in other people's texts, without the texts (`python -m train.data standoff` and `rebuild`).

A stand-off row has the record's id, source and date, the SHA-256 of its text, and its lines by number and hash of their letters. Spans are
[first letter, letter behind the last], counted over the letters and digits of all lines, so that another cleaning of the same source (white
space, quotation marks, vowel signs, dropped lines) does not move them; a span that begins or ends with other signs says how many.

`rebuild` looks for every passage in the sources (whatever `waqia batch` reads), takes the text as it stands there, proves it by the hashes
of its lines, and says which texts are the very same, which differ in signs beside the letters, and which were not found. Nobody's text is
in the repository; whoever has the sources gets the training files back.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waqia.arabic import TATWEEL
from waqia.bulk.files import rows
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.records import id_key, parse_record, read_rows, write_records
from waqia.schema import Record, Span

ANCHOR = 24  # letters by which the longest line of a passage is looked for in the sources
ROW = {"id", "sha256", "lines", "incidents"}  # what a stand-off row holds at least
FIELDS = ("mentions", "participants", "trigger")  # of an incident: spans


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters and digits of a text in one string, and where each stands in the text."""

    text: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, raw: str) -> Letters:
        """The letters of a text."""
        places = tuple(place for place, sign in enumerate(raw) if sign.isalnum() and sign != TATWEEL)
        return cls("".join(raw[place] for place in places), places)

    def word_starts(self) -> Iterator[int]:
        """The letters that something else stands before."""
        return (number for number, place in enumerate(self.places) if not number or place != self.places[number - 1] + 1)

    def range(self, span: Span) -> list[int]:
        """A span as letters, and the signs before and behind them where there are any; RecordError where it holds no letter."""
        inside = [number for number, place in enumerate(self.places) if span.start <= place < span.end]
        if not inside:
            raise RecordError(f"the span {span.text!r} holds no letter; label a word")
        signs = [self.places[inside[0]] - span.start, span.end - self.places[inside[-1]] - 1]
        return [inside[0], inside[-1] + 1, *(signs if any(signs) else ())]


def make(record: Record) -> dict[str, Any]:
    """A record as a stand-off row."""
    letters = Letters.of(record.text)
    kept = {name: value for name, value in record.extra.items() if name in ("source", "date", "document", "answers")}
    asked = {} if record.annotated is None else {"annotated": list(record.annotated)}
    incidents = [_without_text(incident.to_dict(), letters) for incident in record.incidents]
    lines = [_line(line) for line in record.text.split("\n")]
    return {"id": record.id, **kept, **asked, "sha256": _hash(record.text, 64), "lines": lines, "incidents": incidents}


def _line(line: str) -> dict[str, Any]:
    """A line: the signs before its first and behind its last letter, how many letters it has, and their hash."""
    letters = Letters.of(line)
    if not letters.places:
        return {"signs": line}
    before, behind = letters.places[0], len(line) - letters.places[-1] - 1
    hashes = {"hash": _hash(letters.text, 16), "begin": _begin(letters.text)}
    return {"before": before, "behind": behind, "letters": len(letters.text), **hashes}


def _begin(letters: str) -> str:
    return _hash(letters[:ANCHOR], 16)


def _without_text(item: dict[str, Any], letters: Letters) -> dict[str, Any]:
    """An incident or a participant with ranges of letters for spans."""
    result = {name: value for name, value in item.items() if name not in ("start", "end", "text", *FIELDS)}
    if "start" in item:
        result["span"] = letters.range(Span(item["start"], item["end"], item["text"]))
    if "trigger" in item:
        result["trigger"] = letters.range(Span(**item["trigger"]))
    if "mentions" in item:
        result["mentions"] = [letters.range(Span(**span)) for span in item["mentions"]]
    if "participants" in item:
        result["participants"] = [_without_text(one, letters) for one in item["participants"]]
    return result


class Sought:
    """Stand-off rows by the beginning of their longest line."""

    def __init__(self, wanted: Iterable[dict[str, Any]]) -> None:
        self.by_begin: dict[str, list[dict[str, Any]]] = {}
        self.sizes: set[int] = set()
        for row in wanted:
            longest = max((line for line in row["lines"] if "hash" in line), key=lambda line: int(line["letters"]))
            self.by_begin.setdefault(longest["begin"], []).append(row)
            self.sizes.add(min(ANCHOR, longest["letters"]))

    def find(self, raw: str) -> Iterator[tuple[dict[str, Any], str]]:
        """The rows whose passage stands in a text of a source, each with the passage."""
        letters = Letters.of(raw)
        likely: dict[int, dict[str, Any]] = {}
        for start in letters.word_starts():
            for size in self.sizes:
                for row in self.by_begin.get(_begin(letters.text[start : start + size]), ()):
                    likely[id(row)] = row
        for row in likely.values():
            passage = _passage(row["lines"], raw, letters)
            if passage is not None:
                yield row, passage


def _passage(lines: Sequence[dict[str, Any]], raw: str, letters: Letters) -> str | None:
    """The lines in the order in which they are told, as they read in a source; None where one of them does not stand there."""
    starts, found, behind = list(letters.word_starts()), [], 0
    for line in lines:
        if "signs" in line:
            found.append(line["signs"])
            continue
        size = line["letters"]
        # The first place behind the line before; a headline may stand again at the end.
        for start in (*(s for s in starts if s >= behind), *(s for s in starts if s < behind)):
            said = letters.text[start : start + size]
            if _begin(said) == line["begin"] and _hash(said, 16) == line["hash"]:
                found.append(_with_signs(line, raw, letters.places[start], letters.places[start + size - 1] + 1))
                behind = start + size
                break
        else:
            return None
    return "\n".join(found)


def _with_signs(line: dict[str, Any], raw: str, start: int, end: int) -> str:
    """The slice with as many of the signs around it as the labelled line had, in one line."""
    first, last = _around(raw, start, end, line["before"], line["behind"])
    return raw[first:last].replace("\n", " ")


def _around(text: str, start: int, end: int, before: int, behind: int) -> tuple[int, int]:
    """A slice that grows by as many signs on either side, as far as these are neither letters nor line breaks."""
    first, last = start, end
    while start - first < before and first > 0 and not text[first - 1].isalnum() and text[first - 1] != "\n":
        first -= 1
    while last - end < behind and last < len(text) and not text[last].isalnum() and text[last] != "\n":
        last += 1
    return first, last


def build(row: dict[str, Any], text: str, labels: LabelSet) -> Record:
    """The record of a stand-off row over its text as found; RecordError where a label does not fit."""
    letters = Letters.of(text)
    incidents = [_with_text(incident, letters, text) for incident in row["incidents"]]
    fields = {name: value for name, value in row.items() if name not in ("sha256", "lines", "incidents")}
    return parse_record({**fields, "text": text, "incidents": incidents}, labels, str(row["id"]))


def _with_text(item: dict[str, Any], letters: Letters, text: str) -> dict[str, Any]:
    def span(of: Sequence[int]) -> dict[str, Any]:
        before, behind = of[2:] or (0, 0)
        start, end = _around(text, letters.places[of[0]], letters.places[of[1] - 1] + 1, before, behind)
        return {"start": start, "end": end, "text": text[start:end]}

    result = {name: value for name, value in item.items() if name not in ("span", *FIELDS)}
    if "span" in item:
        result |= span(item["span"])
    if "trigger" in item:
        result["trigger"] = span(item["trigger"])
    if "mentions" in item:
        result["mentions"] = [span(one) for one in item["mentions"]]
    if "participants" in item:
        result["participants"] = [_with_text(one, letters, text) for one in item["participants"]]
    return result


def rebuild(wanted: Sequence[dict[str, Any]], sources: Iterable[str], labels: LabelSet) -> tuple[list[Record], Counter[str]]:
    """The records found in texts of the sources, in the order wanted, and how many are the same, differ in signs, or were not found.

    Of several copies of a passage the one that is the very same counts, else the first.
    """
    sought, found = Sought(wanted), dict[int, tuple[str, bool]]()
    for raw in sources:
        for row, passage in sought.find(raw):
            same = _hash(passage, 64) == row["sha256"]
            if same or id(row) not in found:
                found[id(row)] = passage, same
    records = [build(row, found[id(row)][0], labels) for row in wanted if id(row) in found]
    same = sum(same for _, same in found.values())
    return records, Counter({"the same": same, "other signs": len(found) - same, "not found": len(wanted) - len(found)})


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def write_standoff(path: Path, records: Iterable[Record]) -> None:
    """One stand-off row a record."""
    rows_ = (json.dumps(make(record), ensure_ascii=False, separators=(",", ":")) for record in records)
    path.write_text("".join(row + "\n" for row in rows_), "utf-8")


def rebuild_files(files: Sequence[Path], sources: Sequence[Path], out: Path, labels: LabelSet) -> Counter[str]:
    """Write the records of stand-off files that the sources hold, a file each; how many are the same, differ in signs, were not found."""
    wanted = {path: list(_wanted(path)) for path in files}
    texts = (row.fields["text"] for path in sources for row in rows(path) if isinstance(row.fields.get("text"), str))
    records, counts = rebuild([row for some in wanted.values() for row in some], texts, labels)
    found = {id_key(record.id): record for record in records}
    out.mkdir(parents=True, exist_ok=True)
    for path, some in wanted.items():
        write_records(out / path.name, [found[key] for row in some if (key := id_key(row["id"])) in found])
    return counts


def _wanted(path: Path) -> Iterator[dict[str, Any]]:
    for number, row in read_rows(path):
        if not isinstance(row, dict) or not row.keys() >= ROW or not any("hash" in line for line in row["lines"]):
            said = f"no stand-off row, expected {', '.join(sorted(ROW))}"
            raise RecordError(f"{path}:{number}: {said}; python -m train.data standoff writes them")
        yield row
