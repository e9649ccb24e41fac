"""The subcommands of `waqia` that bring labels in and out (`convert`, `validate`, `labels`) and make events (`link`, `table`, `page`)."""

from __future__ import annotations

import argparse
import errno
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from waqia.bulk import events, files, index, link, outputs
from waqia.bulk.clues import Tables
from waqia.bulk.jsonl import is_stream
from waqia.bulk.likeness import Weights
from waqia.errors import ConfigError, RecordError
from waqia.formats import archive, brat, convert, doccano, label_studio, table
from waqia.formats.graph import Remark, counted
from waqia.formats.offsets import UNITS
from waqia.frame import packaged_labels
from waqia.labels import LabelSet
from waqia.model.calibration import AtLeast
from waqia.schema import Reading, Record
from waqia.terminal import flat, say

NAMES = ("convert", "validate", "labels", "link", "table", "page")
SHOWN = ("text", "json", "label-studio", "doccano", "brat")
_READINGS = {"incidents", "annotated", *Reading().to_dict()}  # what a row has of an earlier reading


def register(commands: Any) -> None:
    """Add the subcommands to those of the command (what `add_subparsers` returned)."""
    change = commands.add_parser("convert", help="labels from and to annotation tools; with --prelabel readings to correct in them")
    change.add_argument("source", metavar="IN", type=Path, help="a file or, of brat, a folder; with --prelabel whatever `batch` reads")
    change.add_argument("target", metavar="OUT", type=Path, help="a file or, for brat, a folder")
    change.add_argument("--from", dest="source_format", choices=convert.FORMATS, help="(default: as the file shows)")
    change.add_argument("--to", dest="target_format", choices=convert.WRITTEN, help="(default: as the ending of OUT says, else records)")
    change.add_argument("--prelabel", action="store_true", help="read the texts of IN and write the readings as pre-annotations")
    change.add_argument("--artefact", type=Path, help="artefact for --prelabel, as of `read` (default: the model in the package)")
    add_at_least(change)
    add_fields(change)
    check = commands.add_parser("validate", help="every fault of files of any supported format; exit 3 if there is one")
    check.add_argument("paths", nargs="+", metavar="FILE", type=Path)
    check.add_argument("--from", dest="source_format", choices=convert.FORMATS, help="(default: as the file shows)")
    for command in (change, check):
        command.add_argument("--offsets", choices=UNITS, help="how the tool counts, where nothing in the file proves it")
    show = commands.add_parser("labels", help="the label set with meanings, ACLED and PLOVER codes, or as an annotation tool takes it")
    show.add_argument("--format", choices=SHOWN, default="text", help="(default: %(default)s)")
    join = commands.add_parser("link", help="incidents of many texts to events; onto OUT where it exists")
    join.add_argument("source", metavar="IN", type=Path, help="JSONL that `batch` wrote")
    join.add_argument("target", metavar="OUT", type=Path, help="JSONL of events; its rows are kept and new ones are added")
    join.add_argument("--threshold", type=float, help="least score of a merge; 0 merges less and errs less (default: as fitted, -2)")
    lay = commands.add_parser("table", help="events as a table")
    lay.add_argument("source", metavar="IN", type=Path, help="JSONL that `link` wrote")
    lay.add_argument("--format", choices=table.FORMATS, help="(default: as the ending of --out says, else csv)")
    lay.add_argument("--out", type=Path, required=True, help="file to write")
    show_all = commands.add_parser("page", help="events as one offline page: map, timeline, counts, filter, texts with marked spans")
    show_all.add_argument("source", metavar="IN", type=Path, help="JSONL that `link` wrote")
    show_all.add_argument("target", metavar="OUT", type=Path, help="HTML file to write")
    show_all.add_argument("--title", default="", help="title of the page (default: an Arabic one)")
    for command in (change, check, show, join, lay, show_all):
        command.add_argument("--labels", type=Path, help="label set (default: the one in the package)")


def add_fields(command: argparse.ArgumentParser) -> None:
    """The options that say which fields of a row hold its id, text and date."""
    for name in ("id", "text", "date"):
        command.add_argument(f"--{name}-field", metavar="NAME", help=f"the field or column with the {name} (default: {name})")


def add_at_least(command: argparse.ArgumentParser) -> None:
    """The option that takes the place of the fitted thresholds."""
    said = "least probability of an incident, or of a type's incidents or a role's participants; may be repeated (default: as fitted)"
    command.add_argument("--at-least", action="append", default=[], metavar="[NAME=]P", help=said)


def at_least(args: argparse.Namespace) -> AtLeast:
    """What `--at-least` says: a number, or numbers by type and role; ConfigError where it is neither."""
    named: dict[str, float] = {}
    for said in args.at_least:
        name, _, number = said.rpartition("=")
        try:
            named[name] = float(number)
        except ValueError as error:
            raise ConfigError(f"--at-least {said}: {number!r} is no number; write 0.8, or shelling=0.3 for one type or role") from error
    if "" not in named:
        return named or None
    if len(named) > 1:
        raise ConfigError("--at-least: one number for all incidents and numbers by name; give either, or name every type")
    return named[""]


def run(args: argparse.Namespace) -> int:
    """Run one of NAMES; the exit code."""
    labels = LabelSet.load(args.labels) if args.labels else packaged_labels()
    if args.command == "labels":
        sys.stdout.write(shown(labels, args.format))
        return 0
    if args.command in ("link", "table", "page"):
        return _events(args, labels)
    return _convert(args, labels) if args.command == "convert" else _validate(args, labels)


