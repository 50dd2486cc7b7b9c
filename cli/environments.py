"""The environments: those that have a stack file."""

from __future__ import annotations

import difflib
from pathlib import Path

from cli.errors import CliError, Exit
from gkeplatform import stack_values
from gkeplatform.environment import environments, file_of
from gkeplatform.errors import PlatformError

ROOT = Path(__file__).resolve().parents[1]


def names() -> list[str]:
    """The environments, by their files `stacks/Pulumi.<environment>.yaml`."""
    return environments(ROOT)


def checked(name: str) -> str:
    """The name, if there is such an environment. Raises CliError with the nearest one."""
    known = names()
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    raise CliError(
        f"there is no environment `{name}`: {file_of(name)} does not exist",
        f"{guess}environments: {', '.join(known)}",
        Exit.USAGE,
    )


def deployable(name: str) -> str:
    """The name, if the environment's file can be read and passed to a program. Raises CliError.

    The programs check the keys themselves.
    """
    checked(name)
    try:
        stack_values.read(name, root=ROOT)
    except PlatformError as error:
        message, _, hint = str(error).partition("\nhint: ")
        raise CliError(message, hint, Exit.USAGE) from None
    return name
