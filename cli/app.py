"""The Typer application: the commands, and the one place that reports failures."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from cli import console
from cli.commands import (
    alerts,
    check,
    drift,
    environments,
    generate,
    load,
    policy,
    rehearse,
    request,
    routes,
    sandbox,
    tests,
    up,
)
from cli.errors import CliError, Exit

app = typer.Typer(
    name="platformctl",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Deploy the platform to Google Cloud, or rehearse it on this machine.",
)
app.command()(rehearse.rehearse)
app.command()(up.up)
app.command()(up.preview)
app.command()(up.down)
app.command()(drift.drift)
app.command()(routes.routes)
app.command()(request.request)
app.command()(load.load)
app.command()(alerts.alerts)
app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    tests.run
)
app.command()(check.check)
app.command()(environments.environments)
app.command()(generate.generate)
app.add_typer(policy.app, name="policy")
app.add_typer(sandbox.app, name="sandbox")


def main() -> None:
    """Run a command and exit with its code."""
    as_json = "--json" in sys.argv
    code: object = 0
    try:
        code = app(prog_name="platformctl", standalone_mode=False)
    except CliError as error:
        console.failure(error, as_json=as_json)
        sys.exit(error.code)
    except typer.TyperException as error:
        wrong = CliError(_one_line(error), "./platformctl --help", Exit.USAGE)
        console.failure(wrong, as_json=as_json)
        sys.exit(Exit.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        console.failure(CliError("cancelled", "", Exit.CANCELLED), as_json=as_json)
        sys.exit(Exit.CANCELLED)
    except Exception as error:
        if os.environ.get("PLATFORM_DEBUG"):
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
        hint = "this is a bug; PLATFORM_DEBUG=1 shows where"
        console.failure(CliError(f"unexpected {reason}", hint, Exit.INTERNAL), as_json=as_json)
        sys.exit(Exit.INTERNAL)
    if isinstance(code, int) and code:
        sys.exit(code)  # the code of `typer.Exit` is returned as the result


def _one_line(error: Exception) -> str:
    """Typer's message on one line."""
    describe = getattr(error, "format_message", None)
    return " ".join(str(describe() if describe else error).split())
