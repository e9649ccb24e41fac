"""A service on a free port of 127.0.0.1, in a thread of the test or as the command itself; all of them stop by themselves."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from waqia import Reader

pytest.importorskip("starlette", reason="the extra serve is not installed")
import uvicorn

from waqia.serve.app import create_app
from waqia.serve.settings import Settings


class Client:
    """Asks one service, a fresh connection a request; every answer within 30 s."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"content-type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, raw, given)
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def post(self, body: Any, path: str = "/v1/read", **headers: str) -> tuple[int, Any]:
        """Status and decoded answer."""
        status, _, raw = self.ask("POST", path, body, **headers)
        return status, json.loads(raw)


@contextlib.contextmanager
def serving(reader: Any, **options: Any) -> Iterator[Client]:
    """A service in a thread, with settings that differ from the defaults by `options`."""
    settings = Settings(**options)
    app = create_app(settings, reader=reader)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=20)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        try:
            yield Client(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@contextlib.contextmanager
def command(*options: str, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """`waqia serve` as a process of its own, ended at the latest with the block."""
    call = [sys.executable, "-m", "waqia", "serve", "--port", "0", "--threads", "1", *options]
    process = subprocess.Popen(call, stderr=subprocess.PIPE, env={**os.environ, **variables})
    try:
        assert process.stderr is not None
        found = re.match(rb"http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
        assert found
        client = Client(int(found[1]))
        _wait(client)
        yield process, client
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()


def _wait(client: Client) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if client.ask("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the service did not get ready within 40 s")


@pytest.fixture(scope="session")
def client(reader: Reader) -> Iterator[Client]:
    """A service with the default settings."""
    with serving(reader) as client:
        yield client
