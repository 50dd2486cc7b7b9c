"""`platformctl up` and `down`: deploy to the account of the present credentials."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from cli import arguments, confirmation, console, deployment, environments, layers
from cli.capacity.beside import Quotas
from cli.engine import Result
from cli.guards import guard
from cli.guards.run import Command, alone
from gkeplatform.layers import LAYERS, Layer

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
    yes: confirmation.Yes = False,
    refresh: arguments.Refresh = False,
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
    chosen = layers.selected([*(only or ()), *(layer or ())], start)
    confirmation.check_credentials()
    confirmation.check(yes=yes)
    command = _command("up", environment, chosen, yes=yes, given=allow_replace or ())
    done: dict[str, Result] = {}
    with (
        alone(command, chosen, done, os.environ),
        Quotas(environment, os.environ, chosen) as quotas,
    ):
        allowed = guard.check_update(
            environment, os.environ, chosen, allow_replace or (), command.words()
        )
        document = deployment.up(
            environment,
            os.environ,
            interactive=not yes,
            preview=True,
            layers=chosen,
            refresh=refresh,
            allowed=allowed,
            done=done,
            before=quotas.settle,
            is_waited_for=quotas.is_comparing,
        )
    if json or events:
        console.document(document)
    else:
        print("\n" + deployment.summary(document))


def down(
    environment: arguments.Environment,
    only: arguments.Named = None,
    *,
    layer: arguments.Layers = None,
    yes: confirmation.Yes = False,
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
    confirmation.check_credentials()
    confirmation.check(yes=yes)
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
