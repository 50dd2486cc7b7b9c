"""`platformctl check`: the checks of a pull request that need no account."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import arguments, checks, console, environments, judging, reports
from cli.errors import CliError
from gkeplatform.layers import LAYERS
from infra.serving.models import pins, presets
from sandbox import engine


def check(
    env: arguments.Environments = None,
    output: reports.To = reports.Output.TEXT,
    also: reports.Also = None,
    policies_only: Annotated[
        bool, typer.Option("--policies-only", help="Without the linters.")
    ] = False,
) -> None:
    """Lint code, workflows and generated files, and judge every environment as declared.

    It also lists images of model servers that are older than 180 days, which is no failure.

    Exit codes: 0 when all is well, 5 for a policy violation, 1 for a finding of a linter.
    """
    wanted = reports.files(also)
    failed = [] if policies_only else _linted()
    for advice in pins.old(presets.PINS, datetime.now(UTC).date()):
        console.say(f"warning: image of {advice}")
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
    return checks.failed(every, sys.stderr)
