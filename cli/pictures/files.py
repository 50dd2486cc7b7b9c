"""Where a picture is written: the form by the file's ending, checked before there is a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cli.errors import CliError, Exit


def form(path: Path, known: Iterable[str]) -> str:
    """The form that a file's ending names, such as `svg`. Raises CliError.

    It also refuses a file that could not be written, so that nothing is done in vain.
    """
    forms = list(known)
    ending = path.suffix.removeprefix(".").lower()
    if ending not in forms:
        raise CliError(
            f"{path}: the ending is none of {', '.join(f'.{one}' for one in forms)}",
            f"such as {path.with_suffix(f'.{forms[0]}')}",
            Exit.USAGE,
        )
    if not path.parent.is_dir():
        raise CliError(f"{path}: there is no folder {path.parent}", "make it first", Exit.USAGE)
    if path.is_dir():
        raise CliError(f"{path} is a folder", "name a file in it", Exit.USAGE)
    return ending


def write(path: Path, text: str) -> None:
    """Write the file. Raises CliError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from None
