"""How far a job is: on a terminal one line that is written over, elsewhere a line of the log now and then."""

from __future__ import annotations

import logging
import time
from typing import TextIO

log = logging.getLogger("waqia.bulk.progress")

EVERY = 10.0  # seconds between two lines of the log
REDRAWN = 0.2  # seconds between two states of the line on a terminal


class Progress:
    """Call it at each row; `size` is the bytes of the input where that is known (0: it is a stream), `terminal` where to draw."""

    def __init__(self, size: int, terminal: TextIO | None = None) -> None:
        self._size, self._terminal = size, terminal
        self._began = self._said = time.monotonic()
        self._first: tuple[int, int] | None = None
        self._every = EVERY if terminal is None else REDRAWN
        self._drawn = False

    def __call__(self, rows: int, done: int) -> None:
        """`rows` of the output exist, which answer to the first `done` bytes of the input."""
        now = time.monotonic()
        self._first = self._first or (rows - 1, done)
        if now - self._said < self._every:
            return
        self._said = now
        said = state(rows, rows - self._first[0], done, done - self._first[1], self._size, now - self._began)
        if self._terminal is None:
            log.info("%s", said)
        else:
            print(f"\r\033[K{said}", end="", file=self._terminal, flush=True)
            self._drawn = True

    def close(self) -> None:
        """Leave the line on the terminal."""
        if self._drawn and self._terminal is not None:
            print(file=self._terminal, flush=True)


def state(rows: int, new: int, done: int, new_bytes: int, size: int, seconds: float) -> str:
    """«1200 rows, 48.3 a second, 40 %, 2:05 left»: `new` rows and `new_bytes` of the input took `seconds`."""
    said = f"{rows} rows, {new / max(seconds, 1e-9):.1f} a second"
    if not size or not new_bytes:
        return said
    left = int((size - done) * seconds / new_bytes)
    hours, minutes = divmod(left // 60, 60)
    clock = f"{hours}:{minutes:02}:{left % 60:02}" if hours else f"{minutes}:{left % 60:02}"
    return f"{said}, {100 * done // size} %, {clock} left"
