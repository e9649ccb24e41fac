"""From items to rows: every text through the queue, every answer counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from waqia.labels import LabelSet
from waqia.schema import Reading
from waqia.serve.bodies import Item
from waqia.serve.guard import RefusedError
from waqia.serve.metrics import Metrics
from waqia.serve.queue import QueueFullError, ReadingQueue, StoppingError
from waqia.serve.settings import Settings, tokens

STOPPING = "the service is stopping; try again"


class Answers:
    """Readings of items, and the rows that answer them."""

    def __init__(self, queue: ReadingQueue, settings: Settings, metrics: Metrics, *, labels: LabelSet, model: str) -> None:
        self.queue, self.labels = queue, labels
        self._settings, self._metrics = settings, metrics
        self._label_set, self._model = f"{labels.name}/{labels.version}", model

    def check_open(self) -> None:
        """RefusedError 503 once the service is stopping."""
        if self.queue.stopping or not self.queue.alive:
            raise RefusedError(503, STOPPING, retry_after=1)

    async def read(self, items: Sequence[Item]) -> list[Reading]:
        """Readings of a request's items, in order; RefusedError 429, 413 or 503 where the queue has no room, never has, or is too slow."""
        texts = [(item.text, item.date, item.at_least) for item in items if item.fault is None]
        if (size := sum(tokens(text) for text, *_ in texts)) > self._settings.queue_tokens:
            raise RefusedError(413, f"about {size} tokens in one request, {self._settings.queue_tokens} are allowed; send fewer texts")
        try:
            futures = iter(self.queue.submit(texts))
        except QueueFullError as error:
            raise RefusedError(429, str(error), retry_after=error.retry_after) from None
        except StoppingError:
            raise RefusedError(503, STOPPING, retry_after=1) from None
        every = asyncio.gather(*(self.reading(item, None if item.fault else next(futures)) for item in items))
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await every
        except TimeoutError:
            raise RefusedError(503, f"not read within {self._settings.timeout:g} s; try again or send less", retry_after=1) from None

    async def reading(self, item: Item, future: asyncio.Future[Reading] | None) -> Reading:
        """The reading, or one that says what is wrong with the item or failed in the reader."""
        if future is None:
            return Reading(label_set=self._label_set, model=self._model, error=item.fault)
        try:
            return await future
        except Exception as error:
            return Reading(label_set=self._label_set, model=self._model, error=f"{type(error).__name__}: {error}")

    def row(self, item: Item, reading: Reading, told: dict[str, int]) -> dict[str, Any]:
        """The answer to one item: its other fields, then the reading. Counts it, for the metrics and for the log line in `told`."""
        wrong = reading.error is not None
        self._metrics.texts.labels("error" if wrong else "read").inc()
        self._metrics.incidents.inc(len(reading.incidents))
        told["texts"] = told.get("texts", 0) + 1
        told["errors"] = told.get("errors", 0) + wrong
        return {**item.carried, **reading.to_dict()}
