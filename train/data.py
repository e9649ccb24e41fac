"""Records on disk:

python -m train.data validate FILE… [--labels LABELS]   every fault as file:line: what, found, expected; exit 3 if there is one
python -m train.data convert DIR OUT [--labels LABELS]  hand labels that quote their spans to records, split 70/10/20
python -m train.data split FILE… OUT [--labels LABELS]  records to train, dev and test, 70/10/20 by the hash of the document, none shared
python -m train.data import-gsr DIR OUT                 the public gold standard for ASSAULT and PROTEST , split by document
python -m train.data standoff FILE OUT                  records to stand-off labels, which hold no text (train.standoff)
python -m train.data rebuild STANDOFF… --sources SOURCE… --out DIR   records again, from your copies of the sources; 3 if one is missing
python -m train.data card FILE…                         counts by type, status, role and sector as Markdown, for a data card
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.analysis.gsr_import import import_gsr
from eval.score.command import run as run_script
from train.standoff import rebuild_files, write_standoff
from waqia.arguments import Parser
from waqia.errors import RecordError
from waqia.labels import LabelSet
from waqia.records import each_row, id_key, parse_record, prove, read_records, read_rows, write_records
from waqia.schema import Record

SPLITS = (("train", 0.7), ("dev", 0.8), ("test", 1.0))  # upper ends


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the seven commands."""
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("validate", "card", "convert", "split", "import-gsr", "standoff", "rebuild"):
        command = commands.add_parser(name)
        if name in ("validate", "card"):
            command.add_argument("files", type=Path, nargs="+", metavar="FILE")
        elif name == "rebuild":
            command.add_argument("files", type=Path, nargs="+", metavar="STANDOFF")
            command.add_argument("--sources", type=Path, nargs="+", required=True, metavar="SOURCE", help="your copies of the texts")
            command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the records, a file for each STANDOFF")
        elif name == "standoff":
            command.add_argument("file", type=Path, metavar="FILE")
            command.add_argument("out", type=Path, metavar="OUT")
        elif name == "split":
            command.add_argument("files", type=Path, nargs="+", metavar="FILE")
            command.add_argument("out", type=Path, metavar="OUT")
        else:
            command.add_argument("folder", type=Path, metavar="DIR")
            command.add_argument("out", type=Path, metavar="OUT")
        labels = "configs/labels/plover-gsr.yaml" if name == "import-gsr" else "configs/labels/incidents.yaml"
        command.add_argument("--labels", type=Path, default=Path(labels), help="label set (default: %(default)s)")
    args = parser.parse_args(argv)
    labels_ = LabelSet.load(args.labels)
    if args.command == "validate":
        return validate(args.files, labels_)
    if args.command == "convert":
        write_splits(args.out, convert(args.folder, labels_))
    elif args.command == "split":
        write_splits(args.out, split([record for path in args.files for record in read_records(path, labels_)]))
    elif args.command == "standoff":
        write_standoff(args.out, read_records(args.file, labels_))
    elif args.command == "rebuild":
        counts = rebuild_files(args.files, args.sources, args.out, labels_)
        print(", ".join(f"{count} {what}" for what, count in counts.items()))
        return 3 if counts["not found"] else 0
    elif args.command == "import-gsr":
        splits, report = import_gsr(args.folder, labels_)
        write_splits(args.out, splits)
        print("\n".join(report))
    else:
        print("\n".join(card([record for path in args.files for record in read_records(path, labels_)], labels_)))
    return 0


def validate(paths: Iterable[Path], labels: LabelSet) -> int:
    """Print every fault of every file and a summary; 3 if there is a fault, else 0."""
    faults: list[str] = []
    records: list[Record] = []
    for path in paths:
        for found in prove(each_row(path), labels):
            if isinstance(found, RecordError):
                faults += str(found).splitlines()
            else:
                records.append(found)
    incidents = [incident for record in records for incident in record.incidents]
    participants = sum(len(incident.participants) for incident in incidents)
    summary = f"{len(records)} good records, {len(incidents)} incidents, {participants} participants; {len(faults)} faults"
    print("\n".join([*faults, summary]))
    return 3 if faults else 0


