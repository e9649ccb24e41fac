"""Reading in several processes of one machine: `waqia batch --workers N`. Answers come in the order of the texts, whoever read them.

Each process is a new interpreter that opens the artefact for itself and is sent texts through a pipe. One that dies is replaced and its
texts are read again, one by one; a text that two processes died of gets an error and the job goes on. When the job dies, even by a kill,
the pipes close and the processes end.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import waqia
from waqia.errors import ConfigError, WaqiaError
from waqia.reader import Day, Reader, groups
from waqia.records import dump_row
from waqia.schema import Reading

log = logging.getLogger("waqia.bulk.workers")

MOST_WORKERS = 256
AHEAD = 2  # groups of texts that are read or wait, for each process

Item = tuple[str, Day]


@dataclass(frozen=True, slots=True)
class Said:
    """A reading as JSON, as it is written, and its error."""

    json: str
    error: str | None

    @classmethod
    def of(cls, reading: Reading) -> Said:
        """What a reading comes to."""
        return cls(dump_row(reading.to_dict()), reading.error)


ReadMany = Callable[[Iterable[Item]], Iterator[Said]]


@contextmanager
def opened(reader: Reader, workers: int) -> Iterator[ReadMany]:
    """What reads a stream of (text, date) in order: the reader itself for one worker, else so many processes that open the same artefact.

    ConfigError for an impossible number; WaqiaError, while reading, where a process cannot open the artefact.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise ConfigError(f"workers is {workers}, expected 1 to {MOST_WORKERS}, at best as many as the machine has cores")
    if workers == 1:
        yield lambda items: map(Said.of, reader.read_many(items))
        return
    pool = _Pool(reader, workers)
    try:
        yield pool.read_many
    finally:
        pool.close()


class _Pool:
    """Processes, each served by one thread of this process, which waits for it."""

    def __init__(self, reader: Reader, workers: int) -> None:
        self._workers = [_Worker(reader) for _ in range(workers)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, "waqia-worker")

    def read_many(self, items: Iterable[Item]) -> Iterator[Said]:
        """One answer for each item, in order."""
        running: deque[Future[list[Said]]] = deque()
        for group in groups(items):
            running.append(self._threads.submit(self._read, group))
            # The last group is empty; whatever comes after it may be the fault that broke the stream.
            while running and (not group or len(running) >= AHEAD * len(self._workers)):
                yield from running.popleft().result()

    def _read(self, group: Sequence[Item]) -> list[Said]:
        worker = self._idle.get()
        try:
            return worker.read(group) if group else []
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)


class _DiedError(Exception):
    """A process ended that should not have."""


class _Worker:
    """One process with a reader; another one in its place when it dies."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._closed = reader, False
        self._process = self._start()
        self._ready = False

    def read(self, items: Sequence[Item]) -> list[Said]:
        """Answers for a group of texts; those that a process died of are asked for again, one by one."""
        try:
            return self._ask(items)
        except _DiedError as died:
            log.warning("%s while it read %d texts; another one reads them again", died, len(items))
        if len(items) > 1:
            return [said for item in items for said in self.read([item])]
        try:
            return self._ask(items)
        except _DiedError as died:
            label_set = f"{self._reader.labels.name}/{self._reader.labels.version}"
            fault = f"{died} while it read this text, and so did another"
            return [Said.of(Reading(label_set=label_set, model=self._reader.model, error=fault))]

    def close(self) -> None:
        """End the process at once."""
        self._closed = True
        self._gone()

    def _ask(self, items: Sequence[Item]) -> list[Said]:
        if not self._ready:
            self._open()
        try:
            _send(self._pipe(self._process.stdin), list(items))
            answer: list[Said] = pickle.load(self._pipe(self._process.stdout))
            return answer
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise self._died() from error

    def _open(self) -> None:
        """Wait until the process has its reader; WaqiaError, and no further try, where it has none."""
        try:
            _send(self._pipe(self._process.stdin), self._reader)
            fault = pickle.load(self._pipe(self._process.stdout))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise WaqiaError(f"{self._gone()} before it could read; see its messages above, and try fewer --workers") from error
        if fault is not None:
            raise fault
        self._ready = True

    def _died(self) -> _DiedError:
        how = self._gone()
        if self._closed:
            raise WaqiaError(f"{how}: the job was given up")
        self._process, self._ready = self._start(), False
        return _DiedError(how)

    def _gone(self) -> str:
        """Wait for the end of the process; how it ended."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was to be written has nobody to read it
                self._pipe(pipe).close()
        code = self._process.wait()
        return f"a reading process died ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"

    def _start(self) -> subprocess.Popen[bytes]:
        home = str(Path(waqia.__file__).parents[1])
        path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-c", "from waqia.bulk.workers import serve; serve()"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # Popen was asked for both
        return pipe


def serve() -> None:
    """What a process does: take a reader, then groups of texts, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes the output
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the answers
    try:
        try:
            reader: Reader = pickle.load(asked)
        except WaqiaError as error:
            _send(answers, error)
            return
        _send(answers, None)
        while True:
            _send(answers, [Said.of(reading) for reading in reader.read_many(pickle.load(asked))])
    except (EOFError, BrokenPipeError):
        os._exit(0)  # nobody waits for what is left


def _send(pipe: IO[bytes], message: Any) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()
