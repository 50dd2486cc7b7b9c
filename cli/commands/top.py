"""`platformctl top`: what runs in an environment, live on a terminal."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from cli import arguments, console, environments
from cli.traffic import options


def top(
    environment: arguments.Environment,
    interval: Annotated[
        float, typer.Option("--interval", min=1, max=3600, help="Seconds between two readings.")
    ] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Print one table and exit. Default without a terminal.")
    ] = False,
    real: options.Real = False,
    json: arguments.Json = False,
) -> None:
    """Show models, replicas, requests and node pools of an environment, live. Changes nothing.

    Requests are those that the load balancer measured: the series of Cloud Monitoring that the
    alerts read. Models that it does not route have none. Ctrl-C ends it; --json prints one
    document.
    """
    from cli.show.reading import Reader  # noqa: PLC0415 (the programs' modules are slow)
    from cli.top import figures, watching  # noqa: PLC0415

    reader = Reader(environments.checked(environment), real=real, judges=False)
    if json:
        console.document(asdict(figures.of_picture(reader.picture())))
    elif once or not sys.stdout.isatty():
        watching.show(figures.of_picture(reader.picture()))
    else:
        with contextlib.suppress(KeyboardInterrupt):
            watching.watch(lambda: figures.of_picture(reader.picture()), interval)
