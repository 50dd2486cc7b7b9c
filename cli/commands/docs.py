"""`platformctl docs`: the documentation as a site with search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.documentation import build
from cli.environments import ROOT


def docs(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to write; it is replaced.")
    ] = Path("site"),
) -> None:
    """Build the documentation as a site with search. Fails for a link that leads nowhere.

    It needs the packages of requirements-docs.lock and no network. The site is plain files,
    which work from a folder as from a web server, and fetch nothing elsewhere.
    """
    pages = build.build(ROOT, output)
    console.say(f"wrote {pages} pages to {output}")
