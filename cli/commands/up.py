"""`platformctl up` and `down`: deploy to the account of the present credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console, deployment, environments, layers
from cli.errors import CliError, Exit

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout; needs --yes.")
]


def up(
    environment: arguments.Environment,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
    yes: Yes = False,
    *,
    refresh: arguments.Refresh = False,
    json: Json = False,
) -> None:
    """Deploy an environment to Google Cloud, with a preview and a confirmation of each layer.

    A layer reads what the layers that it needs have published, so these must be deployed.
    """
    environments.deployable(environment)
    chosen = layers.selected(layer, start)
    check_credentials()
    _check_confirmation(yes=yes)
    document = deployment.up(
        environment,
        os.environ,
        interactive=not yes,
        preview=True,
        layers=chosen,
        refresh=refresh,
    )
    if json:
        console.document(document)
    else:
        print("\n" + deployment.summary(document))


def down(environment: arguments.Environment, yes: Yes = False, json: Json = False) -> None:
    """Destroy an environment in reverse order, with a preview and a confirmation of each layer."""
    environments.checked(environment)
    check_credentials()
    _check_confirmation(yes=yes)
    document = deployment.down(environment, os.environ, interactive=not yes)
    if json:
        console.document(document)
    else:
        console.say(f"{environment} is destroyed")


def check_credentials() -> None:
    """Raises CliError when the official provider would find no credentials."""
    if not _has_credentials():
        raise CliError(
            "there are no Google Cloud credentials",
            "`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS=FILE; "
            "with no account at all: `./platformctl rehearse dev`",
            Exit.AUTHENTICATION,
        )


def _check_confirmation(*, yes: bool) -> None:
    """Raises CliError when a confirmation is needed and there is no terminal to ask on."""
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CliError(
            "a confirmation is needed and this is not a terminal",
            "add --yes, or run it on a terminal",
            Exit.USAGE,
        )


def _has_credentials() -> bool:
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
