"""What a shell completes: commands, environments, layers, models, drills and rules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer._completion_shared import get_completion_script

from cli.app import application
from declared import ROOT

NAMED = {"environment", "source", "target", "env", "only", "layer", "start", "model", "rule"}
"""Parameters that take a name of the repository, wherever they occur."""
FREE = {("size", "model"), ("promote", "only")}
"""Not such a name: a language model of Hugging Face; keys of a stack file."""


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    environment = {
        "_PLATFORMCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["platformctl", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cli"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rol"], {"rollback"}),
        (["up", "st"], {"stage"}),
        (["promote", "stage", "d"], {"dev"}),
        (["up", "dev", "net"], {"networking"}),
        (["drift", "dev", "--layer", "cl"], {"cluster"}),
        (["load", "dev", "res"], {"resnet"}),
        (["request", "nowhere", ""], set()),
        (["drill", "node-dr"], {"node-drain"}),
        (["drill", "node-drain", "dev", "res"], {"resnet"}),
    ],
)
def test_names_are_completed(words: list[str], expected: set[str]) -> None:
    assert set(completed(*words)) == expected


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, *names, name)
        else:
            yield " ".join([*names, name]), one


PARAMETERS = [
    (name, parameter)
    for name, command in commands(typer.main.get_command(application()))
    for parameter in command.params
    if parameter.name in NAMED and (name, parameter.name) not in FREE
]


@pytest.mark.parametrize(
    ("command", "parameter"), PARAMETERS, ids=[f"{name} {one.name}" for name, one in PARAMETERS]
)
def test_every_name_can_be_completed(command: str, parameter: Any) -> None:
    assert parameter._custom_shell_complete is not None, command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    script = get_completion_script(
        prog_name="platformctl", complete_var="_PLATFORMCTL_COMPLETE", shell=shell
    )
    assert "_PLATFORMCTL_COMPLETE" in script
