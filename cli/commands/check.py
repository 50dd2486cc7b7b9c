"""`platformctl check`: what a pull request is held to before any preview, without an account."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli import checks, console, environments, judging, reports
from cli.commands import policy
from cli.errors import CliError
from gkeplatform.layers import LAYERS
from sandbox import engine


def check(
    env: policy.Env = None,
    output: reports.To = reports.Output.TEXT,
    also: reports.Also = None,
    policies_only: Annotated[
        bool, typer.Option("--policies-only", help="Without the linters.")
    ] = False,
) -> None:
    """Lint the code and the workflows, and judge every environment as it is declared.

    Ends with 0 where all is well, 5 with violations of a policy, 1 where a linter complains.
    """
    wanted = reports.files(also)
    failed = [] if policies_only else _linted()
    console.say("== policies: platformctl policy check")
    names = [environments.checked(one) for one in env or environments.names()]
    report = judging.judged(names, LAYERS, judging.declared_by)
    if failed:
        console.say(f"error: failed: {', '.join(failed)}")
    reports.write(report, output, wanted)
    if failed:
        raise CliError(f"failed: {', '.join(failed)}")


def _linted() -> list[str]:
    try:
        actionlint = engine.actionlint(console.say)
    except engine.EngineError as error:
        raise CliError(str(error), error.hint) from error
    every = {**checks.CODE, **checks.workflows(actionlint)}
    return [name for name, command in every.items() if not checks.passes(name, command, sys.stderr)]
