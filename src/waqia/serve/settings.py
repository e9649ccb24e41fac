"""How the service runs: where it listens, what it reads with, and how much it takes before it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from waqia.errors import ConfigError

CHARACTERS_A_TOKEN = 4  # of Arabic news; the hand-written sample article has 3.9 in the shipped tokenizer


def tokens(text: str) -> int:
    """About how many tokens a text has: what the queue counts, without the cost of cutting the text twice."""
    return len(text) // CHARACTERS_A_TOKEN + 1


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of `waqia serve`; ConfigError where one is impossible.

    `timeout` (seconds) bounds waiting for an answer, for the next piece of a body and for a client that does not take its answer.
    `queue_tokens` bounds the texts that wait or are being read, all requests together; it should be less than what is read in
    `timeout`, so that what was taken in is answered in time.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    artefact: Path | None = None
    backend: str = "onnxruntime"
    threads: int | None = None
    token: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()
    body_bytes: int = 4 * 1024 * 1024
    text_characters: int = 200_000
    texts: int = 256
    requests: int = 128
    queue_tokens: int = 100_000
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port is {self.port}, expected 0 (any free one) to 65535")
        for name in ("workers", "body_bytes", "text_characters", "texts", "requests", "queue_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected at least 1")
        if not self.timeout > 0:
            raise ConfigError(f"timeout is {self.timeout}, expected seconds above 0")
        if self.token is not None and not (self.token and self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise ConfigError("the token is empty or has spaces or letters outside ASCII; make one, for example with: openssl rand -hex 32")
        largest = self.text_characters // CHARACTERS_A_TOKEN + 1
        if self.queue_tokens < largest:
            raise ConfigError(f"queue_tokens is {self.queue_tokens}, but one text may have {largest}: allow more tokens or shorter texts")
