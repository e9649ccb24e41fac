"""Command lines: argparse that asks "did you mean …?" of what is misspelt; for `waqia` and for the scripts of eval and train."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

_CHOICE = re.compile(r"invalid choice: (?P<found>.*?) \(choose from (?P<known>.*)\)")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most like an unknown one, or nothing where none is near."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


class Parser(argparse.ArgumentParser):
    """An argument parser that keeps the lines of its description, and whose errors end with the name that is most like a misspelt one."""

    def __init__(self, *, prog: str | None = None, description: str | None = None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._given: list[str] = []

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does; what was given is kept for the message of an error."""
        self._given = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """End with code 2, the usage and the message on standard error."""
        super().error(message + (self._near_choice(message) or self._near_options()))

    def _near_choice(self, message: str) -> str:
        said = _CHOICE.search(message)
        return did_you_mean(said["found"].strip("'\""), re.findall(r"[^\s,'\"]+", said["known"])) if said else ""

    def _near_options(self) -> str:
        """A hint for each option given that no option begins with: a misspelt one may hide behind "required: …"."""
        known = set(_options(self))
        names = [word.partition("=")[0] for word in self._given if word.startswith("--") and word != "--"]
        return "".join(did_you_mean(name, sorted(known)) for name in names if not any(option.startswith(name) for option in known))


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every long option of a parser and of its commands."""
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            commands: dict[str, Any] = action.choices
            for command in commands.values():
                yield from _options(command)
