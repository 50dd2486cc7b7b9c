"""`platformctl show`: an environment as one HTML page."""

from __future__ import annotations

import os
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console, environments
from cli.errors import CliError
from cli.traffic import options


def show(
    environment: arguments.Environment,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: ENV.html, here."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    real: options.Real = False,
    json: arguments.Json = False,
) -> None:
    """Write a page of an environment: the way of a request, node pools, layers, alerts, policies.

    It is made of the stack file, the stacks' states and the live objects of the cluster, and
    holds no secrets. The file requests nothing when it is viewed. With --json nothing is written
    unless --output is given.
    """
    from cli.show import page, reading  # noqa: PLC0415 (the programs' modules are slow)

    picture = reading.read(environments.checked(environment), real=real)
    file = output or (None if json else Path(f"{environment}.html"))
    if file is not None:
        folder = file.parent.resolve()
        way = os.path.relpath(environments.ROOT, folder)
        try:
            file.write_text(page.html(picture, root=way), encoding="utf-8")
        except OSError as error:
            raise CliError(f"{file} cannot be written: {error.strerror}", "--output FILE") from None
        if not json:
            console.say(f"wrote {file}")
    if json:
        console.document({"counts": asdict(page.counts(picture)), **asdict(picture)})
    if open_ and file is not None:
        webbrowser.open(file.resolve().as_uri())
