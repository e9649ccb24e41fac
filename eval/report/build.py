"""The whole judgement of an artefact on one page: python -m eval.report ARTEFACT GOLD OUT/ [--against OTHER] [--train FILE…]
[--curve FILE] [--engines FILE]

Writes into OUT:

- report.html, one self-contained page: headline figures with intervals, types, plots, slices, confident errors in their sentences, speed;
- report.json, the same as data (its `figures` are what eval.gate reads);
- model-card.md, a Hugging Face model card with the same figures;
- predictions.jsonl, what the artefact read, to compare against later.

--against is another artefact's folder or a file of predictions on the same gold; --train names the training files, for slices by how
often a type was trained on and for the simple systems that stand beside the model (without them only keywords); --curve is what
train.experiments.curve wrote, --engines what eval.speed --out wrote.
Gold text stands in the page: share it as you may share the gold file.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from eval.analysis.coverage import reach
from eval.analysis.errors import Verdict, analyse, classify_incidents
from eval.analysis.probabilities import probabilities
from eval.analysis.slices import order, slices
from eval.baselines import crf, keywords, tfidf
from eval.compare import compare
from eval.perturb.robustness import judge
from eval.score.files import prediction, read_gold, read_predictions
from eval.score.match import judged
from eval.score.scoring import score
from waqia.arabic import sentence_starts
from waqia.arguments import Parser
from waqia.errors import ConfigError
from waqia.labels import LabelSet
from waqia.model import artefact
from waqia.reader import Reader
from waqia.records import parse_record, write_records
from waqia.schema import Incident, Record, Span

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

EXAMPLES = 6  # of each kind of error
LATENCIES = 100  # passages read one at a time
PACKAGES = ("waqia", "numpy", "onnxruntime", "tokenizers", "scikit-learn", "scipy", "matplotlib")


def main(argv: Sequence[str] | None = None) -> None:
    """Read, judge, draw, write."""
    parser = Parser(description=__doc__)
    parser.add_argument("artefact", type=Path, metavar="ARTEFACT")
    parser.add_argument("gold", type=Path, metavar="GOLD")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--against", type=Path, metavar="OTHER", help="another artefact, or predictions on the same gold")
    parser.add_argument("--train", type=Path, nargs="+", default=[], metavar="FILE", help="what the artefact was trained on")
    parser.add_argument("--curve", type=Path, metavar="FILE", help="a learning curve from train.experiments.curve")
    parser.add_argument("--engines", type=Path, metavar="FILE", help="other engines beside this one, from eval.speed --out")
    parser.add_argument("--threads", type=int, help="threads of ONNX Runtime (default: its own choice)")
    args = parser.parse_args(argv)
    reader = Reader.load(args.artefact, threads=args.threads)
    gold = read_gold(args.gold, reader.labels)
    train = [record for path in args.train for record in read_gold(path, reader.labels)]
    predicted, speed = timed(reader, gold)
    report = {
        "model": reader.model,
        "label_set": f"{reader.labels.name}/{reader.labels.version}",
        "data": {"gold": data_file(args.gold), "train": [data_file(path) for path in args.train]},
        **analyses(gold, predicted, reader.labels, train),
        "against": against(args.against, gold, predicted, reader.labels) if args.against else None,
        "baselines": baselines(gold, reader.labels, train),
        "robustness": judge(gold, reader, reader.labels),
        "reach": reached(args.artefact, gold),
        "curve": json.loads(args.curve.read_text("utf-8")) if args.curve else None,
        "speed": speed,
        "engines": json.loads(args.engines.read_text("utf-8")) if args.engines else None,
        "artefact": artefact_facts(args.artefact),
        "versions": {"python": platform.python_version(), "machine": platform.machine()} | {name: version(name) for name in PACKAGES},
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_records(args.out / "predictions.jsonl", predicted)
    (args.out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (args.out / "report.html").write_text(render(report, list(examples(gold, predicted, reader.labels)), reader.labels), "utf-8")
    (args.out / "model-card.md").write_text(str(card(report, reader.labels)), "utf-8")
    print(f"{args.out / 'report.html'}: {report['records']} records, {len(report['errors'])} readings with an error")


def headline(labels: LabelSet) -> tuple[str, ...]:
    """The figures of the first table, in order."""
    return (
        "types micro-F1", "types macro-F1", "incidents F1", "incidents F1 (one trigger)", "incident count error", "incident-free kept",
        "merging LEA", "merging CoNLL F1", "actors F1", "actors F1 (one mention)", "actors exact F1",
        *(f"{role} F1{how}" for role in labels.roles for how in ("", " (one mention)")),
        "sectors accuracy", "statuses accuracy", "trigger identification F1", "trigger classification F1", "argument identification F1",
        "argument classification F1",
    )  # fmt: skip


def beside(labels: LabelSet) -> tuple[str, ...]:
    """The figures set beside those of simple systems."""
    roles = (labels.fact_roles[fact] for fact in ("place", "time") if fact in labels.fact_roles)
    return (
        "types micro-F1", "types macro-F1", "incidents F1", "actors F1", *(f"{role} F1" for role in roles), "incident-free kept",
    )  # fmt: skip


def analyses(gold: Sequence[Record], predicted: Sequence[Record], labels: LabelSet, train: Sequence[Record]) -> dict[str, Any]:
    """All that gold and predictions tell: scores, probabilities, error classes, slices."""
    scores, pairs = score(gold, predicted, labels), list(zip(gold, predicted, strict=True))
    return {
        **scores.to_dict(),
        "probabilities": probabilities(pairs, labels),
        "error_classes": analyse(pairs, labels),
        "slices": slices(scores, pairs, train),
    }


def timed(reader: Reader, gold: Sequence[Record]) -> tuple[list[Record], dict[str, float]]:
    """What the reader makes of the gold texts, as predictions, and how fast: seconds of wall time in this very run."""
    texts = [record.text for record in gold]
    reader.read(texts[0])  # the first reading also sets up buffers
    began = time.perf_counter()
    readings = list(reader.read_many(texts))
    whole = time.perf_counter() - began
    each = []
    for text in texts[:LATENCIES]:
        began = time.perf_counter()
        reader.read(text)
        each.append(time.perf_counter() - began)
    predicted = [prediction(record, reading) for record, reading in zip(gold, readings, strict=True)]
    return predicted, {
        "passages_a_second": len(texts) / whole,
        "words_a_second": sum(len(text.split()) for text in texts) / whole,
        "milliseconds_median": 1000 * statistics.median(each),
        "milliseconds_p95": 1000 * sorted(each)[int(0.95 * (len(each) - 1))],
    }


def reached(folder: Path, gold: Sequence[Record]) -> dict[str, Any]:
    """Which share of gold the artefact's windows and words can express."""
    model = artefact.load(folder)
    return reach(gold, model.tokenizer, model.labels, model.windows).to_dict()


