"""A Hugging Face hub for tests: its cache as huggingface_hub lays it out, and a server on 127.0.0.1 that answers as the hub does."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


def lay(cache: Path, repository: str, files: Mapping[str, bytes], *, commit: str = COMMIT, ref: str | None = "main") -> Path:
    """Files of one commit in a cache (HF_HOME/hub): blobs by their hash, links to them in the snapshot, the commit that a branch is at."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    for name in ("blobs", "refs", f"snapshots/{commit}"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if ref is not None:
        (folder / "refs" / ref).write_text(commit)
    for name, data in files.items():
        blob = folder / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        (folder / "snapshots" / commit / name).symlink_to(f"../../blobs/{blob.name}")
    return folder / "snapshots" / commit


@contextmanager
def serving(repositories: Mapping[str, Mapping[str, Mapping[str, bytes]]]) -> Iterator[tuple[str, list[str]]]:
    """A hub with {repository: {revision: {file: content}}}; its address, and what was asked of it, as "METHOD /path", so far."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(b"")

        def do_GET(self) -> None:
            self.answer(None)

        def answer(self, body: bytes | None) -> None:
            asked.append(f"{self.command} {self.path}")
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            revisions = repositories.get(repository)
            if revisions is None or revision not in revisions or name not in revisions[revision]:
                missing = "RepoNotFound" if revisions is None else "RevisionNotFound" if revision not in revisions else "EntryNotFound"
                return self.send(404, b"", {"X-Error-Code": missing, "X-Error-Message": "not here"})
            data = revisions[revision][name]
            commit = revision if len(revision) == 40 else COMMIT
            headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
            return self.send(200, data, headers)

        def send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join(10)
