"""`platformctl drift`: what was changed in the account behind Pulumi's back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import arguments, console, environments, layers
from cli.drift import findings, record, report
from cli.engine import Engine
from cli.errors import CliError, Exit
from gkeplatform.layers import Layer

Environment = Annotated[
    str | None,
    typer.Argument(
        help="An environment: the name of a file stacks/Pulumi.NAME.yaml. Default: all that are "
        "deployed.",
        autocompletion=arguments.environment_names,
    ),
]


def drift(
    environment: Environment = None,
    only: arguments.Named = None,
    layer: arguments.Layers = None,
    json: arguments.Json = False,
) -> None:
    """Tell, value by value, what differs from what was deployed. Changes nothing.

    Exit codes: 0 when nothing differs, 7 when something does.
    """
    engine = Engine(os.environ, console.say)
    chosen = layers.selected([*(only or ()), *(layer or ())])
    names = environments.names() if environment is None else [environment]
    compared = {}
    for name in names:
        environments.deployable(name)
        found = _compared(engine, name, chosen, every=environment is None)
        if found:
            compared[name] = found
            now = datetime.now(UTC)
            kept = {one: record.of_layer(layer_, now) for one, layer_ in found.items()}
            record.keep(name, kept, os.environ)
    if environment is None and not compared:
        raise CliError(
            "no environment is deployed in this backend",
            f"environments: {', '.join(names)}; deploy one: ./platformctl up {names[0]}",
            Exit.NO_STACK,
        )
    if json:
        documents = [report.document(name, found) for name, found in compared.items()]
        console.document({"environments": documents})
    else:
        print("\n".join(report.text(name, found) for name, found in compared.items()))
    if any(one.differs for found in compared.values() for one in found.values()):
        raise typer.Exit(Exit.CHANGES)


def _compared(
    engine: Engine, environment: str, chosen: Sequence[Layer], *, every: bool
) -> dict[str, findings.Layer]:
    """What differs in each layer; `every`: layers that are not deployed are left out."""
    compared = {}
    for one in chosen:
        try:
            run = engine.drift(one, environment)
        except CliError as error:
            if every and error.code is Exit.NO_STACK:
                continue
            raise
        compared[one.name] = findings.found(run.refreshes, run.steps, run.errors)
    return compared
