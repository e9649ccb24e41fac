"""The command `waqia`: read articles, or whole files of them. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import waqia
from waqia import commands as labelling
from waqia.arguments import Parser
from waqia.bulk import files, outputs, screen
from waqia.bulk import jsonl as batch
from waqia.document.counts import POLICIES
from waqia.document.facts import parse_date
from waqia.document.options import KINDS, Facts
from waqia.errors import ConfigError, RecordError, WaqiaError
from waqia.formats import html, plain
from waqia.labels import LabelSet
from waqia.model.backends import BACKENDS
from waqia.reader import Reader
from waqia.records import dump_row
from waqia.schema import Reading
from waqia.serve import command as serve
from waqia.terminal import flat, say


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0 ok, 1 failure, 2 usage or configuration, 3 bad data, 4 artefact missing or damaged."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command == "batch" and args.ray is not None and args.workers > 1:
        parser.error("--ray has its own number of workers: give one of --ray and --workers")
    if args.command == "read" and args.format == "html" and len(args.paths) > 1:
        parser.error("--format html makes one page: give one PATH")
    _open_standard_files()
    logging.basicConfig(level=logging.INFO, handlers=[_Log()])
    try:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        if args.command in labelling.NAMES:
            return labelling.run(args)
        if args.command == "serve":
            return serve.run(args)
        workers = args.command == "batch" and (args.ray is not None or args.workers > 1)  # processes that have a core each
        threads = 1 if workers and args.threads is None else args.threads
        at_least, facts = labelling.at_least(args), _facts(args)
        spare = screen.load(lost=args.screen) if args.command == "batch" and args.screen is not None else None
        reader = Reader.load(args.artefact, backend=args.backend, threads=threads, at_least=at_least, facts=facts, screen=spare)
        return _batch(args, reader) if args.command == "batch" else _read(args, reader)
    except WaqiaError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has gone: end quietly
        return 1
    except OSError as error:
        say(f"{error.filename or 'standard output'}: {error.strerror or error}")
        return 2 if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)) else 1
    except KeyboardInterrupt:
        return 130


def _open_standard_files() -> None:
    """Give a closed standard input, output or error to /dev/null: the next file opened would take its number, and its messages."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