def convert(folder: Path, labels: LabelSet) -> dict[str, list[Record]]:
    """Records of the hand-labelled files of a folder; each file is spread over the three splits by the hash of the ids."""
    splits: dict[str, list[Record]] = {name: [] for name, _ in SPLITS}
    for path in sorted(folder.glob("*.jsonl")):
        records = [_from_strings(row, labels, f"{path}:{number}", path.stem) for number, row in read_rows(path)]
        records.sort(key=lambda record: hashlib.sha256(str(record.id).encode()).digest())
        for place, record in enumerate(records):
            splits[next(name for name, end in SPLITS if place < round(end * len(records)))].append(record)
    return {name: sorted(records, key=lambda record: str(record.id)) for name, records in splits.items()}


def split(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records spread over the splits by the hash of their document (`document`, else the id).

    More records move none that shares no text with them.
    Documents that share a text, but for white space, go together: no text and no document is in two splits. RecordError where an id
    stands twice.
    """
    ids = Counter(id_key(record.id) for record in records)
    twice = [name for name, count in ids.items() if count > 1]
    if twice:
        first = json.loads(twice[0])
        raise RecordError(f"id {first!r} stands in several records ({len(twice)} such ids); ids must be unique in all files together")
    documents = [str(record.extra.get("document", record.id)) for record in records]
    group = {name: name for name in documents}

    def leader(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    told: dict[str, str] = {}
    for record, document in zip(records, documents, strict=True):
        both = sorted((leader(document), leader(told.setdefault(" ".join(record.text.split()), document))))
        group[both[1]] = both[0]
    splits: dict[str, list[Record]] = {name: [] for name, _ in SPLITS}
    for record, document in zip(records, documents, strict=True):
        place = int.from_bytes(hashlib.sha256(leader(document).encode()).digest()[:8]) / 2**64
        splits[next(name for name, end in SPLITS if place < end)].append(record)
    return splits


def write_splits(folder: Path, splits: dict[str, list[Record]]) -> None:
    """One JSONL file a split; a split without records has none, not that of a run before either, and that is told on stderr."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in splits.items():
        path = folder / f"{name}.jsonl"
        if records:
            write_records(path, records)
        else:
            path.unlink(missing_ok=True)
            print(f"{path}: not written, no document's hash falls there; label more, or move some lines there", file=sys.stderr)
        print(f"{name}: {len(records)} records, {sum(len(record.incidents) for record in records)} incidents")


def card(records: Sequence[Record], labels: LabelSet) -> Iterator[str]:
    """Markdown tables of what records hold, in the order of the label set."""
    incidents = [incident for record in records for incident in record.incidents]
    participants = [p for incident in incidents for p in incident.participants]
    yield f"{len(records)} records, {sum(not r.incidents for r in records)} of them without incidents; {len(incidents)} incidents, "
    yield f"{len(participants)} participants."
    for name, known, counts in (
        ("type", labels.incident_types, Counter(incident.type for incident in incidents)),
        ("status", labels.statuses, Counter(incident.status for incident in incidents)),
        ("role", labels.roles, Counter(p.role for p in participants)),
        ("sector", labels.sectors, Counter(p.sector for p in participants)),
    ):
        yield from ("", f"| {name} | count |", "|---|---|", *(f"| {label} | {counts[label]} |" for label in known))


def _from_strings(row: Any, labels: LabelSet, where: str, source: str) -> Record:
    """A record from labels that quote their spans; RecordError where a quotation does not stand in the text."""
    text = row["text"]
    incidents = [
        {
            "type": item["type"],
            "status": item["status"],
            "trigger": _locate(text, item["trigger"], where),
            "participants": [{"role": role, "sector": sector, **_locate(text, said, where)} for role, sector, said in item["args"]],
        }
        for item in row["incidents"]
    ]
    made = {"id": row["id"], "date": row["dateline"], "source": f"authored/{source}", "text": text, "incidents": incidents}
    return parse_record(made, labels, where)


def _locate(text: str, said: str, where: str) -> dict[str, Any]:
    """Offsets of "string" or of its n-th occurrence, "string#n"."""
    match = re.fullmatch(r"(.*)#(\d+)", said, re.DOTALL)
    wanted, nth = (match[1], int(match[2])) if match else (said, 1)
    starts = [found.start() for found in re.finditer(f"(?={re.escape(wanted)})", text)]
    if not wanted or len(starts) < nth:
        raise RecordError(f"{where}: {said!r} stands {len(starts)} times in the text; copy spans letter for letter")
    start = starts[nth - 1]
    return {"start": start, "end": start + len(wanted), "text": wanted}


if __name__ == "__main__":
    run_script(main)
