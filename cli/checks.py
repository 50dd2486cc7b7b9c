"""The checks that need no account, no engine and no tests, as data; and how one is run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
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
    program = _BIN / command[0]  # an absolute path stays itself
    console.say(f"== {name}: {' '.join((program.name, *command[1:]))}")
    done = subprocess.run([program, *command[1:]], cwd=ROOT, stdout=out, check=False)
    return not done.returncode
