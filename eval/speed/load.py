"""python -m eval.speed.load [--seconds S] [--out FILE.json]: the service under load on 127.0.0.1, beside calling the reader directly.

1, 8 and 64 clients send hand-written passages for S seconds each: p50 and p99 (ms) and texts a second. Then broken and oversize bodies,
and one of two workers killed under load. Every request must end: with an answer, or with a broken connection that is counted and sent
again. Ends with 1 where a request got neither.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from waqia import Reader
from waqia.arguments import Parser

CLIENTS = (1, 8, 64)
OVERSIZE = b'{"text": "' + b"x" * 5_000_000 + b'"}'


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the figures as JSON; 1 where a request was lost."""
    parser = Parser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of load for each number of clients (default: %(default)s)")
    parser.add_argument("--texts", type=Path, default=Path("data/dev.jsonl"), help="JSONL with text (default: %(default)s)")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    bodies = [json.loads(line)["text"] for line in args.texts.read_text("utf-8").splitlines()]
    found: dict[str, Any] = {"reader": direct(bodies, args.seconds)}
    with service(1) as (_, port):
        found["service"] = {clients: load(port, bodies, clients, args.seconds) for clients in CLIENTS}
        for run in found["service"].values():
            run["share_of_reader"] = round(run.get("texts_a_second", 0) / found["reader"]["texts_a_second"], 3)
        found["refused"] = {name: ask(port, body) for name, body in (("broken", b"{"), ("oversize", OVERSIZE))}
    with service(2) as (process, port):
        found["killed"] = load(port, bodies, 8, args.seconds, kill=process)
    text = json.dumps(found, indent=2)
    print(text)
    if args.out is not None:
        args.out.write_text(text + "\n", "utf-8")
    runs = [*found["service"].values(), found["killed"]]
    return int(found["refused"] != {"broken": 422, "oversize": 413} or any(run["lost"] for run in runs))


def direct(texts: Sequence[str], seconds: float) -> dict[str, Any]:
    """Reading text after text with one thread, without a service."""
    reader = Reader.load(threads=1)
    reader.read(texts[0])
    times: list[float] = []
    start = time.perf_counter()
    while (began := time.perf_counter()) < start + seconds:
        reader.read(texts[len(times) % len(texts)])
        times.append(time.perf_counter() - began)
    return _figures(times, time.perf_counter() - start)


@contextmanager
def service(workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`waqia serve` on a free port, ended with the block."""
    call = [sys.executable, "-m", "waqia", "serve", "--port", "0", "--threads", "1", "--workers", str(workers)]
    process = subprocess.Popen(call, stderr=subprocess.PIPE)
    assert process.stderr is not None
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        address = re.search(rb":(\d+)/", process.stderr.readline())
        if address is None:
            raise RuntimeError("waqia serve did not say where it listens")
        drain.start()
        _ready(int(address[1]))
        yield process, int(address[1])
    finally:
        process.terminate()
        process.wait(60)
        if drain.is_alive():
            drain.join(10)
        process.stderr.close()


def load(port: int, texts: Sequence[str], clients: int, seconds: float, *, kill: subprocess.Popen[bytes] | None = None) -> dict[str, Any]:
    """`clients` at once for `seconds`; with `kill`, one worker of that service is killed half way."""
    times: list[float] = []
    counts: Counter[str] = Counter()
    start = time.perf_counter()

    def client(number: int) -> None:
        while (began := time.perf_counter()) < start + seconds:
            status = _answered(port, texts[number % len(texts)], counts)
            number += clients
            counts[str(status) if status else "lost"] += 1
            if status == 200:
                times.append(time.perf_counter() - began)
            elif status:
                time.sleep(0.05)  # refused for now: a polite client waits

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    if kill is not None:
        time.sleep(seconds / 2)
        os.kill(_worker(kill.pid), signal.SIGKILL)
    for thread in threads:
        thread.join()
    whole = time.perf_counter() - start  # the last answers come after the time
    return {**_figures(times, whole), "answers": dict(counts), "lost": counts["lost"]}


def ask(port: int, body: bytes) -> int:
    """The status of one request; OSError or HTTPException where the connection breaks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/v1/read", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _answered(port: int, text: str, counts: Counter[str]) -> int | None:
    body = json.dumps({"text": text}).encode()
    for _ in range(5):
        try:
            return ask(port, body)
        except (OSError, http.client.HTTPException):
            counts["broken connection, sent again"] += 1
            time.sleep(0.2)
    return None


def _worker(parent: int) -> int:
    """A process that the supervisor started and that answers requests: the last of its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
    return int(children[-1])


def _ready(port: int) -> None:
    for _ in range(300):
        try:
            ask(port, b'{"text": ""}')
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the service did not answer within 30 s")


def _figures(times: Sequence[float], seconds: float) -> dict[str, Any]:
    if not times:
        return {"texts": 0}
    p50, p99 = (round(1000 * float(value), 1) for value in np.percentile(times, (50, 99)))
    return {"texts": len(times), "p50_ms": p50, "p99_ms": p99, "texts_a_second": round(len(times) / seconds, 1)}


if __name__ == "__main__":
    sys.exit(main())
