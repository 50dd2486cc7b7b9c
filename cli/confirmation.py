"""Confirmations of commands that change something, and whether there are credentials to do it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CliError, Exit

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def check(*, yes: bool) -> None:
    """Raises CliError when a confirmation is needed and there is no terminal to ask on."""
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CliError(
            "a confirmation is needed and this is not a terminal",
            "add --yes, or run it on a terminal",
            Exit.USAGE,
        )


def ask(question: str, *, yes: bool) -> None:
    """Ask on the terminal. Raises CliError where the answer is not yes."""
    check(yes=yes)
    if not yes and not typer.confirm(question, err=True):
        raise CliError("not confirmed, nothing was changed", "", Exit.CANCELLED)


def check_credentials() -> None:
    """Raises CliError when the official provider would find no credentials."""
    if not has_credentials():
        raise CliError(
            "there are no Google Cloud credentials",
            "`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS=FILE; "
            "with no account at all: `./platformctl rehearse dev`",
            Exit.AUTHENTICATION,
        )


def has_credentials() -> bool:
    """Whether there are credentials where the official provider looks for them."""
    variables = (
        "GOOGLE_OAUTH_ACCESS_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CREDENTIALS",
    )
    if any(os.environ.get(name) for name in variables):
        return True
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
    return (folder / "application_default_credentials.json").exists()
