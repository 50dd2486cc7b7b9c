"""`platformctl preview`: what `up` would do to all layers of an environment."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console, environments, layers
from cli.confirmation import check_credentials
from cli.impact import picture, report, text, whole
from cli.impact.touched import touched
from cli.pictures import files


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
    picture_: Annotated[
        Path | None,
        typer.Option("--picture", help="Also draw what is touched: a file of its own (FILE.svg)."),
    ] = None,
) -> None:
    """Show what `up` would do to all layers, and what is lost by it. Changes nothing.

    Each layer is previewed with what the layers before it would publish. In the sandbox:
    eval "$(./platformctl sandbox env)" first.
    """
    if picture_ is not None:
        files.form(picture_, picture.FORMS)
    environments.deployable(environment)
    chosen = layers.selected([*(only or ()), *(layer or ())], start)
    check_credentials()
    made = whole.impact(environment, os.environ, chosen)
    if picture_ is not None:
        files.write(picture_, picture.svg(environment, touched(made)))
        console.say(f"wrote {picture_}")
    if json or format_ is Format.JSON:
        console.document({**report.document(made), "ok": not made.errors})
    else:
        print(text.markdown(made) if format_ is Format.MARKDOWN else text.plain(made))
    for error in made.errors[:1]:
        console.failure(error, as_json=False)
        raise typer.Exit(error.code)
