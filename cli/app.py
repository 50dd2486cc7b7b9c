"""The Typer application: the commands, and the one place that reports failures."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from cli import colors, console, event_stream
from cli.errors import CliError, Exit

COMMANDS = {
    "rehearse": "rehearse.rehearse",
    "up": "up.up",
    "preview": "preview.preview",
    "down": "up.down",
    "diff": "diff.diff",
    "promote": "promote.promote",
    "history": "history.history",
    "rollback": "rollback.rollback",
    "drift": "drift.drift",
    "show": "show.show",
    "top": "top.top",
    "routes": "routes.routes",
    "request": "request.request",
    "load": "load.load",
    "alerts": "alerts.alerts",
    "drill": "drill.drill",
    "test": "tests.run",
    "check": "check.check",
    "size": "size.size",
    "environments": "environments.environments",
    "generate": "generate.generate",
    "docs": "docs.docs",
    "policy": "policy.app",
    "sandbox": "sandbox.app",
}
"""The commands and groups in the order of `--help`, each with its place in `cli.commands`."""

_CTRL_C = 130
"""What Typer returns for a KeyboardInterrupt that a command did not take."""
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """The application with the command that `arguments` begin with, else with all.

    One command is imported alone since all together take four times as long (benchmarks/policies).
    """
    app = typer.Typer(
        name="platformctl",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_platformctl)  # without it, a single command would have no name
    named = _named(arguments)
    for name in [named] if named in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].rpartition(".")
        command = getattr(importlib.import_module(f"cli.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, context_settings=_PASSED_ON if name == "test" else None)(command)
    return app


def _named(arguments: Sequence[str]) -> str:
    """The command that arguments begin with; of a line to be completed, its first word."""
    words = os.environ.get("COMP_WORDS", "").split()[1:]  # as Click's completion scripts set it
    if "_PLATFORMCTL_COMPLETE" in os.environ and len(words) > 1:
        return words[0]
    return arguments[0] if arguments else ""


def _platformctl(
    color: Annotated[
        colors.Color,
        typer.Option(
            "--color", help="Colours: auto, on a terminal unless NO_COLOR is set; always; never."
        ),
    ] = colors.Color.AUTO,
) -> None:
    """Deploy the platform to Google Cloud, or rehearse it on this machine."""


def main() -> None:
    """Run a command and exit with its code."""
    as_json = "--json" in sys.argv or event_stream.is_open()
    code: object = 0
    try:
        sys.argv[1:] = colors.choose(sys.argv[1:], os.environ)
        code = application(sys.argv[1:])(prog_name="platformctl", standalone_mode=False)
        if code == _CTRL_C:
            raise KeyboardInterrupt
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
