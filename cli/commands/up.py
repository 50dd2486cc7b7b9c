"""`platformctl up`, `preview` and `down`: deploy to the account of the present credentials."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console, deployment, environments, layers
from cli.engine import Result
from cli.errors import CliError, Exit
from cli.guards import guard
from cli.guards.run import Command, alone
from gkeplatform.layers import LAYERS, Layer

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout; needs --yes.")
]


def up(  # noqa: PLR0913 (a command has its options)
    environment: arguments.Environment,
    only: arguments.Named = None,
    *,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
    yes: Yes = False,
    allow_replace: arguments.AllowReplace = None,
    json: Json = False,
    events: arguments.Events = False,
) -> None:
    """Deploy an environment to Google Cloud, with a preview and a confirmation of each layer.

    A layer reads what the layers that it needs have published, so these must be deployed. Where the
    environment has platform:protect, an update that would replace or delete what holds data, an
    address or the cluster is refused before anything is touched.
    """
    environments.deployable(environment)
    named = [*(only or ()), *(layer or ())]
    chosen = layers.selected(named, start)
    _check_credentials()
    _check_confirmation(yes=yes)
    command = _command("up", environment, chosen, yes=yes, given=allow_replace or ())
    done: dict[str, Result] = {}
    with alone(command, chosen, done, os.environ):
        allowed = guard.check_update(
            environment, os.environ, chosen, allow_replace or (), command.words()
        )
        document = deployment.up(
            environment,
            os.environ,
            interactive=not yes,
            preview=True,
            layers=chosen,
            allowed=allowed,
            done=done,
        )
    if json or events:
        console.document(document)
    else:
        print("\n" + deployment.summary(document))


def preview(
    environment: arguments.Environment,
    only: arguments.Named = None,
    *,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
) -> None:
    """Show what `up` would change, layer by layer."""
    environments.deployable(environment)
    chosen = layers.selected([*(only or ()), *(layer or ())], start)
    _check_credentials()
    deployment.preview(environment, os.environ, chosen)


def down(
    environment: arguments.Environment,
    only: arguments.Named = None,
    *,
    layer: arguments.Layers = None,
    yes: Yes = False,
    allow_replace: arguments.AllowReplace = None,
    json: Json = False,
    events: arguments.Events = False,
) -> None:
    """Destroy an environment in reverse order, with a preview and a confirmation of each layer.

    Where the environment has platform:protect, each resource that holds data, an address or the
    cluster must be named with --allow-replace.
    """
    environments.deployable(environment)
    chosen = layers.selected([*(only or ()), *(layer or ())])
    _check_credentials()
    _check_confirmation(yes=yes)
    command = _command("down", environment, chosen, yes=yes, given=allow_replace or ())
    done: dict[str, Result] = {}
    with alone(command, chosen[::-1], done, os.environ):
        allowed = guard.check_removal(
            environment, os.environ, chosen, allow_replace or (), command.words()
        )
        document = deployment.down(
            environment,
            os.environ,
            interactive=not yes,
            layers=chosen,
            allowed=allowed,
            done=done,
        )
    if json or events:
        console.document(document)
    else:
        names = [one["layer"] for one in document["layers"]]
        which = "" if len(names) == len(LAYERS) else f", only {' and '.join(names)}"
        console.say(f"{environment} is destroyed{which}")


def _command(
    verb: str, environment: str, chosen: Sequence[Layer], *, yes: bool, given: Sequence[str]
) -> Command:
    named = [] if len(chosen) == len(LAYERS) else [layer.name for layer in chosen]
    allowed = [word for name in given for word in ("--allow-replace", name)]
    return Command(verb, environment, named, [*(["--yes"] if yes else []), *allowed])


def _check_credentials() -> None:
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
