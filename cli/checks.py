"""The checks that need no account, no engine and no tests, as data; and how they are run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from cli import console
from cli.environments import ROOT

_BIN = Path(sys.executable).parent
_SCHEMA = "check-jsonschema"

CODE: Mapping[str, Sequence[str]] = {
    "ruff": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "."],
    "import-linter": ["lint-imports"],
    "hooks": ["prek", "validate-config", ".pre-commit-config.yaml"],
    "shellcheck": ["shellcheck", ".ci/run", "platformctl", "sandbox/pulumi.sh"],
    "generated files": ["python", "-m", "cli", "generate", "--check"],
}


def workflows(actionlint: Path) -> Mapping[str, Sequence[str]]:
    """The checks of `.github`. None of them uses the network."""
    schemas = {
        "vendor.github-workflows": ".github/workflows/*.yml",
        "vendor.github-actions": ".github/actions/*/action.yml",
        "vendor.dependabot": ".github/dependabot.yml",
    }
    every = (str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(".github/workflows/*.yml")))
    return {
        # Without these, the findings depend on what is installed on the machine.
        "actionlint": [str(actionlint), "-shellcheck=", "-pyflakes=", *every],
        "zizmor": ["zizmor", "--offline", "--no-progress", "--quiet", "."],
        **{
            f"schema of {pattern}": [
                *(_SCHEMA, "--builtin-schema", schema),
                *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(pattern))),
            ]
            for schema, pattern in schemas.items()
        },
    }


def passes(name: str, command: Sequence[str], out: TextIO | None = None) -> bool:
    """Run one check and return whether it passed; its output goes to `out`, by default stdout."""
    console.say(_heading(name, command))
    done = subprocess.run(_command(command), cwd=ROOT, stdout=out, check=False)
    return not done.returncode


def failed(commands: Mapping[str, Sequence[str]], out: TextIO) -> list[str]:
    """Run checks side by side, as many as there are cores; return the names of those that fail.

    The output of each is written when it has ended, in the order of `commands`: what a check
    prints goes to `out`, its messages to stderr.
    """
    found = []
    pool = ThreadPoolExecutor(max(2, os.cpu_count() or 1))
    try:
        for (name, command), done in zip(
            commands.items(), pool.map(_captured, commands.values()), strict=True
        ):
            console.say(_heading(name, command))
            out.write(done.stdout)
            out.flush()
            sys.stderr.write(done.stderr)
            if done.returncode:
                found.append(name)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C no other begins
    return found


def _captured(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(command), cwd=ROOT, capture_output=True, text=True, check=False)


def _command(command: Sequence[str]) -> list[str]:
    return [str(_BIN / command[0]), *command[1:]]  # an absolute path stays itself


def _heading(name: str, command: Sequence[str]) -> str:
    return f"== {name}: {' '.join((Path(command[0]).name, *command[1:]))}"
