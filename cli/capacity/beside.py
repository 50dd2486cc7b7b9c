"""Compares an update with the quotas in a process of its own, beside the previews before it.

The programs are run against mocks for it, four seconds of processor time. A thread would take
them from the command itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from cli import console, process
from cli.capacity import check
from cli.environments import ROOT
from cli.errors import CliError, Exit
from gkeplatform.layers import Layer


class Quotas:
    """The comparison of one update. A context manager: at its end the process has ended."""

    def __init__(
        self,
        environment: str,
        variables: Mapping[str, str],
        layers: Sequence[Layer],
        command: Sequence[str] = (sys.executable, "-m", "cli.capacity"),
    ) -> None:
        """`command` gets the environment and the layers as arguments."""
        self._environment, self._variables, self._layers = environment, variables, layers
        self._command = [*command, environment, *(layer.name for layer in layers)]
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if not check.is_unchanged(self._environment, self._variables, self._layers):
            console.say("compares what is asked for with the quotas")
            self._child = subprocess.Popen(
                process.dying_with_us(self._command),
                cwd=ROOT,
                env=dict(self._variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                process_group=0,  # Ctrl-C is ours to handle
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    @property
    def is_comparing(self) -> bool:
        """Whether the comparison has begun, and nobody has waited for its end."""
        return self._child is not None

    def settle(self) -> None:
        """Wait for the comparison, and say what is narrow or not known; at once the second time.

        Raises CliError where the update does not fit, or cannot be compared.
        """
        if self._child is None:
            return
        out, err = self._child.communicate()
        self._child = None
        try:
            told = json.loads(out.splitlines()[-1])
        except (ValueError, IndexError):
            reason = err.strip().rpartition("\n")[2] or "it was ended"
            raise CliError(
                f"the comparison with the quotas failed: {reason}",
                "run the same command again; nothing was touched",
            ) from None
        for line in told["lines"]:
            console.say(line)
        if error := told["error"]:
            raise CliError(error["message"], error["hint"], Exit(error["code"]))
