"""`platformctl generate`: writes the generated files, or checks that they are fresh."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.environments import ROOT
from cli.errors import CliError

# Modules with `render() -> {path: text}`. Paths are relative to the repository's root.
GENERATORS = (
    "benchmarks.page",
    "cli.diagrams.pages",
    "cli.exit_codes",
    "cli.stack_reference",
    "policies.reference",
    "sandbox.gcp.coverage",
    "sandbox.gcp.documents_update",
    "sandbox.plugins.gcp.schema_update",
    "tests.edits.page",
)


def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Only report stale files; write nothing.")
    ] = False,
) -> None:
    """Write the JSON Schema, the key tables and the reference pages."""
    stale = [(path, text) for path, text in rendered() if not _is_fresh(path, text)]
    if check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path, _ in stale)
        raise CliError(f"stale: {names}", "./platformctl generate")
    for path, text in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        console.say(f"wrote {path.relative_to(ROOT)}")


def rendered() -> list[tuple[Path, str]]:
    """Every generated file with its text."""
    files: list[tuple[Path, str]] = []
    for name in GENERATORS:
        for path, text in import_module(name).render().items():
            files.append((ROOT / path, text))
    return files


def _is_fresh(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text
