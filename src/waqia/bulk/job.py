"""What stands beside the output of a job: who may write it now (`OUT.lock`), and what it is the output of (`OUT.job.json`)."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waqia.errors import ConfigError
from waqia.reader import differences


@contextmanager
def locked(target: Path, lock: Path) -> Iterator[None]:
    """Be the only job that writes `target`; ConfigError says who is, where another one does.

    The operating system gives the lock of a dead process up, so a killed job blocks nobody. On a shared disk that depends on its locks.
    """
    held = _take(target, lock)
    try:
        os.ftruncate(held, 0)
        os.pwrite(held, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode(), 0)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(held)


def _take(target: Path, lock: Path) -> int:
    import fcntl  # there is none on Windows, where the rest can still be imported

    while True:
        held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.exists() and os.path.samestat(os.fstat(held), lock.stat()):
                return held
            os.close(held)  # whoever had it has just removed it
        except BlockingIOError as error:
            holder = os.pread(held, 300, 0).decode("utf-8", "replace") or "another process"
            os.close(held)
            raise ConfigError(f"{target}: {holder} is writing it; wait for that to end, or give another output") from error
        except FileNotFoundError:
            os.close(held)


def known(path: Path) -> dict[str, Any] | None:
    """What `remember` wrote, or None where there is no such file; ConfigError where it is damaged."""
    try:
        return told(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None


def told(data: bytes, where: str) -> dict[str, Any]:
    """What a job file says; ConfigError where it is damaged."""
    try:
        job = json.loads(data)
        if isinstance(job["reader"], dict) and isinstance(job["input"], str):
            return dict(job)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ConfigError(f"{where}: is damaged, so nothing tells who read the output beside it; give another output, or remove both")


def said(source: str, reader: Mapping[str, str]) -> str:
    """What a job file says of its input and its reader (`Reader.identity`)."""
    return json.dumps({"input": source, "reader": dict(reader)}, ensure_ascii=False, indent=1)


def remember(path: Path, source: str, reader: Mapping[str, str]) -> None:
    """Write a job file, whole or not at all."""
    partial = path.with_name(f"{path.name}.part")
    with partial.open("w", encoding="utf-8") as out:
        out.write(said(source, reader))
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)


def same_reader(target: str | Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """ConfigError where another reader wrote what the target has; it says in what they differ."""
    if others := differences(before, now):
        raise ConfigError(f"{target}: was read with {'; '.join(others)}; give another output, or read with the same again")
