"""The text of a user's table: tab-separated, UTF-8, with or without a byte order mark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from waqia.errors import RecordError


def table_text(path: str | Path, columns: Iterable[str]) -> str:
    """The file's text; RecordError, naming the expected columns, where it cannot be read or is no UTF-8."""
    try:
        return Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}; give a tab-separated file with {', '.join(columns)}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8") from error