class _Log(logging.Handler):
    """Messages on standard error, where there is one, without what could steer a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        say(record.getMessage())


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="waqia", description=waqia.__doc__)
    parser.add_argument("--version", action="version", version=f"waqia {waqia.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    read = commands.add_parser("read", help="read texts and show their incidents")
    read.add_argument("paths", nargs="+", metavar="PATH", help="a UTF-8 text, - for standard input, or whatever `batch` reads")
    labelling.add_fields(read)
    read.add_argument("--format", choices=("text", "json", "html"), default="text", help="(default: %(default)s)")
    read.add_argument("--date", metavar="YYYY-MM-DD", help="the day of the texts, from which «أمس» counts (default: unknown)")
    many = commands.add_parser("batch", help="read every row of a file; killed runs go on where they stopped")
    many.add_argument("source", metavar="IN", help="JSONL, a JSON array, CSV, Parquet, a folder of texts; - for JSONL on standard input")
    labelling.add_fields(many)
    many.add_argument("target", metavar="OUT", help=f"what its name says: {outputs.WRITTEN}; - for JSONL on standard output")
    many.add_argument("--workers", type=int, default=1, metavar="N", help="processes of this machine that read (default: %(default)s)")
    screened = "do not run the model on what hardly reports anything; SHARE of the incidents may be lost (default: %(const)s)"
    many.add_argument("--screen", type=float, nargs="?", const=screen.LOST, metavar="SHARE", help=screened)
    many.add_argument("--ray", type=int, metavar="WORKERS", help="with Ray Data: IN may be Parquet or a folder, OUT is a folder")
    labelling.register(commands)
    serve.add_arguments(commands.add_parser("serve", help="answer over HTTP, with a page to try texts on"))
    for command in (read, many):
        command.add_argument("--artefact", type=Path, help="a folder, or org/name[@revision] of the hub (default: the one in the package)")
        command.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0], help="what runs the model (default: %(default)s)")
        command.add_argument("--threads", type=int, help="threads that run the model (default: the backend's choice)")
        labelling.add_at_least(command)
        _add_facts(command)
    return parser


def _add_facts(command: argparse.ArgumentParser) -> None:
    where = "where places lie: packaged, geonames or a file (default: %(default)s)"
    command.add_argument("--gazetteer", default=Facts().gazetteer, metavar="TABLE", help=where)
    command.add_argument("--aliases", type=Path, metavar="TABLE", help="names of actors of yours, over those in the package")
    command.add_argument("--policy", choices=POLICIES, default=POLICIES[0], help="what «عشرات» counts as (default: %(default)s)")
    guess = "an incident whose date the text does not tell gets the day of the text, marked as a guess"
    command.add_argument("--text-day", action="store_true", help=guess)
    command.add_argument("--facts", default=",".join(KINDS), metavar="KINDS", help="facts to add, or none (default: %(default)s)")


def _facts(args: argparse.Namespace) -> Facts:
    asked = [] if args.facts == "none" else args.facts.split(",")
    if unknown := [kind for kind in asked if kind not in KINDS]:
        raise ConfigError(f"--facts holds {unknown[0]!r}, expected some of {', '.join(KINDS)}, with commas between them, or none")
    return Facts(args.gazetteer, args.aliases, args.policy, text_day=args.text_day, **{kind: kind in asked for kind in KINDS})


def _read(args: argparse.Namespace, reader: Reader) -> int:
    if sys.stdout is None:
        raise ConfigError("standard output is closed; send it to a file")
    code = 0
    date = parse_date(args.date)
    for path in args.paths:
        try:
            for row in _texts(path, args):
                code = max(code, _read_one(path, row, date, args.format, reader))
        except (RecordError, OSError) as error:
            say(str(error) if isinstance(error, RecordError) else f"{path}: {error.strerror}")
            code = 3
    sys.stdout.flush()
    return code


def _texts(path: str, args: argparse.Namespace) -> Iterator[files.Row]:
    """The one text of a file, or those of a file of many."""
    if path == "-" or not files.holds_rows(path):
        yield files.Row(path, {"text": _text(path)})
        return
    rows = files.rows(path, id_field=args.id_field, text_field=args.text_field, date_field=args.date_field)
    if args.format == "html":
        first, more = next(rows, None), next(rows, None)
        if first is None or more is not None:
            raise ConfigError(f"{path}: --format html makes one page; found {'no text' if first is None else 'more than one text'}")
        rows = iter([first])
    yield from rows


def _read_one(path: str, row: files.Row, date: datetime.date | None, form: str, reader: Reader) -> int:
    if row.fault is not None:
        say(row.fault)
        return 3
    text, own = row.fields["text"], row.fields.get("date")
    reading = reader.read(text, date=date if own is None else own)
    named = {"id": row.fields["id"]} if "id" in row.fields else {}
    title = ("" if path == "-" else path) + "".join(f" {name}" for name in named.values())
    if reading.error is not None:
        say(f"{title}: {reading.error}")
    sys.stdout.write(_shown(form, title, {"path": path, **named}, text, reading, reader.labels))
    return int(reading.error is not None)


def _text(path: str) -> str:
    if path == "-" and sys.stdin is None:
        raise RecordError("-: standard input is closed; give a file, or send the text to it")
    raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        other = files.found(raw)
        advice = f"it is {other}; read are a UTF-8 text, {files.READ}" if other else "save the file as UTF-8"
        raise RecordError(f"{path}: byte {error.start} is no UTF-8; {advice}") from error


def _shown(form: str, title: str, named: dict[str, Any], text: str, reading: Reading, labels: LabelSet) -> str:
    if form == "json":
        return batch.escape_controls(dump_row({**named, **reading.to_dict()})) + "\n"
    if form == "html":
        page = html.page(text, reading, labels, title=Path(title).name)
        return "\n".join(map(flat, page.split("\n"))) if sys.stdout.isatty() else page
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return plain.lines(title or "-", text, reading, labels, colour=colour)


def _batch(args: argparse.Namespace, reader: Reader) -> int:
    if args.ray is None:
        terminal = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
        named = {name: getattr(args, name) for name in ("id_field", "text_field", "date_field")}
        with files.as_jsonl(args.source, args.target, **named) as source, outputs.as_named(args.target, reader.labels) as target:
            outcome = batch.run(source, target, reader, workers=args.workers, terminal=terminal)
    else:
        outcome = _ray_run()(args.source, args.target, reader, workers=args.ray)
    say(json.dumps({"rows": outcome.before + outcome.written, "written": outcome.written, "errors": outcome.errors}))
    return 3 if outcome.errors else 0


def _ray_run() -> Callable[..., batch.Outcome]:
    try:
        from waqia.bulk.ray import run
    except ImportError as error:
        raise ConfigError(f"--ray cannot be used ({error}); pip install 'waqia[ray]'") from error
    return run
