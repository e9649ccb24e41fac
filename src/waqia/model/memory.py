"""Memory that is free goes back to the system: batches of ever other shapes leave glibc's heap full of holes, which it keeps for itself."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

OFTEN = 8192  # tokens read between two times: it takes some milliseconds, and pages are cleared again


def _malloc_trim() -> Callable[[int], object] | None:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return None
    return trim


_TRIM = _malloc_trim()


def give_back() -> None:
    """Give whole free pages back, where the system's C library can (glibc)."""
    if _TRIM is not None:
        _TRIM(0)


class Holes:
    """Counts tokens read, by whichever readers of this process, and gives memory back now and then."""

    def __init__(self) -> None:
        self._tokens = 0

    def after(self, tokens: int) -> None:
        """So many more were read. Two threads at once may miscount, which only shifts the next time."""
        self._tokens += tokens
        if self._tokens >= OFTEN:
            self._tokens = 0
            give_back()


HOLES = Holes()
