"""Which environments there are: those that have a stack file."""

from __future__ import annotations

import difflib
from pathlib import Path

from cli.errors import CliError, Exit
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS, Layer

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
        f"there is no environment `{name}`: stacks/Pulumi.{name}.yaml does not exist",
        f"{guess}environments: {', '.join(known)}",
        Exit.USAGE,
    )


def layers(given: list[str] | None) -> list[Layer]:
    """The layers of those names, or all. Raises CliError with the nearest one."""
    known = {layer.name: layer for layer in LAYERS}
    for name in given or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean `{near[0]}`? " if near else ""
            hint = f"{guess}layers: {', '.join(known)}"
            raise CliError(f"there is no layer `{name}`", hint, Exit.USAGE)
    return [known[name] for name in given] if given else list(LAYERS)
