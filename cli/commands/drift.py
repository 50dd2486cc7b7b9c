"""`platformctl drift`: whether an account still is what is declared for it."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from cli import console, environments
from cli.engine import Engine
from cli.errors import Exit


def drift(
    environment: Annotated[str, typer.Argument(help="dev, stage or prod.")],
    layer: Annotated[
        list[str] | None, typer.Option("--layer", "-l", help="A layer; or all.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one document on stdout.")] = False,
) -> None:
    """Compare each layer with the account that the user is logged in to; nothing is touched.

    Ends with 0 where nothing differs, 7 where something does.
    """
    environments.checked(environment)
    engine = Engine(os.environ, console.say)
    found = {one.name: engine.drift(one, environment) for one in environments.layers(layer)}
    if json:
        content: dict[str, Any] = {"environment": environment, "layers": found}
        console.document(content)
    else:
        for name, differs in found.items():
            shown = ", ".join(f"{count} to {kind}" for kind, count in differs.items())
            print(f"{name:<12} {shown or 'as declared'}")
    if any(found.values()):
        raise typer.Exit(Exit.CHANGES)
