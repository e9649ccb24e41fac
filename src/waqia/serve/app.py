"""The service as an ASGI application: its routes, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib.resources import files
from types import FrameType
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

import waqia
from waqia.reader import Reader
from waqia.records import dump_row
from waqia.schema import Reading
from waqia.serve import openapi
from waqia.serve.answers import Answers
from waqia.serve.bodies import body, decode, items, media_type
from waqia.serve.guard import Guard, RefusedError, refusal
from waqia.serve.metrics import CONTENT_TYPE, Metrics, exposition
from waqia.serve.queue import Batch, ReadingQueue
from waqia.serve.settings import Settings
from waqia.serve.stream import StreamRead

PAGE = {  # path: (file beside this one, media type)
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Service:
    """What the routes share: one reader, one queue, the counts. Made by `create_app`, opened by its lifespan."""

    answers: Answers

    def __init__(self, settings: Settings, reader: Reader | None) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.stream = StreamRead(settings, lambda: self.answers)
        self._reader = reader

    @property
    def reader(self) -> Reader:
        """The reader; opened when it is first asked for."""
        if self._reader is None:
            self._reader = Reader.load(self.settings.artefact, backend=self.settings.backend, threads=self.settings.threads)
        return self._reader

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Open the reader, read until the server is asked to stop, then finish what was taken."""
        reader = self.reader
        queue = ReadingQueue(reader, limit=self.settings.queue_tokens, watch=self._watch)
        self.answers = Answers(queue, self.settings, self.metrics, labels=reader.labels, model=reader.model)
        with _told_of_signals(self.refuse):
            yield
        self.refuse()
        await queue.stop()

    def refuse(self) -> None:
        """Take nothing new; called when the server is asked to stop, while open requests are still being answered."""
        self.answers.queue.refuse()
        self.stream.refuse()

    def _watch(self, held: int, batch: Batch | None) -> None:
        self.metrics.queue.set(held)
        if batch is not None:
            self.metrics.tokens.inc(batch.tokens)
            self.metrics.batch_texts.observe(batch.texts)
            self.metrics.batch_seconds.observe(batch.seconds)

    async def read(self, request: Request) -> Response:
        """POST /v1/read."""
        media_type(request, "application/json")
        self.answers.check_open()
        try:
            fields = decode(await body(request, self.settings))
        except ValueError as error:
            raise RefusedError(422, str(error)) from None
        asked, many = items(fields, self.settings, self.reader.labels)
        readings = await _unless_gone(request, self.answers.read(asked))
        told = request.state.seen.fields
        rows = [self.answers.row(item, reading, told) for item, reading in zip(asked, readings, strict=True)]
        answer = {"readings": rows, "errors": told.get("errors", 0)} if many else rows[0]
        return Response(dump_row(answer), media_type="application/json")

    async def healthz(self, request: Request) -> Response:
        """GET /healthz: whether this process can read at all; if not, it should be started anew."""
        alive = self.answers.queue.alive
        return JSONResponse({"status": "ok" if alive else "dead"}, 200 if alive else 503)

    async def readyz(self, request: Request) -> Response:
        """GET /readyz: whether new requests should be sent here."""
        self.answers.check_open()
        return JSONResponse({"status": "ready", "model": self.reader.model, "version": waqia.__version__})

    async def metrics_text(self, request: Request) -> Response:
        """GET /metrics."""
        return Response(await asyncio.to_thread(exposition, self.metrics), headers={"content-type": CONTENT_TYPE})

    async def labels(self, request: Request) -> Response:
        """GET /v1/labels: the label set that the readings use, and whether reading asks for a token."""
        return JSONResponse({**self.reader.labels.to_dict(), "token": self.settings.token is not None})

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        return JSONResponse(openapi.document(self.settings, self.reader.labels))


def create_app(settings: Settings, *, reader: Reader | None = None) -> ASGIApp:
    """The application; `reader` is one already open, None opens the artefact of `settings` at start."""
    service = Service(settings, reader)
    routes = [
        Route("/v1/read", service.read, methods=["POST"]),
        Route("/v1/read/stream", service.stream, methods=["POST"]),
        Route("/v1/labels", service.labels, methods=["GET"]),
        Route("/healthz", service.healthz, methods=["GET"]),
        Route("/readyz", service.readyz, methods=["GET"]),
        Route("/metrics", service.metrics_text, methods=["GET"]),
        Route("/openapi.json", service.openapi, methods=["GET"]),
        *(Route(path, partial(_page, name=name, kind=kind), methods=["GET"]) for path, (name, kind) in PAGE.items()),
    ]
    allowed = Middleware(
        CORSMiddleware,
        allow_origins=list(settings.origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-request-id"],
        expose_headers=["x-request-id", "retry-after"],
    )
    handlers = {RefusedError: _refused, HTTPException: _http_error, ClientDisconnect: _gone, Exception: _failed}
    app = Starlette(
        routes=routes,
        lifespan=service.lifespan,
        middleware=[allowed] if settings.origins else [],
        exception_handlers=handlers,  # type: ignore[arg-type]  # each takes its own class
    )
    return Guard(app, settings=settings, metrics=service.metrics, paths=frozenset(route.path for route in routes))


async def _page(request: Request, *, name: str, kind: str) -> Response:
    colours = (files("waqia.formats") / "palette.css").read_bytes() if name == "page.css" else b""
    return Response(colours + (files("waqia.serve") / name).read_bytes(), media_type=kind)


async def _unless_gone(request: Request, reading: Coroutine[Any, Any, list[Reading]]) -> list[Reading]:
    """What `reading` returns; ClientDisconnect, and its texts are not read, where the client goes away before."""
    answer = asyncio.ensure_future(reading)
    gone = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect()
        return answer.result()
    finally:
        answer.cancel()
        gone.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(request: Request, error: RefusedError) -> Response:
    return refusal(error.status, error.message, request.state.seen.request, retry_after=error.retry_after)


async def _http_error(request: Request, error: HTTPException) -> Response:
    message = {404: "no such path; /openapi.json lists all", 405: "this path takes another method; see /openapi.json"}
    answer = refusal(error.status_code, message.get(error.status_code, error.detail), request.state.seen.request)
    answer.headers.update(error.headers or {})
    return answer


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return refusal(499, "the connection broke off", request.state.seen.request)  # nobody reads it; the log shows the status


async def _failed(request: Request, error: Exception) -> Response:
    return refusal(500, "the service failed; its log has the id of this request", request.state.seen.request)


@contextmanager
def _told_of_signals(refuse: Callable[[], None]) -> Iterator[None]:
    """Call `refuse` when a signal asks the server to stop, before the server's own handler, which waits for open requests."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    theirs = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(refuse)
        if callable(handler := theirs[signal.Signals(number)]):
            handler(number, frame)

    for number in theirs:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in theirs.items():
            signal.signal(number, handler)
