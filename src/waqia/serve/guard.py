"""Around every request: an id, the token where one is asked for, a bound on open requests, headers, one log line, counts."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
import uuid
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waqia.serve.logs import fault
from waqia.serve.metrics import Metrics
from waqia.serve.settings import Settings

log = logging.getLogger("waqia.serve")

OPEN_TO_ALL = ("/healthz", "/readyz")  # must answer however busy the service is
PROTECTED = ("/v1/read", "/v1/read/stream", "/metrics")  # what a token protects: reading and counting
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RefusedError(Exception):
    """An answer that is no reading: status, what was found and what to do; `retry_after` in seconds where trying again helps."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after


def refusal(status: int, message: str, request_id: str, *, retry_after: int | None = None) -> JSONResponse:
    """The body of every error; `Retry-After` where trying again helps, `WWW-Authenticate` where a token is missing."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": message, "status": status, "request": request_id}, status, headers)


@dataclass(slots=True)
class Seen:
    """What the log line of a request tells; `fields` is filled by the endpoints (texts, errors, tokens)."""

    request: str
    method: str
    path: str
    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    fields: dict[str, int] = field(default_factory=dict)


class Guard:
    """The outermost layer (ASGI): whatever happens inside, a request gets an answer and leaves one line in the log."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics, paths: frozenset[str]) -> None:
        """`paths` are the service's own; any other is logged and counted as "other", since it may hold anything."""
        self._app, self._settings, self._metrics, self._paths = app, settings, metrics, paths
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        path = scope["path"] if scope["path"] in self._paths else "other"
        seen = Seen(given if _ID.fullmatch(given) else uuid.uuid4().hex, scope["method"], path)
        scope["state"] = {**scope.get("state", {}), "seen": seen}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = seen.request
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            async with asyncio.timeout(self._settings.timeout):  # a client that does not take its answer
                await send(message)

        self._open += 1
        self._metrics.open.set(self._open)
        try:
            await self._through(scope, receive, answer, seen)
        finally:
            self._open -= 1
            self._metrics.open.set(self._open)
            self._tell(seen)

    async def _through(self, scope: Scope, receive: Receive, answer: Send, seen: Seen) -> None:
        refused = self._refused(scope, seen)
        try:
            await (self._app if refused is None else refused)(scope, receive, answer)
        except Exception as error:
            log.error("fault", extra={"fields": {"request": seen.request, **fault(error)}})
            if seen.status == 500:
                return  # answered already
            if seen.status:
                raise RuntimeError("the answer broke off") from None  # the connection is closed, so that the client sees it
            await refusal(500, "the service failed; its log has the request's id", seen.request)(scope, receive, answer)

    def _refused(self, scope: Scope, seen: Seen) -> JSONResponse | None:
        if seen.path in PROTECTED and not self._known(Headers(scope=scope).get("authorization", "")):
            return refusal(401, "expected the header Authorization: Bearer TOKEN with the service's token", seen.request)
        if self._open > self._settings.requests and seen.path not in OPEN_TO_ALL:
            return refusal(429, f"{self._settings.requests} requests are open already; try again", seen.request, retry_after=1)
        return None

    def _known(self, header: str) -> bool:
        token = self._settings.token
        return token is None or hmac.compare_digest(header.encode("latin-1", "replace"), f"Bearer {token}".encode())

    def _tell(self, seen: Seen) -> None:
        seconds = time.perf_counter() - seen.began
        self._metrics.requests.labels(seen.path, str(seen.status)).inc()
        self._metrics.seconds.labels(seen.path).observe(seconds)
        told = {"request": seen.request, "method": seen.method, "path": seen.path, "status": seen.status, "ms": round(1000 * seconds, 1)}
        log.info("request", extra={"fields": told | seen.fields})
