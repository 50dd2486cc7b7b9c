"""`platformctl test`: every check and every test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import talk
from cli.environments import ROOT
from cli.errors import CliError
from sandbox import engine

_BIN = Path(sys.executable).parent
CHECKS = {
    "ruff": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "."],
    "import-linter": ["lint-imports"],
    "generated files": ["python", "-m", "cli", "generate", "--check"],
}


def run(
    context: typer.Context,
    fast: Annotated[
        bool, typer.Option("--fast", help="Without the tests that start real processes.")
    ] = False,
) -> None:
    """Run every check and every test; further arguments go to pytest."""
    if not fast:
        try:
            engine.ensure(talk.say)
        except engine.EngineError as error:
            raise CliError(str(error), error.hint) from error
    failed = [name for name, command in CHECKS.items() if not _passes(name, command)]
    chosen = ["-m", "not slow"] if fast else []
    # As many workers as cores: the slow tests share their processes by group.
    tests = ["pytest", "-q", "-n", "auto", *chosen, *context.args]
    if not _passes("tests", tests):
        failed.append("tests")
    if failed:
        raise CliError(f"failed: {', '.join(failed)}")


def _passes(name: str, command: list[str]) -> bool:
    talk.say(f"== {name}: {' '.join(command)}")
    return not subprocess.run([_BIN / command[0], *command[1:]], cwd=ROOT, check=False).returncode
