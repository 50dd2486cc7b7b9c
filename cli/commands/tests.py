"""`platformctl test`: runs every check and every test."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cli import checks, chromium, console, recordings
from cli.errors import CliError
from sandbox import engine


def run(
    context: typer.Context,
    fast: Annotated[
        bool, typer.Option("--fast", help="Without the tests that start real processes.")
    ] = False,
) -> None:
    """Run every check and every test; further arguments go to pytest."""
    if not fast:
        try:
            engine.ensure(console.say)
            if not context.args:  # all tests; chosen ones get their operators when they run
                engine.postgres_operator(console.say)
                engine.keda(console.say)
                engine.prometheus(console.say)
                engine.inference_gateway(console.say)
                engine.rate_limit(console.say)
                engine.leader_worker_sets(console.say)
        except engine.EngineError as error:
            raise CliError(str(error), error.hint) from error
    console.say(recordings.notice())
    console.say(recordings.official_plugin_notice())
    console.say(chromium.notice())
    # Some container images set it. Each of the hundreds of Pythons that the tests start would
    # compile the repository's modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    chosen = ["-m", "not slow"] if fast else []
    # `tests/scheduling.py` says who runs what. -rs prints why one is skipped.
    tests = ["pytest", "-q", "-rs", "-n", "auto", *chosen, *context.args]
    quick = dict(checks.CODE)
    # The tests do not wait for it, and what it finds stands below theirs.
    with checks.running({checks.LONGEST: quick.pop(checks.LONGEST)}) as told:
        failed = checks.failed(quick, sys.stdout)
        if not checks.passes("tests", tests):
            failed.append("tests")
        failed += told(sys.stdout)
    if failed:
        raise CliError(f"failed: {', '.join(failed)}")
