"""`platformctl environments`: list the environments in the order of promotion."""

from __future__ import annotations

import json as json_
from typing import Annotated

import typer

from cli.environments import ROOT
from cli.errors import usage_error
from gkeplatform import promotion
from gkeplatform.errors import PlatformError


def environments(
    json: Annotated[bool, typer.Option("--json", help="Print one list on stdout.")] = False,
) -> None:
    """List the environments, each after the one that it is promoted from."""
    try:
        names = promotion.order(ROOT)
    except PlatformError as error:
        raise usage_error(error) from None
    print(json_.dumps(names) if json else "\n".join(names))
