"""What a command says to people: messages on standard error, where there is one, without what could steer a terminal."""

from __future__ import annotations

import re
import sys

# What a text, a file name or a message could steer a terminal with: control characters, and marks that turn the order of a line around.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def say(message: str) -> None:
    """Write a message, which may have several lines, on standard error."""
    if sys.stderr is not None:
        print(*map(flat, message.split("\n")), sep="\n", file=sys.stderr)


def flat(text: str) -> str:
    """One line, with a space for each character that could steer a terminal."""
    return _CONTROL.sub(" ", text)