def against(path: Path, gold: Sequence[Record], predicted: Sequence[Record], labels: LabelSet) -> dict[str, Any]:
    """The other system's figures and what this one has over them; ConfigError where the other reads another label set."""
    if path.is_dir():
        reader = Reader.load(path)
        if reader.labels != labels:
            raise ConfigError(
                f"{path}: reads {reader.labels.name}/{reader.labels.version}, another label set than the artefact; choose another"
            )
        name, others = reader.model, timed(reader, gold)[0]
    else:
        name, others = path.name, read_predictions(path, gold, labels)
    ours, theirs = score(gold, predicted, labels), score(gold, others, labels)
    rows = {}
    for figure, c in compare([theirs], [ours]).items():
        test = None if c.test is None else {"effect": c.test.effect, "interval": list(c.test.interval), "p": c.test.p}
        verdict = c.verdict.replace("B is", "this model is").replace("A is", "the other is")
        rows[figure] = {"value": c.a.value, "test": test, "verdict": verdict}
    return {"name": name, "figures": rows}


def baselines(gold: Sequence[Record], labels: LabelSet, train: Sequence[Record]) -> dict[str, Any]:
    """Figures of simple systems on the same gold: a list of keywords, and where training files are named what learns from them alone."""
    systems = {"keywords": keywords.predict}
    if train:
        systems |= {"tfidf": tfidf.predict, "crf": crf.predict}
    found: dict[str, Any] = {}
    for name, predict in systems.items():
        try:
            rows = predict(train, gold, labels)
        except ConfigError:
            continue  # too few training passages of any type for this system
        said = [parse_record({"text": record.text, **row}, labels, str(record.id)) for record, row in zip(gold, rows, strict=True)]
        figures = score(gold, said, labels).to_dict()["figures"]
        found[name] = {figure: figures[figure] for figure in beside(labels) if figure in figures}
    return found


