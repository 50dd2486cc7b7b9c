"""One update of an environment: alone, and with a failure that says what is left to do."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cli.errors import CliError
from cli.guards import exclusion, remaining
from gkeplatform.layers import Layer

PROGRAM = "./platformctl"


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it was given, to be shown with further words."""

    verb: str
    environment: str
    layers: Sequence[str] = ()
    """The layers that were named; none for all."""
    flags: Sequence[str] = ()

    def words(self, layers: Sequence[str] | None = None) -> list[str]:
        """The command, with its own layers or with others."""
        chosen = self.layers if layers is None else layers
        return [PROGRAM, self.verb, self.environment, *chosen, *self.flags]


@contextlib.contextmanager
def alone(
    command: Command,
    order: Sequence[Layer],
    done: Collection[str] | Mapping[str, object],
    variables: Mapping[str, str],
) -> Iterator[None]:
    """Hold the environment; a failure also says what of `order` is `done`, and how to go on.

    Raises CliError with the holder where another run has the environment.
    """
    with exclusion.held(command.environment, shlex.join(command.words()), variables):
        try:
            yield
        except CliError as error:
            told = remaining.hint(order, done, command.words)
            error.hint = f"{error.hint}{told}".lstrip("\n")
            raise
