"""`platformctl preview`: what `up` would do to all layers of an environment."""

from __future__ import annotations

import os
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from cli import arguments, console, environments, judging, layers
from cli.commands.up import check_credentials
from cli.impact import preview as previews
from cli.impact import report, text
from cli.impact.preview import LayerPlan
from gkeplatform.layers import named


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
    chosen = layers.selected(layer, start)
    check_credentials()
    run = partial(previews.preview_layer, environment, os.environ)
    plans = previews.preview(chosen, run, console.say)
    made = report.impact(environment, plans, _declared(environment, plans))
    if json or format_ is Format.JSON:
        console.document({**report.document(made), "ok": not made.errors})
    else:
        print(text.markdown(made) if format_ is Format.MARKDOWN else text.plain(made))
    for error in made.errors[:1]:
        console.failure(error, as_json=False)
        raise typer.Exit(error.code)


def _declared(environment: str, plans: list[LayerPlan]) -> dict[str, dict[str, int]]:
    """The resources that the programs of layers without a stack declare. Raises CliError."""
    missing = [named(plan.layer) for plan in plans if not plan.is_deployed]
    if not missing:
        return {}
    found = judging.declared_by(environment, missing)
    return {layer.name: report.by_type(one.type for one in its) for layer, its in found}
