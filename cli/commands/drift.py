"""`platformctl drift`: whether the account still matches what is declared."""

from __future__ import annotations

import os
from typing import Any

import typer

from cli import arguments, console, environments, layers
from cli.engine import Engine
from cli.errors import Exit


def drift(
    environment: arguments.Environment,
    only: arguments.Named = None,
    layer: arguments.Layers = None,
    json: arguments.Json = False,
) -> None:
    """Compare each layer with the account of the present credentials. Changes nothing.

    Exit codes: 0 when nothing differs, 7 when something does.
    """
    environments.deployable(environment)
    engine = Engine(os.environ, console.say)
    chosen = layers.selected([*(only or ()), *(layer or ())])
    found = {one.name: engine.drift(one, environment) for one in chosen}
    if json:
        content: dict[str, Any] = {"environment": environment, "layers": found}
        console.document(content)
    else:
        for name, differs in found.items():
            shown = ", ".join(f"{count} to {kind}" for kind, count in differs.items())
            print(f"{name:<12} {shown or 'as declared'}")
    if any(found.values()):
        raise typer.Exit(Exit.CHANGES)
