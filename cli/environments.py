"""The environments: those that have a stack file."""

from __future__ import annotations

from pathlib import Path

from cli.errors import CliError, Exit, meant, usage_error
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
    raise CliError(
        f"there is no environment `{name}`: {file_of(name)} does not exist",
        f"{meant(name, known)}environments: {', '.join(known)}",
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
        raise usage_error(error) from None
    return name
