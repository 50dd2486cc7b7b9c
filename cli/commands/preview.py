"""`platformctl preview`: what `up` would do to all layers of an environment."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from cli import arguments, console, environments, layers
from cli.confirmation import check_credentials
from cli.impact import report, text, whole


class Format(StrEnum):
    """A form of the report."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


Formats = Annotated[
    Format, typer.Option("--format", "-f", help="The form of the report on stdout.")
]


def preview(
    environment: arguments.Environment,
    only: arguments.Named = None,
    *,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
    format_: Formats = Format.TEXT,
    json: arguments.Json = False,
) -> None:
    """Show what `up` would do to all layers, and what is lost by it. Changes nothing.

    Each layer is previewed with what the layers before it would publish. In the sandbox:
    eval "$(./platformctl sandbox env)" first.
    """
    environments.deployable(environment)
    chosen = layers.selected([*(only or ()), *(layer or ())], start)
    check_credentials()
    made = whole.impact(environment, os.environ, chosen)
    if json or format_ is Format.JSON:
        console.document({**report.document(made), "ok": not made.errors})
    else:
        print(text.markdown(made) if format_ is Format.MARKDOWN else text.plain(made))
    for error in made.errors[:1]:
        console.failure(error, as_json=False)
        raise typer.Exit(error.code)
