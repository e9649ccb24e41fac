"""What the service counts, as Prometheus reads it; with several workers every one of them answers for all."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # the client library's own variable: a folder where every worker keeps its counts
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one worker; no label ever holds anything of a text."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter("waqia_requests", "Requests answered", ["path", "status"], registry=own)
        self.seconds = Histogram("waqia_request_seconds", "Seconds from request to end of answer", ["path"], buckets=SECONDS, registry=own)
        self.texts = Counter("waqia_texts", "Texts answered: with a reading or with an error", ["outcome"], registry=own)
        self.incidents = Counter("waqia_incidents", "Incidents read", registry=own)
        self.tokens = Counter("waqia_tokens", "Tokens read, as the queue counts them", registry=own)
        self.batch_texts = Histogram("waqia_batch_texts", "Texts read together", buckets=(1, 2, 4, 8, 16, 32, 64), registry=own)
        self.batch_seconds = Histogram("waqia_batch_seconds", "Seconds to read a batch", buckets=SECONDS, registry=own)
        self.queue = Gauge("waqia_queue_tokens", "Tokens that wait or are being read", registry=own, multiprocess_mode="livesum")
        self.open = Gauge("waqia_requests_open", "Requests not answered yet", registry=own, multiprocess_mode="livesum")


def exposition(metrics: Metrics) -> bytes:
    """The text that Prometheus scrapes: of this worker, or of all of them, the dead included, where they share a folder."""
    folder = os.environ.get(SHARED)
    if folder is None:
        return generate_latest(metrics.registry)
    for path in Path(folder).glob("gauge_live*_*.db"):
        if (pid := re.search(r"_(\d+)\.db$", path.name)) and not Path(f"/proc/{pid[1]}").exists():
            mark_process_dead(int(pid[1]), folder)  # type: ignore[no-untyped-call]  # what a killed worker held, nobody holds
    everyone = CollectorRegistry()
    MultiProcessCollector(everyone, folder)  # type: ignore[no-untyped-call]
    return generate_latest(everyone)
