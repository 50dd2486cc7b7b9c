"""Colours of messages: on a terminal, unless NO_COLOR or `--color` says otherwise.

`--color` may stand before or after the command. It sets NO_COLOR or FORCE_COLOR (no-color.org,
force-color.org), which the help, tables and every child process go by.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence
from enum import StrEnum
from typing import TextIO

from cli.errors import CliError, Exit

FLAG = "--color"
_RAW = ("test",)
"""Commands whose further arguments are another program's."""
_CODES = {"error: ": "1;31", "hint: ": "36", "warning: ": "33"}


class Color(StrEnum):
    """When messages have colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def choose(arguments: Sequence[str], variables: MutableMapping[str, str]) -> list[str]:
    """The arguments without `--color`, which is noted in `variables`.

    Raises CliError for a value that there is not.
    """
    rest = list(arguments)
    while (at := _place(rest)) is not None:
        flag, has_value, value = rest.pop(at).partition("=")
        if not has_value:
            value = rest.pop(at) if at < len(rest) else ""
        if value not in set(Color):
            known = ", ".join(Color)
            raise CliError(
                f"{flag} {value}: there is no such choice", f"one of {known}", Exit.USAGE
            )
        _note(Color(value), variables)
    return rest


def _place(arguments: Sequence[str]) -> int | None:
    if arguments and arguments[0] in _RAW:
        return None
    for at, word in enumerate(arguments):
        if word == "--":
            return None
        if word == FLAG or word.startswith(f"{FLAG}="):
            return at
    return None


def _note(choice: Color, variables: MutableMapping[str, str]) -> None:
    if choice is Color.AUTO:
        return
    given, other = ("NO_COLOR", "FORCE_COLOR") if choice is Color.NEVER else (
        "FORCE_COLOR", "NO_COLOR")  # fmt: skip
    variables[given] = "1"
    variables.pop(other, None)


def are_on(stream: TextIO) -> bool:
    """Whether a stream gets colours."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def painted(line: str) -> str:
    """A line of stderr, with the word that it begins with in its colour."""
    for word, code in _CODES.items():
        if line.startswith(word) and are_on(sys.stderr):
            return f"\x1b[{code}m{word.rstrip()}\x1b[0m {line.removeprefix(word)}"
    return line