def shown(labels: LabelSet, form: str) -> str:
    """The label set as text, as JSON, or as a tool takes it (Label Studio: the labelling interface, brat: annotation.conf)."""
    if form == "json":
        return json.dumps(labels.to_dict(), ensure_ascii=False, indent=1) + "\n"
    if form == "label-studio":
        return label_studio.template(labels)
    if form == "doccano":
        spans, relations = doccano.label_types(labels)
        return json.dumps({"spans": spans, "relations": relations}, ensure_ascii=False, indent=1) + "\n"
    if form == "brat":
        return brat.configuration(labels)["annotation.conf"]
    return "\n".join(_lines(labels)) + "\n"


def _events(args: argparse.Namespace, labels: LabelSet) -> int:
    target = args.out if args.command == "table" else args.target
    _not_itself(args.source, target)
    with outputs.whole(target) as part:
        if args.command == "link":
            try:
                say(_link(args, part, labels))
            except sqlite3.Error as error:  # of the index: a full disk most likely
                raise OSError(errno.EIO, str(error)) from error
        elif args.command == "table":
            table.write(part, events.read_events(args.source), args.format or table.named_format(target), labels)
        else:
            part.write_text(archive.page(events.read_events(args.source), labels, title=args.title), "utf-8")
    return 0


def _not_itself(source: Path, target: Path) -> None:
    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigError(f"{target}: is the input itself; give another output")


def _link(args: argparse.Namespace, part: Path, labels: LabelSet) -> str:
    target = args.target.resolve()
    known = index.Index.beside(target)
    old = events.read_events(args.target) if known is None and args.target.is_file() else ()
    weights = Weights() if args.threshold is None else replace(Weights(), threshold=args.threshold)
    linker = link.Linker(Tables.packaged(labels), weights, old, known)
    for row in events.read_by_day(args.source):
        linker.add(row)
    with part.open("wb") as out:
        totals = linker.write(out)
    if not is_stream(args.target):
        linker.index.save(part, target)
    texts = f"{linker.attached} texts without an incident joined them, {linker.skipped} rows were there already"
    return f"{totals.events} events, {totals.several} of several sources, {totals.alone} without day or place; {texts}"


def _lines(labels: LabelSet) -> Iterator[str]:
    yield f"{labels.name}, version {labels.version}"
    yield "\nIncident types"
    for name, kind in labels.incident_types.items():
        yield f"{name}  {kind.ar}\n    {kind.means}\n    ACLED: {'; '.join(kind.acled) or 'none'}\n    PLOVER: {kind.plover or 'none'}"
    for title, entries in (("Statuses", labels.statuses), ("Roles", labels.roles), ("Sectors", labels.sectors)):
        yield f"\n{title}"
        for name, entry in entries.items():
            yield f"{name}  {entry.ar}\n    {entry.means}"


def _convert(args: argparse.Namespace, labels: LabelSet) -> int:
    _not_itself(args.source, args.target)
    remarks: list[Remark] = []
    if args.prelabel:
        records, labels = _read_texts(args)
    else:
        form = args.source_format or convert.find_format(args.source)
        records, remarks = convert.read_file(args.source, form, labels, unit=args.offsets)
    form = args.target_format or convert.named_format(args.target)
    with nullcontext(args.target) if form == "brat" else outputs.whole(args.target) as place:  # brat takes a folder of files
        remarks += convert.write_file(place, form, records, labels, prelabel=args.prelabel)
    _report(records, remarks)
    return 0


def _read_texts(args: argparse.Namespace) -> tuple[list[Record], LabelSet]:
    """The texts of a file with the incidents read in them, and the label set of the model; RecordError at the first row without a text."""
    from waqia.reader import Reader

    reader = Reader.load(args.artefact, at_least=at_least(args))
    rows = list(files.rows(args.source, id_field=args.id_field, text_field=args.text_field, date_field=args.date_field))
    faults = [row.fault for row in rows if row.fault is not None]
    if faults:
        raise RecordError("\n".join(faults))
    records = []
    for row, reading in zip(rows, reader.read_many([row.fields["text"] for row in rows]), strict=True):
        if reading.error is not None:
            raise RecordError(f"{row.where}: cannot be read ({reading.error})")
        extra = {key: value for key, value in row.fields.items() if key not in _READINGS | {"id", "text"}}
        records.append(Record(row.fields["id"], row.fields["text"], reading.incidents, None, extra))
    return records, reader.labels


def _validate(args: argparse.Namespace, labels: LabelSet) -> int:
    code = 0
    for path in args.paths:
        try:
            form = args.source_format or convert.find_format(path)
            records, remarks = convert.read_file(path, form, labels, unit=args.offsets)
        except RecordError as error:
            print(*map(flat, str(error).split("\n")), sep="\n")
            print(flat(f"{path}: {len(str(error).splitlines())} faults"))
            code = 3
            continue
        incidents = [incident for record in records for incident in record.incidents]
        participants = sum(len(incident.participants) for incident in incidents)
        print(flat(f"{path}: {form}, {len(records)} good records, {len(incidents)} incidents, {participants} participants; 0 faults"))
        print("".join(f"  {flat(line)}\n" for line in counted(remarks)), end="")
    return code


def _report(records: list[Record], remarks: list[Remark]) -> None:
    for line in counted(remarks):
        say(line)
    say(f"{len(records)} records, {sum(len(record.incidents) for record in records)} incidents")
