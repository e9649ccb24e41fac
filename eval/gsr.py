"""Judge an artefact on the public ASSAULT/PROTEST gold standard: python -m eval.gsr ARTEFACT DIR [--split dev|test|train|all] [--json FILE]

DIR holds the raw files (see train.gsr). Each class is judged on the sentences that were asked of it, yes against all else:

- average precision, and F1 at the artefact's own thresholds, over all sentences and by how hard the coders found them;
- source and target words of the sentences that are yes in both, token F1 as the coders are compared among themselves.

An artefact whose label set has the classes is taken at its word; of another one, the incident types whose PLOVER event is the class
speak for it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import average_precision_score

from eval.counts import Counts
from train.gsr import CLASSES, import_gsr
from waqia.errors import WaqiaError
from waqia.labels import LabelSet
from waqia.reader import Reader
from waqia.schema import Incident, Reading, Record

ROLES = ("initiator", "target")


def main(argv: Sequence[str] | None = None) -> None:
    """Import, read, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artefact", type=Path)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--split", choices=("train", "dev", "test", "all"), default="dev", help="(default: %(default)s)")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/plover-gsr.yaml"), help="(default: %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    splits, _ = import_gsr(args.folder, LabelSet.load(args.labels))
    records = [record for name, rows in splits.items() if args.split in (name, "all") for record in rows]
    reader = Reader.load(args.artefact)
    figures = judge(records, list(reader.read_many(record.text for record in records)), reader.labels)
    print(json.dumps(figures, indent=1))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def judge(records: Sequence[Record], readings: Sequence[Reading], labels: LabelSet) -> dict[str, Any]:
    """Figures of each class; None where there is nothing to judge."""
    return {name: _judge(name, list(zip(records, readings, strict=True)), types_of(name, labels)) for name in CLASSES}


def types_of(name: str, labels: LabelSet) -> set[str]:
    """The incident types of a label set that speak for a PLOVER class: itself, or those whose event it is."""
    if name in labels.incident_types:
        return {name}
    return {key for key, kind in labels.incident_types.items() if kind.plover and kind.plover.partition("/")[0] == name}


def _judge(name: str, pairs: Sequence[tuple[Record, Reading]], types: set[str]) -> dict[str, Any]:
    asked = [(record, reading) for record, reading in pairs if name in (record.annotated or ())]
    truth = [record.extra["answers"][name] == "yes" for record, _ in asked]
    probabilities = [max(reading.types.get(kind, 0.0) for kind in types) for _, reading in asked]
    said = [any(incident.type in types for incident in reading.incidents) for _, reading in asked]
    difficulty = [record.extra["difficulty"][name] for record, _ in asked]
    both = [pair for pair, t, s in zip(asked, truth, said, strict=True) if t and s]
    return {
        "sentences": len(asked),
        "yes": sum(truth),
        "average_precision": float(average_precision_score(truth, probabilities)) if 0 < sum(truth) < len(truth) else None,
        **_ratios(Counts(sum(t and s for t, s in zip(truth, said, strict=True)), sum(truth), sum(said))),
        "called_yes_by_label": {label: _share(said, difficulty, label) for label in sorted(set(difficulty))},
        **{f"{role}_token_f1": _tokens(both, name, types, role).f1 for role in ROLES},
    }


def _share(said: Sequence[bool], difficulty: Sequence[str], label: str) -> float:
    chosen = [s for s, d in zip(said, difficulty, strict=True) if d == label]
    return sum(chosen) / len(chosen)


def _ratios(counts: Counts) -> dict[str, float | None]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}


def _tokens(pairs: Sequence[tuple[Record, Reading]], name: str, types: set[str], role: str) -> Counts:
    """Words of a role in gold and reading, counted together over sentences."""
    total = Counts()
    for record, reading in pairs:
        gold = _words(record, {name}, role, record.incidents)
        read = _words(record, types, role, reading.incidents)
        total = total + Counts(len(gold & read), len(gold), len(read))
    return total


def _words(record: Record, types: set[str], role: str, incidents: Sequence[Incident]) -> set[int]:
    """Places of the words, by the offset at which each begins, that any incident of the types gives the role."""
    spans = [p for incident in incidents if incident.type in types for p in incident.participants if p.role == role]
    starts = [word.start() for word in re.finditer(r"\w+", record.text)]
    return {start for start in starts for p in spans if p.start <= start < p.end}


if __name__ == "__main__":
    try:
        main()
    except WaqiaError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
