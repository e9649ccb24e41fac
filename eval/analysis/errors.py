"""What kinds of errors a system makes: python -m eval.analysis.errors GOLD PRED [--labels LABELS] [--out FILE.json]

Triggers are compared over the passage, participants within incidents of one type, both by any of their mentions. A label is a trigger's
type or a participant's role. Pairs are made one to one, the best first: those that overlap and have the same label, then those that overlap
with another label.

right     same label, a mention cut the same   merged    a gold one under a predicted one that already answers another gold one
boundary  same label, mentions cut otherwise   split     a predicted participant over a gold one that is already answered
wrong     overlapping, another label           repeated  a happening told twice: a predicted incident, of whatever type, any mention of
missed, spurious   nothing on the other side             which overlaps a gold incident that is already matched

Each gold one is right, boundary, wrong, merged or missed; each predicted one right, boundary, wrong, split, repeated or spurious. Also the
confusion of types (over triggers) and of sectors (over matched actors). The JSON holds examples of every class: record id and spans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eval.score.command import judge, run
from eval.score.match import best_overlap, items, judged, match, same_participant
from waqia.labels import LabelSet
from waqia.schema import Incident, Record, Span

EXAMPLES = 20  # of each class
CLASSES = ("right", "boundary", "wrong", "merged", "missed", "split", "repeated", "spurious")

Cell = tuple[str | None, str | None]  # labels of gold and prediction


@dataclass(frozen=True, slots=True)
class Mark:
    """A span with its label and its other mentions; only marks of one group (the incident type, for participants) are compared."""

    group: str
    label: str
    span: Span
    mentions: tuple[Span, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The span and every other mention."""
        return (self.span, *self.mentions)


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


def classify(gold: Sequence[Mark], predicted: Sequence[Mark], *, happenings: bool = False) -> Iterator[Verdict]:
    """Every gold and every predicted mark in exactly one verdict; `happenings` says that marks are incidents, which can be told twice."""
    same = match(gold, predicted, lambda a, b: _shared(a, b) if a.label == b.label else 0.0)
    yield from (Verdict("right" if set(a.spans) & set(b.spans) else "boundary", a, b) for a, b in same)
    gold, predicted = _left(gold, [a for a, _ in same]), _left(predicted, [b for _, b in same])
    wrong = match(gold, predicted, _shared)
    yield from (Verdict("wrong", a, b) for a, b in wrong)
    for a in _left(gold, [a for a, _ in wrong]):
        over = next((b for _, b in same if b.label == a.label and _shared(a, b)), None)
        yield Verdict("merged" if over else "missed", a, over)
    for b in _left(predicted, [b for _, b in wrong]):
        if happenings:
            under, kind = next((a for a, _ in [*same, *wrong] if _shared(a, b)), None), "repeated"
        else:
            under, kind = next((a for a, _ in same if a.label == b.label and _shared(a, b)), None), "split"
        yield Verdict(kind if under else "spurious", under, b)


def classify_incidents(gold: Sequence[Incident], predicted: Sequence[Incident]) -> Iterator[Verdict]:
    """Every gold and every predicted incident in exactly one verdict."""
    return classify(triggers(gold), triggers(predicted), happenings=True)


def triggers(incidents: Sequence[Incident]) -> list[Mark]:
    """Triggers with their types and other mentions."""
    return [Mark("", incident.type, *_bare(incident.all_mentions)) for incident in incidents]


def participants(incidents: Sequence[Incident]) -> list[Mark]:
    """Participants with their roles and other mentions."""
    each = items(incidents)
    return [Mark(i.incident, i.participant.role, *_bare((i.participant, *i.participant.mentions))) for i in each]


def analyse(pairs: Sequence[tuple[Record, Record]], labels: LabelSet) -> dict[str, Any]:
    """Counts and examples of every class for triggers and participants, and the two confusions."""
    sides = [(str(gold.id), *judged(gold, predicted, labels)) for gold, predicted in pairs]
    verdicts = {
        "triggers": [(name, v) for name, ours, theirs in sides for v in classify_incidents(ours, theirs)],
        "participants": [(name, v) for name, ours, theirs in sides for v in classify(participants(ours), participants(theirs))],
    }
    actors = [pair for _, ours, theirs in sides for pair in match(items(ours), items(theirs), same_participant)]
    sectors: Counter[Cell] = Counter((a.participant.sector, b.participant.sector) for a, b in actors if a.participant.sector)
    cells = ((_label(v.gold), _label(v.predicted)) for _, v in verdicts["triggers"] if v.kind not in ("merged", "split", "repeated"))
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
    return best_overlap(a.spans, b.spans) if a.group == b.group else 0.0


def _left(marks: Sequence[Mark], taken: Sequence[Mark]) -> list[Mark]:
    used = {id(mark) for mark in taken}
    return [mark for mark in marks if id(mark) not in used]


def _bare(spans: Sequence[Span]) -> tuple[Span, tuple[Span, ...]]:
    """The first span and the others, without what makes them a participant."""
    first, *others = (Span(span.start, span.end, span.text) for span in spans)
    return first, tuple(others)


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
