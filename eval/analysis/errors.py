"""What kinds of errors a system makes: python -m eval.analysis.errors GOLD PRED [--labels LABELS] [--out FILE.json]

Triggers are compared over the passage, participants within incidents of one type. A label is a trigger's type or a participant's role.
Pairs are made one to one, the best first: spans that overlap and have the same label, then spans that overlap with another label.

right     same label and span                 merged    a gold span under a predicted one that already answers another gold span
boundary  same label, span cut differently    split     a predicted span over a gold one that is already answered
wrong     overlapping, another label          missed, spurious   nothing on the other side

Each gold span is right, boundary, wrong, merged or missed; each predicted one right, boundary, wrong, split or spurious. Also the confusion
of types (over triggers) and of sectors (over matched actors). The JSON holds examples of every class: record id and spans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eval.score.command import judge, run
from eval.score.match import items, judged, match, overlap, same_participant
from waqia.labels import LabelSet
from waqia.schema import Incident, Record, Span

EXAMPLES = 20  # of each class
CLASSES = ("right", "boundary", "wrong", "merged", "missed", "split", "spurious")

Cell = tuple[str | None, str | None]  # labels of gold and prediction


@dataclass(frozen=True, slots=True)
class Mark:
    """A span with its label; only marks of one group (the incident type, for participants) are compared."""

    group: str
    label: str
    span: Span


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gold mark, one predicted mark, or a pair of them, and the class they fall into."""

    kind: str
    gold: Mark | None
    predicted: Mark | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data: label and span of each side."""
        sides = {"gold": self.gold, "predicted": self.predicted}
        return {name: {"label": m.label, **m.span.to_dict()} for name, m in sides.items() if m is not None}


def classify(gold: Sequence[Mark], predicted: Sequence[Mark]) -> Iterator[Verdict]:
    """Every gold and every predicted mark in exactly one verdict."""
    same = match(gold, predicted, lambda a, b: _shared(a, b) if a.label == b.label else 0.0)
    yield from (Verdict("right" if a.span == b.span else "boundary", a, b) for a, b in same)
    gold, predicted = _left(gold, [a for a, _ in same]), _left(predicted, [b for _, b in same])
    wrong = match(gold, predicted, _shared)
    yield from (Verdict("wrong", a, b) for a, b in wrong)
    for a in _left(gold, [a for a, _ in wrong]):
        over = next((b for _, b in same if b.label == a.label and _shared(a, b)), None)
        yield Verdict("merged" if over else "missed", a, over)
    for b in _left(predicted, [b for _, b in wrong]):
        under = next((a for a, _ in same if a.label == b.label and _shared(a, b)), None)
        yield Verdict("split" if under else "spurious", under, b)


def triggers(incidents: Sequence[Incident]) -> list[Mark]:
    """Triggers with their types."""
    return [Mark("", incident.type, _bare(incident.trigger)) for incident in incidents]


def participants(incidents: Sequence[Incident]) -> list[Mark]:
    """Participants with their roles."""
    return [Mark(item.incident, item.participant.role, _bare(item.participant)) for item in items(incidents)]


def analyse(pairs: Sequence[tuple[Record, Record]], labels: LabelSet) -> dict[str, Any]:
    """Counts and examples of every class for triggers and participants, and the two confusions."""
    sides = [(gold.id, *judged(gold, predicted, labels)) for gold, predicted in pairs]
    verdicts = {
        "triggers": [(name, v) for name, ours, theirs in sides for v in classify(triggers(ours), triggers(theirs))],
        "participants": [(name, v) for name, ours, theirs in sides for v in classify(participants(ours), participants(theirs))],
    }
    actors = [pair for _, ours, theirs in sides for pair in match(items(ours), items(theirs), same_participant)]
    sectors: Counter[Cell] = Counter((a.participant.sector, b.participant.sector) for a, b in actors if a.participant.sector)
    cells = ((_label(v.gold), _label(v.predicted)) for _, v in verdicts["triggers"] if v.kind not in ("merged", "split"))
    types: Counter[Cell] = Counter(cells)
    return {
        **{level: _summary(found) for level, found in verdicts.items()},
        "confusion": {"types": _confusion(types), "sectors": _confusion(sectors)},
    }


def _summary(verdicts: Sequence[tuple[str, Verdict]]) -> dict[str, Any]:
    counts = Counter(verdict.kind for _, verdict in verdicts)
    wanted = CLASSES[1:]
    examples = {kind: [{"id": name, **v.to_dict()} for name, v in verdicts if v.kind == kind][:EXAMPLES] for kind in wanted}
    return {"counts": {kind: counts[kind] for kind in CLASSES}, "examples": examples}


def _confusion(counts: Counter[Cell]) -> list[dict[str, Any]]:
    """Cells by size; None stands for nothing on that side."""
    return [{"gold": gold, "predicted": predicted, "count": count} for (gold, predicted), count in counts.most_common()]


def _shared(a: Mark, b: Mark) -> float:
    return overlap(a.span, b.span) if a.group == b.group else 0.0


def _left(marks: Sequence[Mark], taken: Sequence[Mark]) -> list[Mark]:
    used = {id(mark) for mark in taken}
    return [mark for mark in marks if id(mark) not in used]


def _bare(span: Span) -> Span:
    return Span(span.start, span.end, span.text)


def _label(mark: Mark | None) -> str | None:
    return None if mark is None else mark.label


def table(result: dict[str, Any]) -> list[str]:
    """Counts of the classes, and the commonest confusions, as lines of text."""
    lines = [f"{'':<14}" + "".join(f"{kind:>10}" for kind in CLASSES)]
    for level in ("triggers", "participants"):
        lines.append(f"{level:<14}" + "".join(f"{result[level]['counts'][kind]:>10}" for kind in CLASSES))
    for name, cells in result["confusion"].items():
        mixed = [cell for cell in cells if cell["gold"] != cell["predicted"] and cell["gold"] and cell["predicted"]][:10]
        lines += ["", f"{name} taken for others:", *(f"  {c['gold']} as {c['predicted']}: {c['count']}" for c in mixed)]
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Read, classify, print, write."""
    judge(__doc__, argv, lambda files: analyse(files.pairs, files.labels), table)


if __name__ == "__main__":
    run(main)
