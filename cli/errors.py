"""The error that a command reports: a line, a hint and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes. Where Pulumi has a code for it, it is the same."""

    OK = 0
    ERROR = 1
    USAGE = 2
    AUTHENTICATION = 3
    RESOURCE = 4
    POLICY = 5
    NO_STACK = 6
    CHANGES = 7
    CANCELLED = 8
    UNJUDGED = 9
    PROTECTED = 10
    LOCKED = 11
    QUOTA = 12
    INTERNAL = 255


class CliError(Exception):
    """What is wrong (one line), what to do about it, and the exit code."""

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code

    def says(self, text: str) -> bool:
        """Whether the text is in the message or in the hint."""
        return text in str(self) or text in self.hint


def usage_error(error: Exception) -> CliError:
    """The CliError for what a user wrote; its message may end with a line `hint: ...`."""
    message, _, hint = str(error).partition("\nhint: ")
    return CliError(message, hint, Exit.USAGE)


def meant(name: str, known: Iterable[str]) -> str:
    """The beginning of a hint: the nearest of the known names, or nothing."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{near[0]}`? " if near else ""
