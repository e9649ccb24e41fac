"""Judge a system on the public ASSAULT/PROTEST gold standard: python -m eval.analysis.gsr ARTEFACT_OR_PRED DIR [--split dev] [--out FILE]

DIR holds the raw files (see eval.analysis.gsr_import). What is judged is an artefact's folder, or a prediction JSONL over the ids of the
split. Each class is judged on the sentences that were asked of it, yes against all else; 95 % intervals are from a document bootstrap:

- average precision, and F1 at the system's own thresholds, over all sentences and by how hard the coders found them;
- of the sentences that are yes in both: source and target words, token F1 as the coders are compared among themselves; and the role code
  of each source and target that shares a word with one that was read and that the coders gave a code.

A system whose label set has the classes is taken at its word; of another one, the incident types whose PLOVER event is the class speak
for it, and CAMEO's MED (media) and HLH (health) are read as PLOVER's JRN and MED. No text is printed or written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.analysis.gsr_import import CLASSES, doer_and_target, import_gsr
from eval.analysis.probabilities import average_precisions
from eval.score.command import run
from eval.score.counts import Counts, Tally, add
from eval.score.files import prediction, read_predictions
from eval.score.intervals import bootstrap
from eval.score.match import passage_types
from waqia.arguments import Parser
from waqia.labels import LabelSet
from waqia.reader import Reader
from waqia.schema import Participant, Record, Span

PLOVER_CODES = {"MED": "JRN", "HLH": "MED"}  # CAMEO codes that PLOVER writes otherwise

Pair = tuple[Record, Record]  # gold and prediction


def main(argv: Sequence[str] | None = None) -> None:
    """Import, read, judge, print."""
    parser = Parser(description=__doc__)
    parser.add_argument("system", type=Path, metavar="ARTEFACT_OR_PRED")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--split", choices=("train", "dev", "test", "all"), default="dev", help="(default: %(default)s)")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/plover-gsr.yaml"), help="(default: %(default)s)")
    parser.add_argument("--predicted-labels", type=Path, help="label set of a prediction file (default: that of --labels)")
    parser.add_argument("--out", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    splits, _ = import_gsr(args.folder, labels)
    records = [record for name, rows in splits.items() if args.split in (name, "all") for record in rows]
    if args.system.is_dir():
        predicted, theirs = read(Reader.load(args.system), records)
    else:
        theirs = LabelSet.load(args.predicted_labels or args.labels)
        predicted = read_predictions(args.system, records, theirs)
    figures = judge(records, predicted, labels, theirs)
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(json.dumps(figures, indent=1))


def read(reader: Reader, records: Sequence[Record]) -> tuple[list[Record], LabelSet]:
    """What an artefact reads in the texts of records, and its label set."""
    readings = reader.read_many(record.text for record in records)
    return [prediction(record, reading) for record, reading in zip(records, readings, strict=True)], reader.labels


@dataclass(frozen=True, slots=True)
class Class:
    """One class of the gold standard, and what a system calls it: incident types, and the roles of source and target in both label sets."""

    name: str
    types: frozenset[str]
    roles: tuple[tuple[str, str], ...]  # gold's and the system's
    no_code: str | None  # the sector of gold actors that the coders gave no role


def judge(records: Sequence[Record], predicted: Sequence[Record], labels: LabelSet, theirs: LabelSet) -> dict[str, Any]:
    """Figures of each class, gold and predictions in one order, each with its label set; None where there is nothing to judge.

    ConfigError where a label set does not say which of its roles are source and target.
    """
    roles, pairs = tuple(zip(doer_and_target(labels), doer_and_target(theirs), strict=True)), list(zip(records, predicted, strict=True))
    return {name: _judge(Class(name, frozenset(types_of(name, theirs)), roles, labels.unknown_sector), pairs) for name in CLASSES}


def types_of(name: str, labels: LabelSet) -> set[str]:
    """The incident types of a label set that speak for a PLOVER class: itself, or those whose event it is."""
    if name in labels.incident_types:
        return {name}
    return {key for key, kind in labels.incident_types.items() if kind.plover and kind.plover.partition("/")[0] == name}


def _judge(of: Class, pairs: Sequence[Pair]) -> dict[str, Any]:
    name = of.name
    asked = [(gold, predicted) for gold, predicted in pairs if name in (gold.annotated or ())]
    truth = [gold.extra["answers"][name] == "yes" for gold, _ in asked]
    probabilities = [max((predicted.extra.get("types", {}).get(kind, 0.0) for kind in of.types), default=0.0) for _, predicted in asked]
    said = [bool(passage_types(predicted) & of.types) for _, predicted in asked]
    difficulty = [gold.extra["difficulty"][name] for gold, _ in asked]
    given = any("types" in predicted.extra for _, predicted in asked)
    tallies = [_tally(*pair, of, t, s) for pair, t, s in zip(asked, truth, said, strict=True)]
    documents = [str(gold.extra["document"]) for gold, _ in asked]
    intervals = bootstrap(tallies, documents, lambda total: _figures(total, of)) if asked else {}
    judgements = list(zip(probabilities, truth, strict=True)) if given else []
    precision = average_precisions({name: (judgements, documents if given else [])})[name]
    return {
        "sentences": len(asked),
        "yes": sum(truth),
        "average_precision": precision["value"],
        **_figures(add(tallies), of),
        "intervals": {"average_precision": precision["interval"], **{figure: pair and list(pair) for figure, pair in intervals.items()}},
        "called_yes_by_label": {label: _share(said, difficulty, label) for label in sorted(set(difficulty))},
    }


def _tally(gold: Record, predicted: Record, of: Class, yes: bool, said: bool) -> dict[str, Counts]:
    """The counts of one sentence: its answer and, where both say yes, the words and codes of each role."""
    result = {"yes": Counts(int(yes and said), int(yes), int(said))}
    if yes and said:
        for role, theirs in of.roles:
            ours, others = _actors(gold, {of.name}, role), _actors(predicted, of.types, theirs)
            result |= {f"{role} tokens": _tokens(gold, ours, others), f"{role} codes": _codes(gold, ours, others, of)}
    return result


def _figures(total: Tally, of: Class) -> dict[str, float | None]:
    yes = total.get("yes", Counts())
    return {
        **{"precision": yes.precision, "recall": yes.recall, "f1": yes.f1},
        **{f"{role}_token_f1": total.get(f"{role} tokens", Counts()).f1 for role, _ in of.roles},
        **{f"{role}_code_accuracy": total.get(f"{role} codes", Counts()).recall for role, _ in of.roles},
    }


def _share(said: Sequence[bool], difficulty: Sequence[str], label: str) -> float:
    chosen = [s for s, d in zip(said, difficulty, strict=True) if d == label]
    return sum(chosen) / len(chosen)


def _tokens(record: Record, gold: Sequence[Participant], predicted: Sequence[Participant]) -> Counts:
    """Words of a role in gold and prediction."""
    ours, theirs = ({word for actor in actors for word in _words(record, actor)} for actors in (gold, predicted))
    return Counts(len(ours & theirs), len(ours), len(theirs))


def _codes(record: Record, gold: Sequence[Participant], predicted: Sequence[Participant], of: Class) -> Counts:
    """Coded actors of gold that share a word with one that was read; hits where the one with most words in common has the code."""
    hits = shared = 0
    for actor in (actor for actor in gold if actor.sector != of.no_code):
        common = [(len(_words(record, actor) & _words(record, other)), other) for other in predicted]
        size, nearest = max(common, key=lambda item: item[0], default=(0, actor))
        code = actor.sector if of.name in of.types else PLOVER_CODES.get(str(actor.sector), actor.sector)
        shared += size > 0
        hits += size > 0 and nearest.sector == code
    return Counts(hits, shared)


def _actors(record: Record, types: Set[str], role: str) -> list[Participant]:
    return [p for incident in record.incidents if incident.type in types for p in incident.participants if p.role == role]


def _words(record: Record, span: Span) -> set[int]:
    """Places of a span's words, by the offset at which each begins."""
    return {word.start() for word in re.finditer(r"\w+", record.text) if span.start <= word.start() < span.end}


if __name__ == "__main__":
    run(main)
