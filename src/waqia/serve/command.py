"""`waqia serve`: its options, and one process or several that answer on one port until they are told to stop."""

from __future__ import annotations

import argparse
import atexit
import logging.config
import os
import shutil
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path

from waqia.errors import ConfigError
from waqia.model import artefact
from waqia.model.backends import BACKENDS
from waqia.reader import Reader
from waqia.serve.settings import Settings

GRACE = 5  # seconds past `timeout` until open requests are broken off when stopping


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `waqia serve`; their defaults are those of `Settings`."""
    default = Settings()
    shown = "(default: %(default)s)"
    parser.add_argument("--host", default=default.host, help=f"address to listen on {shown}: this machine only")
    parser.add_argument("--port", type=int, default=default.port, help=f"0 takes any free one {shown}")
    parser.add_argument("--workers", type=int, default=default.workers, help=f"processes, each with a model of its own {shown}")
    parser.add_argument("--artefact", type=Path, help="a folder, or org/name[@revision] of the hub (default: the one in the package)")
    parser.add_argument("--backend", choices=BACKENDS, default=default.backend, help=f"what runs the model {shown}")
    parser.add_argument("--threads", type=int, help="threads that run the model in each worker (default: the cores shared out)")
    parser.add_argument("--token-file", type=Path, help="file with the bearer token to ask for (or WAQIA_TOKEN; default: none)")
    parser.add_argument("--allow-origin", action="append", default=[], metavar="ORIGIN", help="site whose pages may ask (default: none)")
    for name, unit in (
        ("body-bytes", "bytes of one body"),
        ("text-characters", "characters of one text"),
        ("texts", "texts of one request"),
        ("requests", "requests open at once"),
        ("queue-tokens", "tokens waiting or being read"),
    ):
        parser.add_argument(f"--max-{name}", type=int, default=getattr(default, name.replace("-", "_")), help=f"most {unit} {shown}")
    parser.add_argument("--timeout", type=float, default=default.timeout, help=f"seconds until a request is given up {shown}")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; open requests are answered first. ConfigError where the extra is missing or the port is taken."""
    settings = _settings(args)
    try:
        import uvicorn
        from uvicorn.supervisors import Multiprocess

        from waqia.serve.logs import CONFIG

        if settings.workers > 1:  # before the client library is loaded, which looks for the folder
            shared = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="waqia-metrics-")
            atexit.register(shutil.rmtree, shared, ignore_errors=True)
        from waqia.serve.app import create_app
    except ImportError as error:
        raise ConfigError(f"waqia serve cannot be used ({error}); pip install 'waqia[serve]'") from error
    listening = _listen(settings)
    logging.config.dictConfig(CONFIG)
    options = {"log_config": CONFIG, "access_log": False, "server_header": False, "date_header": False, "lifespan": "on"}
    grace = int(settings.timeout) + GRACE
    print(f"http://{settings.host}:{listening.getsockname()[1]}/", file=sys.stderr, flush=True)
    if settings.workers == 1:
        reader = Reader.load(settings.artefact, backend=settings.backend, threads=settings.threads)
        app = create_app(settings, reader=reader)
        config = uvicorn.Config(app, timeout_graceful_shutdown=grace, **options)  # type: ignore[arg-type]
        uvicorn.Server(config).run([listening])
        return 0
    artefact.load(artefact.DEFAULT if settings.artefact is None else settings.artefact)  # faults are said once, here
    factory = partial(create_app, settings)
    config = uvicorn.Config(factory, factory=True, workers=settings.workers, timeout_graceful_shutdown=grace, **options)  # type: ignore[arg-type]
    Multiprocess(config, sockets=[listening]).run()
    return 0


def _settings(args: argparse.Namespace) -> Settings:
    token = os.environ.get("WAQIA_TOKEN") or None
    if args.token_file is not None:
        token = args.token_file.read_text("utf-8").strip()
    return Settings(
        host=args.host,
        port=args.port,
        workers=args.workers,
        artefact=args.artefact,
        backend=args.backend,
        threads=args.threads or max(1, (os.cpu_count() or 1) // max(1, args.workers)),
        token=token,
        origins=tuple(args.allow_origin),
        body_bytes=args.max_body_bytes,
        text_characters=args.max_text_characters,
        texts=args.max_texts,
        requests=args.max_requests,
        queue_tokens=args.max_queue_tokens,
        timeout=args.timeout,
    )


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}; give another --port") from error
    listening.set_inheritable(True)
    return listening
