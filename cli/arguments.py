"""Arguments and options that several commands share, with the completion of their values."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli import environments, event_stream, layers
from gkeplatform import catalog_files, stack_values
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError
from gkeplatform.layers import in_order


def environment_names(incomplete: str) -> list[str]:
    """The environments that begin with the text, for completion."""
    return [name for name in environments.names() if name.startswith(incomplete)]


def _layers(incomplete: str) -> list[tuple[str, str]]:
    return [
        (layer.name, layers.needs(layer))
        for layer in in_order()
        if layer.name.startswith(incomplete)
    ]


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    """The models of the environment on the command line that begin with the text."""
    named = context.params.get("environment")
    if named not in environments.names():
        return []
    file = file_of(str(named))
    try:
        values = stack_values.read(str(named), root=environments.ROOT)
        merged = catalog_files.merged(values, root=environments.ROOT, file=file)
    except PlatformError:
        return []  # the command itself says why
    entries = catalog_files.own_models(merged)
    known = [str(one["name"]) for one in entries if isinstance(one, dict) and "name" in one]
    return [name for name in known if name.startswith(incomplete)]


def _list(value: bool) -> None:
    if value:
        print(layers.table())
        raise typer.Exit


Environment = Annotated[
    str,
    typer.Argument(
        help="An environment: the name of a file stacks/Pulumi.NAME.yaml.",
        autocompletion=environment_names,
    ),
]
Environments = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        "-e",
        help="An environment; repeatable. Default: all.",
        autocompletion=environment_names,
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer", "-l", help="Only this layer; repeatable. Default: all.", autocompletion=_layers
    ),
]
Named = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="LAYER", help="Only these layers. Default: all.", autocompletion=_layers
    ),
]
AllowReplace = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-replace",
        metavar="NAME",
        help="A resource that may be replaced or deleted although the environment protects it, by "
        "kind and name: Bucket::models. Repeatable.",
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", help="This layer and those after it.", autocompletion=_layers),
]
List = Annotated[
    bool,
    typer.Option(
        "--list",
        help="Print the layers in deployment order with what each needs, and exit.",
        is_eager=True,
        callback=_list,
    ),
]


class Which(StrEnum):
    """The plugin for Google Cloud that a rehearsal runs."""

    OFFICIAL = "official"
    OWN = "own"


Plugins = Annotated[
    Which | None,
    typer.Option(
        "--plugins",
        help="The Google plugin: Pulumi's official one, or that of this repository, which needs "
        "no download. Default: as before in this sandbox, else the official one where it can be "
        "downloaded.",
        envvar="PLATFORM_PLUGINS",
    ),
]
Events = Annotated[
    bool,
    typer.Option(
        event_stream.FLAG,
        help="Print one JSON document a line on stdout as things happen; the last is --json's.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Refresh = Annotated[
    bool,
    typer.Option(
        "--refresh", help="Read the account first, and change back what was changed there."
    ),
]
