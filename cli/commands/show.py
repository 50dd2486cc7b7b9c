"""`platformctl show`: an environment as one HTML page."""

from __future__ import annotations

import contextlib
import os
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console, environments
from cli.errors import CliError, Exit
from cli.traffic import options

_SECONDS = 5.0
"""Between two readings of a page that is served."""


def show(  # noqa: PLR0917 (an option each)
    environment: arguments.Environment,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Default: ENV.html, here."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine, live, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="The port of --serve. Default: a free one."),
    ] = 0,
    real: options.Real = False,
    json: arguments.Json = False,
) -> None:
    """Write a page of an environment: the way of a request, node pools, layers, alerts, policies.

    It is made of the stack file, the stacks' states and the live objects of the cluster, and
    holds no secrets. The file requests nothing when it is viewed. With --json nothing is written
    unless --output is given. With --serve it is read again while a browser shows it, and what
    changes is pushed.
    """
    environments.checked(environment)
    if serve:
        if output or json:
            raise CliError("--serve writes no file and no document", "leave it out", Exit.USAGE)
        _serve(environment, port, open_=open_, real=real)
        return
    if port:
        raise CliError("--port is the port of --serve", "add --serve", Exit.USAGE)
    from cli.show import page, reading  # noqa: PLC0415 (the programs' modules are slow)

    picture = reading.read(environment, real=real)
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
        console.document(page.described(picture))
    if open_ and file is not None:
        webbrowser.open(file.resolve().as_uri())


def _serve(environment: str, port: int, *, open_: bool, real: bool) -> None:
    from cli.show import board, reading, server  # noqa: PLC0415 (the programs' modules are slow)

    reader = reading.Reader(environment, real=real)
    served = server.Server(port, board.Board(reader.picture()))
    with contextlib.suppress(KeyboardInterrupt), served.running():
        console.say(f"{served.url}  Ctrl-C ends it")
        if open_:
            webbrowser.open(served.url)
        server.watch(reader.picture, reader.courses, served, _SECONDS)
