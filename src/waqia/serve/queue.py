"""The queue before the model: bounded by tokens, read in small batches by one thread, request after request in turn.

All state lives on the event loop; only the reading itself runs in the thread. While one batch is read the next one gathers, so that
nothing waits for a batch to fill. Requests take turns, so that one of many texts does not hold up one of a single text.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

from waqia.model.calibration import AtLeast
from waqia.reader import Reader
from waqia.schema import Reading
from waqia.serve.settings import tokens

BATCH_TOKENS = 2048  # a batch: a short text never waits for more than about this much of others
LONGEST_WAIT = 60  # seconds; the most that Retry-After asks for

Asked = tuple[str, str | None, AtLeast]  # a text, its day, and the thresholds asked for


class QueueFullError(Exception):
    """There is no room for a request now; `retry_after` (seconds) is when there may be."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_after} s")
        self.retry_after = retry_after


class StoppingError(Exception):
    """The service is stopping and takes nothing new."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read together: texts, their tokens as the queue counts them, seconds."""

    texts: int
    tokens: int
    seconds: float


@dataclass(slots=True, eq=False)
class _Job:
    text: str
    date: str | None
    at_least: AtLeast
    tokens: int
    answer: asyncio.Future[Reading]


class ReadingQueue:
    """Texts in, futures of readings out; make and use it on one event loop."""

    def __init__(self, reader: Reader, *, limit: int, watch: Callable[[int, Batch | None], None]) -> None:
        """`limit` is in tokens; `watch` is told the tokens held after each change, and each batch once it is read."""
        self._reader, self._limit, self._watch = reader, limit, watch
        self._requests: deque[deque[_Job]] = deque()
        self._held = 0  # tokens that wait or are being read
        self._rate = 0.0  # tokens a second, of late
        self._work, self._room = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "waqia-read")
        self._stopping = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def alive(self) -> bool:
        """Whether texts are being read at all."""
        return not self._task.done()

    @property
    def stopping(self) -> bool:
        """Whether nothing new is taken."""
        return self._stopping

    def submit(self, texts: Sequence[Asked]) -> list[asyncio.Future[Reading]]:
        """Take a request's texts, all or none; QueueFullError where there is no room, StoppingError once `stop` was asked.

        Cancel a future that nobody waits for any more: its text is then not read.
        """
        needed = sum(tokens(text) for text, *_ in texts)
        if self._stopping or not self.alive:
            raise StoppingError("the service is stopping")
        if self._held and self._held + needed > self._limit:
            raise QueueFullError(self._retry_after())
        loop = asyncio.get_running_loop()
        jobs = [_Job(*asked, tokens(asked[0]), loop.create_future()) for asked in texts]
        if jobs:
            self._requests.append(deque(jobs))
            self._change(needed)
            self._work.set()
        return [job.answer for job in jobs]

    async def submit_when_room(self, asked: Asked) -> asyncio.Future[Reading]:
        """Take one text of a stream, waiting while the queue is half full: the other half is for requests that do not wait."""
        while self._held and self._held + tokens(asked[0]) > self._limit // 2 and not self._stopping:
            self._room.clear()
            await self._room.wait()
        return self.submit([asked])[0]

    def refuse(self) -> None:
        """Take nothing new from now on; what was taken is read."""
        self._stopping = True
        self._work.set()
        self._room.set()

    async def stop(self) -> None:
        """Refuse what is new and return when all that was taken is read."""
        self.refuse()
        await self._task
        self._thread.shutdown()

    def _change(self, by: int, batch: Batch | None = None) -> None:
        self._held += by
        self._watch(self._held, batch)
        if by < 0:
            self._room.set()

    def _retry_after(self) -> int:
        return min(LONGEST_WAIT, max(1, math.ceil(self._held / self._rate))) if self._rate else 1

    async def _run(self) -> None:
        while True:
            jobs = self._take()
            if jobs:
                await self._answer(jobs)
            elif self._stopping:
                return
            else:
                self._work.clear()
                await self._work.wait()

    def _take(self) -> list[_Job]:
        """The next texts of every request in turn, until they have BATCH_TOKENS; at least one, however long."""
        jobs: list[_Job] = []
        room = BATCH_TOKENS
        while self._requests:
            job = self._requests[0][0]
            if job.answer.done():  # cancelled: nobody waits for it
                self._change(-job.tokens)
            elif jobs and job.tokens > room:
                break
            else:
                jobs.append(job)
                room -= job.tokens
            request = self._requests.popleft()
            request.popleft()
            if request:
                self._requests.append(request)
        return jobs

    async def _answer(self, jobs: list[_Job]) -> None:
        size, began = sum(job.tokens for job in jobs), time.perf_counter()
        readings: list[Reading] | Exception
        try:
            readings = await asyncio.get_running_loop().run_in_executor(self._thread, self._read, jobs)
        except Exception as error:  # a fault of the reader is the answer of these texts; the next ones are read
            readings = error
        seconds = time.perf_counter() - began
        rate = size / max(seconds, 1e-6)
        self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate
        for place, job in enumerate(jobs):
            if job.answer.done():
                continue
            if isinstance(readings, Exception):
                job.answer.set_exception(readings)
            else:
                job.answer.set_result(readings[place])
        self._change(-size, Batch(len(jobs), size, seconds))

    def _read(self, jobs: list[_Job]) -> list[Reading]:
        readings: list[Reading] = []
        for at_least, some in groupby(jobs, key=lambda job: job.at_least):  # nearly always one group
            texts = (job.text if job.date is None else (job.text, job.date) for job in some)
            readings += self._reader.read_many(texts) if at_least is None else self._reader.read_many(texts, at_least=at_least)
        return readings