def data_file(path: Path) -> dict[str, Any]:
    """A file by name and content."""
    data = path.read_bytes()
    return {"name": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def artefact_facts(folder: Path) -> dict[str, Any]:
    """The manifest and settings of an artefact, and its size in bytes."""
    facts = {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in (Path(artefact.MANIFEST).stem, "settings")}
    facts["manifest"]["card"] = {"config": {}, "data": {}, "temperatures": {}} | facts["manifest"].get("card", {})
    return {**facts, "bytes": sum(file.stat().st_size for file in folder.iterdir())}


def examples(gold: Sequence[Record], predicted: Sequence[Record], labels: LabelSet) -> Iterator[dict[str, Any]]:
    """Errors that tell most, each in its sentence: incidents found where none is, of a wrong type or told twice, the most confident first;
    and missed ones, those of types that the model thought least likely for the passage first."""
    found: dict[str, list[tuple[float, Record, Verdict, Incident | None, Incident | None]]] = {
        kind: [] for kind in ("spurious", "wrong", "repeated", "missed")
    }
    for record, said in zip(gold, predicted, strict=True):
        ours, theirs = judged(record, said, labels)
        for verdict in classify_incidents(ours, theirs):
            if verdict.kind in found:
                a, b = _of(ours, verdict.gold), _of(theirs, verdict.predicted)
                sure = (b.score or 0.0) if b else 1 - float(said.extra.get("types", {}).get(a.type if a else "", 0.0))
                found[verdict.kind].append((sure, record, verdict, a, b))
    for kind, rows in found.items():
        for _, record, _, a, b in sorted(rows, key=lambda row: (-row[0], str(row[1].id)))[:EXAMPLES]:
            yield {
                "kind": kind,
                "id": record.id,
                "sides": [
                    {"side": side, "type": incident.type, "score": incident.score, "pieces": pieces(record.text, incident)}
                    for side, incident in (("gold", a), ("model", b))
                    if incident is not None
                ],
            }


def _of(incidents: Iterable[Incident], mark: Any) -> Incident | None:
    if mark is None:
        return None
    bounds = (mark.label, mark.span.start, mark.span.end)
    return next(i for i in incidents if (i.type, i.trigger.start, i.trigger.end) == bounds)


def sentence(text: str, incident: Incident) -> tuple[int, int]:
    """Bounds of the sentences that hold an incident's trigger."""
    starts = sentence_starts(text)
    first = bisect_right(starts, incident.trigger.start) - 1
    last = bisect_right(starts, max(incident.trigger.start, incident.trigger.end - 1))
    return starts[first], starts[last] if last < len(starts) else len(text)


def pieces(text: str, incident: Incident) -> list[tuple[str, str]]:
    """An incident's sentence cut where a mention of it or of its participants begins or ends, each piece with its role, `trigger` or
    nothing."""
    start, end = sentence(text, incident)
    parts = [(span, p.role) for p in incident.participants for span in (p, *p.mentions)]
    spans: list[tuple[Span, str]] = [(span, "trigger") for span in incident.all_mentions]
    spans += sorted(parts, key=lambda part: part[0].end - part[0].start)
    places = {place for span, _ in spans for place in (span.start, span.end) if start < place < end}
    cuts = [start, *sorted(places), end]
    return [(text[a:b], next((name for span, name in spans if span.start <= a and b <= span.end), "")) for a, b in pairwise(cuts)]


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable of the environment for a while, unless it is set."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def render(report: dict[str, Any], errors: Sequence[dict[str, Any]], labels: LabelSet) -> str:
    """The page."""
    with tempfile.TemporaryDirectory() as folder, _environment("MPLCONFIGDIR", folder):  # else its list of fonts lies in the home folder
        from eval.report import plots  # and with it matplotlib, seconds to import

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": lambda x: "–" if x is None else f"{x:.3f}", "signed": lambda x: f"{x:+.3f}"}
    environment.filters["by_slice"] = lambda parts: sorted(parts.items(), key=lambda item: order(item[0]))
    drawn = {
        "precision_recall": plots.precision_recall(report["probabilities"]["precision_recall"], report["types"]),
        "reliability": plots.reliability(report["probabilities"]["calibration"]),
        "types": plots.confusion(report["error_classes"]["confusion"]["types"], list(labels.incident_types)),
        "sectors": plots.confusion(report["error_classes"]["confusion"]["sectors"], list(labels.sectors)),
        "robustness": plots.effects(report["robustness"]["changes"], "incidents F1"),
        "curve": plots.learning_curve(report["curve"]) if report["curve"] else None,
        "engines": plots.engines(report["engines"]) if report["engines"] else None,
    }
    return environment.get_template("report.html").render(
        palette=Markup(files("waqia.formats").joinpath("palette.css").read_text("utf-8")),  # our own style
        report=report,
        headline=[name for name in headline(labels) if name in report["figures"]],
        beside=[name for name in beside(labels) if name in report["figures"]],
        actors=labels.actors,
        types={name: row for name, row in report["types"].items() if row["gold"] or row["predicted"] or row["passage_f1"] is not None},
        plots={name: Markup(plots.svg(figure)) if figure else None for name, figure in drawn.items()},  # our own drawing
        examples=errors,
        roles={name: role.ar for name, role in labels.roles.items()},
        type_names={name: kind.ar for name, kind in labels.incident_types.items()},
    )


def card(report: dict[str, Any], labels: LabelSet) -> ModelCard:
    """A model card in Hugging Face's form, its figures also as metadata."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    results = [
        EvalResult(
            task_type="token-classification", task_name="event extraction", dataset_type="waqia", metric_type=name, metric_name=name,
            dataset_name=report["data"]["gold"]["name"], metric_value=round(report["figures"][name]["value"], 4),
        )
        for name in headline(labels)
        if report["figures"].get(name, {}).get("value") is not None
    ]  # fmt: skip
    data = ModelCardData(
        language="ar", license="apache-2.0", library_name="waqia", tags=["arabic", "news", "event-extraction"], model_name=report["model"],
        eval_results=results,
    )  # fmt: skip
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{card_text(report, labels)}\n")


def card_text(report: dict[str, Any], labels: LabelSet) -> str:
    """The words of the card."""
    lines = [
        f"# {report['model']}",
        "",
        f"Reads Arabic news into typed incidents ({report['label_set']}) with `waqia`. For research, and for reading at scale under human"
        " review; not for decisions about persons, and not as the only count of deaths or attacks.",
        "",
        f"Judged on `{report['data']['gold']['name']}` (sha256 {report['data']['gold']['sha256'][:12]}…): {report['records']} passages of"
        f" {report['documents']} documents; 95 % intervals from a bootstrap over documents.",
        "",
        "| figure | value | interval |",
        "|---|---|---|",
    ]
    for name in headline(labels):
        figure = report["figures"].get(name)
        if figure and figure["value"] is not None:
            interval = "–" if not figure["interval"] else f"[{figure['interval'][0]:.3f}, {figure['interval'][1]:.3f}]"
            lines.append(f"| {name} | {figure['value']:.3f} | {interval} |")
    moved = [
        f"{name.replace('_', ' ')} ({change['incidents F1']['effect']:+.3f})"
        for name, change in report["robustness"]["changes"].items()
        if change.get("incidents F1", {}).get("decided") and change["incidents F1"]["effect"] < 0
    ]
    lines += ["", "Incidents F1 falls under these changes of the text, as far as the data can tell: " + (", ".join(moved) or "none") + "."]
    speed, megabytes = report["speed"], report["artefact"]["bytes"] / 1e6
    lines += [
        "",
        f"{megabytes:.0f} MB; {speed['passages_a_second']:.1f} passages a second in the run that made this card"
        f" (median {speed['milliseconds_median']:.0f} ms for one alone).",
    ]
    return "\n".join(lines)
