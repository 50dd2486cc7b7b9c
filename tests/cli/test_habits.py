"""The pre-commit hooks run the checks of `platformctl test`; CODEOWNERS names what exists."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import checks

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / ".pre-commit-config.yaml"
HOOKS: dict[str, dict[str, Any]] = {
    hook["name"]: hook
    for repository in yaml.safe_load(CONFIG.read_text())["repos"]
    for hook in repository["hooks"]
}
OWNED = [
    line.split()
    for line in (ROOT / "CODEOWNERS").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_every_repository_of_hooks_is_local() -> None:
    # A remote one pins its tools a second time, and cannot be had without a network.
    repositories = yaml.safe_load(CONFIG.read_text())["repos"]
    assert {repository["repo"] for repository in repositories} == {"local"}


@pytest.mark.parametrize("name", ["ruff", "mypy", "import-linter", "generated files"])
def test_a_hook_runs_the_tool_of_the_check(name: str) -> None:
    program = Path(shlex.split(HOOKS[name]["entry"])[0])
    assert (ROOT / program).exists() or program.parent == Path(".venv/bin")
    assert program.name in {checks.CODE[name][0], "platformctl"}


def test_every_tool_of_a_hook_is_a_locked_dependency() -> None:
    for hook in HOOKS.values():
        program = Path(shlex.split(hook["entry"])[0])
        if program.parent == Path(".venv/bin"):
            assert (Path(sys.executable).parent / program.name).exists()


def test_the_hooks_are_valid() -> None:
    assert checks.passes("hooks", checks.CODE["hooks"])


def test_an_invalid_hook_is_reported(tmp_path: Path) -> None:
    bad = tmp_path / ".pre-commit-config.yaml"
    bad.write_text(CONFIG.read_text().replace("        entry: ./platformctl", "        entri: ./p"))
    command = [str(Path(sys.executable).parent / "prek"), "validate-config", str(bad)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_an_owned_path_exists() -> None:
    for pattern, *_ in OWNED:
        if pattern == "*" or pattern.startswith("/stacks/models/"):
            continue  # an environment need not have a folder of models
        assert (ROOT / pattern.strip("/")).exists(), pattern


def test_every_owner_is_a_team_of_one_organisation() -> None:
    owners = {owner for _, *owners in OWNED for owner in owners}
    assert {owner.split("/")[0] for owner in owners} == {"@acme-example"}
