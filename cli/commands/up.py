"""`platformctl up`, `preview` and `down`: against the account that the user is logged in to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import console, deployment, environments
from cli.errors import CliError, Exit

Environment = Annotated[str, typer.Argument(help="dev, stage or prod.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print one document on stdout; needs --yes.")]


def up(environment: Environment, yes: Yes = False, json: Json = False) -> None:
    """Deploy an environment to Google Cloud, after a preview of each layer and a question."""
    environments.checked(environment)
    _check(yes=yes or None if not json else yes)
    document = deployment.up(environment, os.environ, interactive=not yes, preview=True)
    if json:
        console.document(document)
    else:
        print("\n" + deployment.summary(document))


def preview(environment: Environment) -> None:
    """Show what `up` would change, layer by layer."""
    environments.checked(environment)
    _check(yes=True)
    deployment.preview(environment, os.environ)


def down(environment: Environment, yes: Yes = False, json: Json = False) -> None:
    """Destroy an environment, in reverse order, after a preview and a question."""
    environments.checked(environment)
    _check(yes=yes or None if not json else yes)
    document = deployment.down(environment, os.environ, interactive=not yes)
    if json:
        console.document(document)
    else:
        console.say(f"{environment} is destroyed")


def _check(*, yes: bool | None) -> None:
    """Credentials, and somebody to answer the question, before anything is started."""
    if not _has_credentials():
        raise CliError(
            "there are no Google Cloud credentials",
            "`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS=FILE; "
            "with no account at all: `./platformctl rehearse dev`",
            Exit.AUTHENTICATION,
        )
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CliError(
            "nobody is here to answer the question",
            "add --yes, or run it on a terminal",
            Exit.USAGE,
        )


def _has_credentials() -> bool:
    """Whether the official provider would find any; the places that it looks in."""
    variables = (
        "GOOGLE_OAUTH_ACCESS_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CREDENTIALS",
    )
    if any(os.environ.get(name) for name in variables):
        return True
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
    return (folder / "application_default_credentials.json").exists()
