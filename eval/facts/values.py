"""Phrases against their values by hand: time phrases as intervals with a grain, casualties phrases as counts, both exact or wrong."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from eval.facts.figures import hit, summary
from eval.score.counts import Counts
from waqia.document.counts import read_counts
from waqia.document.dates import GRAINS, resolve_date
from waqia.document.peoplewords import KINDS
from waqia.errors import RecordError
from waqia.records import read_rows


def measure(path: Path) -> dict[str, Any]:
    """Figures of a file of time phrases (start, end, grain) or of casualties phrases (values); RecordError names a row that is odd."""
    tallies: list[dict[str, Counts]] = []
    ids: list[str] = []
    errors: list[dict[str, Any]] = []
    for number, row in read_rows(path):
        where = f"{path}:{number}"
        before, after = _context(row, where)
        if row["id"] in ids:
            raise RecordError(f"{where}: id {row['id']!r} twice; ids must be unique in a file")
        tally, error = (_time if "grain" in row else _casualties)(row, before, after, where)
        tallies.append(tally)
        ids.append(row["id"])
        errors += [error] if error else []
    if not ids:
        raise RecordError(f"{path}: has no rows; expected phrases with their values, one JSON object a line")
    return summary(tallies, ids, errors)


def _context(row: Any, where: str) -> tuple[str, str]:
    """The text before and after the phrase, which stands in brackets in its context."""
    texts = ("id", "phrase", "context")
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) and row[name] for name in texts):
        raise RecordError(f"{where}: expected an object with the texts {', '.join(texts)}, and start, end, grain, date or values")
    if "grain" not in row and "values" not in row:
        raise RecordError(f"{where}: {row['id']}: has neither grain nor values; expected a time phrase or a casualties phrase")
    before, found, after = row["context"].partition(f"[{row['phrase']}]")
    if not found:
        raise RecordError(f"{where}: {row['id']}: the context does not hold [{row['phrase']}]; put the phrase in brackets there")
    return before, after


def _time(row: dict[str, Any], before: str, after: str, where: str) -> tuple[dict[str, Counts], dict[str, Any] | None]:
    anchor = _day(row, "date", where)
    gold = (_day(row, "start", where), _day(row, "end", where), row["grain"])
    if gold[2] not in GRAINS:
        raise RecordError(f"{where}: {row['id']}: grain is {gold[2]!r}, expected one of {', '.join(GRAINS)}")
    found = resolve_date(row["phrase"], anchor, before=before, after=after)
    read = (None, None, "vague") if found is None else (found.start, found.end, found.grain)
    right = read == gold
    tally = {"time exact": hit(right), "time days": hit(read[:2] == gold[:2]), f"time exact, {gold[2]}": hit(right)}
    kind = f"{gold[2]} read as {read[2]}" + ("" if read[:2] == gold[:2] else ", other days")
    told, said = ([str(end) if end else None for end in value[:2]] + [value[2]] for value in (gold, read))
    return tally, None if right else {"kind": kind, "id": row["id"], "phrase": row["phrase"], "gold": told, "read": said}


def _casualties(row: dict[str, Any], before: str, after: str, where: str) -> tuple[dict[str, Counts], dict[str, Any] | None]:
    gold = row["values"]
    if not isinstance(gold, dict) or not all(kind in KINDS and _is_bound(bound) for kind, bound in gold.items()):
        raise RecordError(f"{where}: {row['id']}: values is {gold!r}, expected [min, max or null] for some of {', '.join(KINDS)}")
    found = read_counts(row["phrase"], before=before, after=after)
    read, about = found.to_dict(), bool(row.get("about"))
    right = read == gold and found.about == about
    tally = {"counts exact": hit(right), **{f"counts exact, {kind}": hit(right) for kind in gold}}
    if right:
        return tally, None
    kind = "another kind" if set(read) != set(gold) else "about" if read == gold else "another number"
    return tally, {"kind": kind, "id": row["id"], "phrase": row["phrase"], "gold": gold, "read": read, "about": [about, found.about]}


def _is_bound(bound: Any) -> bool:
    whole = isinstance(bound, list) and len(bound) == 2 and type(bound[0]) is int and (bound[1] is None or type(bound[1]) is int)
    return whole and 0 <= bound[0] <= (bound[0] if bound[1] is None else bound[1])


def _day(row: dict[str, Any], name: str, where: str) -> datetime.date | None:
    said = row.get(name)
    if said is None:
        return None
    try:
        return datetime.date.fromisoformat(said)
    except (TypeError, ValueError) as error:
        raise RecordError(f'{where}: {row["id"]}: {name} is {said!r}, expected "YYYY-MM-DD" or null') from error
