"""`platformctl up` and `down`: deploy to the account of the present credentials."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli import arguments, confirmation, console, deployment, environments, layers

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout; needs --yes.")
]


def up(
    environment: arguments.Environment,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
    yes: confirmation.Yes = False,
    *,
    refresh: arguments.Refresh = False,
    json: Json = False,
) -> None:
    """Deploy an environment to Google Cloud, with a preview and a confirmation of each layer.

    A layer reads what the layers that it needs have published, so these must be deployed.
    """
    environments.deployable(environment)
    chosen = layers.selected(layer, start)
    confirmation.check_credentials()
    confirmation.check(yes=yes)
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


def down(
    environment: arguments.Environment, yes: confirmation.Yes = False, json: Json = False
) -> None:
    """Destroy an environment in reverse order, with a preview and a confirmation of each layer."""
    environments.checked(environment)
    confirmation.check_credentials()
    confirmation.check(yes=yes)
    document = deployment.down(environment, os.environ, interactive=not yes)
    if json:
        console.document(document)
    else:
        console.say(f"{environment} is destroyed")
