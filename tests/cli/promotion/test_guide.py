"""The commands of the guide work as written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from cli.errors import Exit
from declared import ROOT

GUIDE = (ROOT / "docs" / "guides" / "promotion-and-rollback.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
]
EXPECTED = {"diff": Exit.CHANGES, "promote": Exit.OK}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_the_guide_has_commands() -> None:
    assert {shlex.split(line)[1] for line in COMMANDS} == set(EXPECTED)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_works_as_written(line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "./platformctl"
    done = run(*words[1:])
    assert done.returncode == EXPECTED[words[1]], done.stderr
    assert "dev" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["diff", "dev", "stag"], "did you mean `stage`"),
        (["promote", "dev", "dev", "--dry-run"], "not promoted to itself"),
        (["promote", "dev", "stage", "--yes"], "--yes needs a choice"),
        (["promote", "dev", "stage", "--models"], "this is not a terminal"),
        (["promote", "dev", "stage", "--models", "--all", "--dry-run"], "exclude each other"),
        (["promote", "dev", "stage", "--only", "a:b", "--dry-run"], "neither environment has it"),
        (["history", "de"], "did you mean `dev`"),
        (["rollback", "de"], "did you mean `dev`"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == Exit.USAGE
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
