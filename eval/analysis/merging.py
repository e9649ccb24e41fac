"""Whether mentions are merged into the right happenings: python -m eval.analysis.merging GOLD [--readings PRED] [--artefact DIR]

GOLD and PRED are JSONL records; texts of GOLD whose incidents do not tell their mentions are left out and counted. Each row of the table
is one way to part mentions into happenings, with MUC, B3, CEAFe, CoNLL F1, LEA and pairs (eval.score.coreference) and 95 % intervals from a
bootstrap over documents:

- nothing merged: every gold mention is a happening of its own;
- types merged: all gold mentions of one type in a text are one happening;
- the head on gold mentions: the artefact's merging head is given the gold mentions, and the types that its encoder sees in them;
- on gold mentions: PRED merges the gold mentions as its incidents do; a mention that it did not find stands alone;
- end to end: the incidents of PRED as they are, found words included. A mention counts as found where its offsets are gold's exactly.

All but the last know every gold mention, so they judge merging alone; the last judges finding too. For it, the mean error of the
number of incidents of a text is told as well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.score.command import run
from eval.score.coreference import Clusters, clusters, compare_clusters, merging_figures, nothing_merged, partition, types_merged
from eval.score.counts import Counts, Tally, add
from eval.score.files import read_gold, read_predictions
from eval.score.intervals import bootstrap
from eval.score.match import judged
from waqia.arguments import Parser
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.model import artefact
from waqia.model.pipeline import Model, merge_given
from waqia.schema import Incident, Record

COUNT_ERROR = "incident count error"
HEAD = "the head on gold mentions"

Sides = tuple[Clusters, Clusters]  # gold and one way to part its mentions


def merging(gold: Sequence[Record], predicted: Sequence[Record] | None, labels: LabelSet, model: Model | None = None) -> dict[str, Any]:
    """The figures of the baselines and, where given, of predictions in gold's order and of a model's merging head.

    RecordError where no text tells mentions.
    """
    readings = [None] * len(gold) if predicted is None else list(predicted)
    told = [(record, reading) for record, reading in zip(gold, readings, strict=True) if _tells(record)]
    if not any(record.incidents for record, _ in told):
        raise RecordError(f"none of {len(gold)} gold texts tells the mentions of its incidents; label `mentions` (records version 2)")
    documents = [str(record.extra.get("document", record.id)) for record, _ in told]
    tallies: dict[str, list[Tally]] = {}
    for record, reading in told:
        for name, tally in _tallies(record, reading, labels).items():
            tallies.setdefault(name, []).append(tally)
    if model is not None:
        tallies[HEAD] = _head([record for record, _ in told], labels, model)
    ours = [clusters(judged(record, record, labels)[0]) for record, _ in told]
    return {
        "records": len(told),
        "left_out": len(gold) - len(told),
        "documents": len(set(documents)),
        "happenings": sum(map(len, ours)),
        "told_again": sum(len(cluster) > 1 for key in ours for cluster in key),
        "mentions": sum(len(cluster) for key in ours for cluster in key),
        "systems": {name: _read(rows, documents) for name, rows in tallies.items()},
    }


def _tells(record: Record) -> bool:
    return all(incident.mentions is not None for incident in record.incidents)


def _tallies(gold: Record, predicted: Record | None, labels: LabelSet) -> dict[str, Tally]:
    ours, theirs = judged(gold, gold if predicted is None else _answer(predicted), labels)
    key = clusters(ours)
    result: dict[str, Tally] = {}
    result["nothing merged"] = compare_clusters(key, nothing_merged(ours))
    result["types merged"] = compare_clusters(key, types_merged(ours))
    if predicted is not None:
        result["on gold mentions"] = compare_clusters(key, partition(ours, theirs))
        result["end to end"] = compare_clusters(key, clusters(theirs)) | {COUNT_ERROR: _count_error(ours, theirs)}
    return result


def _head(gold: Sequence[Record], labels: LabelSet, model: Model) -> list[Tally]:
    """The merging head on the gold mentions of each text; mentions that no window holds stand alone."""
    asked = [judged(record, record, labels)[0] for record in gold]
    spans = [list({(span.start, span.end): span for incident in ours for span in incident.all_mentions}.values()) for ours in asked]
    tallies: list[Tally] = []
    for ours, mentions, found in zip(asked, spans, merge_given([record.text for record in gold], spans, model), strict=True):
        groups = [frozenset((mention.start, mention.end) for mention in one.mentions) for one in found]
        left = {(span.start, span.end) for span in mentions}.difference(*groups)
        tallies.append(compare_clusters(clusters(ours), [*groups, *(frozenset({one}) for one in sorted(left))]))
    return tallies


def _answer(predicted: Record) -> Record:
    """A prediction with `error` counts as empty, as in eval.score."""
    return Record(predicted.id, predicted.text) if predicted.extra.get("error") is not None else predicted


def _count_error(ours: Sequence[Incident], theirs: Sequence[Incident]) -> Counts:
    return Counts(abs(len(ours) - len(theirs)), 1)


def _read(tallies: Sequence[Tally], documents: Sequence[str]) -> dict[str, Any]:
    figures, intervals = _figures(add(tallies)), bootstrap(tallies, documents, _figures)
    return {name: {"value": value, "interval": intervals[name] and list(intervals[name] or ())} for name, value in figures.items()}


def _figures(total: Tally) -> dict[str, float | None]:
    figures = {name.removeprefix("merging "): value for name, value in merging_figures(total).items()}
    return figures | {COUNT_ERROR: total[COUNT_ERROR].recall} if COUNT_ERROR in total else figures


def table(result: dict[str, Any]) -> list[str]:
    """The figures as lines of text, a block a system."""
    lines = [
        f"{result['records']} texts of {result['documents']} documents ({result['left_out']} without mentions left out):"
        f" {result['happenings']} happenings, {result['told_again']} of them with several mentions, {result['mentions']} mentions in all"
    ]
    for name, figures in result["systems"].items():
        lines += ["", name]
        for figure, row in figures.items():
            value = "–" if row["value"] is None else f"{row['value']:.3f}"
            interval = "" if row["interval"] is None else f"  [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]"
            lines.append(f"  {figure:<22} {value:>5}{interval}")
    return lines


def _model(folder: str) -> Model:
    loaded = artefact.load(folder)
    return Model(loaded.model, loaded.open("onnxruntime", None), loaded.tokenizer, loaded.labels, loaded.windows, loaded.calibration)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, compare, print, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("--readings", type=Path, metavar="PRED", help="also judge what a system read in the gold texts")
    parser.add_argument("--artefact", metavar="DIR", help="also judge the merging head of this artefact on the gold mentions")
    parser.add_argument("--labels", type=Path, default=Path("configs/labels/incidents.yaml"), help="label set (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the result as JSON here")
    args = parser.parse_args(argv)
    labels = LabelSet.load(args.labels)
    gold = read_gold(args.gold, labels)
    model = _model(args.artefact) if args.artefact else None
    result = merging(gold, read_predictions(args.readings, gold, labels) if args.readings else None, labels, model)
    if args.out:
        args.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(table(result)))


if __name__ == "__main__":
    run(main)
