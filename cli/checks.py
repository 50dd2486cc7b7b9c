"""The checks that need no account, no engine and no tests, as data; and how they are run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
LONGEST = "mypy"
"""The check that takes a minute of one core, where its cache is empty."""


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
    """Run checks side by side; tell what they found, and return the names of those that fail."""
    with running(commands) as told:
        return told(out)


@contextmanager
def running(commands: Mapping[str, Sequence[str]]) -> Iterator[Callable[[TextIO], list[str]]]:
    """Run checks side by side, as many as there are cores, while the context is open.

    What it gives waits for them, and returns the names of those that fail. It writes the output
    of each in the order of `commands`: what a check prints goes to the file, its messages to
    stderr.
    """
    pool = ThreadPoolExecutor(max(2, os.cpu_count() or 1))
    every = pool.map(_captured, commands.values())
    try:
        yield lambda out: [
            name
            for (name, command), done in zip(commands.items(), every, strict=True)
            if not _told(_heading(name, command), done, out)
        ]
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C no other begins


def _told(heading: str, done: subprocess.CompletedProcess[str], out: TextIO) -> bool:
    """Write what a check said, and return whether it passed."""
    console.say(heading)
    out.write(done.stdout)
    out.flush()
    sys.stderr.write(done.stderr)
    return not done.returncode


def _captured(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(command), cwd=ROOT, capture_output=True, text=True, check=False)


def _command(command: Sequence[str]) -> list[str]:
    return [str(_BIN / command[0]), *command[1:]]  # an absolute path stays itself


def _heading(name: str, command: Sequence[str]) -> str:
    return f"== {name}: {' '.join((Path(command[0]).name, *command[1:]))}"
