"""The sandbox's `pulumi` script: the stack file that it gives the real CLI."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli import checks

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "sandbox/pulumi.sh"
SALT = "\nencryptionsalt: v1:salt\n"
CONFIG = "config:\n  gke-cluster:name: main\n"
# Reports what it was given, as the real CLI would see it.
REAL = """#!/bin/sh
[ "$3 $4" = "stack --show-name" ] && echo organization/gke/dev && exit
echo "words $*"
echo "file $PULUMI_OPTION_CONFIG_FILE"
for file in Pulumi.*.yaml; do [ -f "$file" ] && echo "here $file" && cat "$file"; done
exit 3
"""


@dataclass
class Script:
    """A repository with a layer and a stack file, and the home of a sandbox."""

    folder: Path

    @property
    def layer(self) -> Path:
        return self.folder / "repo/infra/cluster"

    @property
    def stack_file(self) -> Path:
        return self.folder / "repo/stacks/Pulumi.dev.yaml"

    @property
    def copy(self) -> Path:
        return self.folder / "home/stacks/Pulumi.dev.yaml"

    def run(self, *words: str, cwd: Path | None = None, **variables: str) -> list[str]:
        """The lines that the real CLI printed; its exit code must come through."""
        environment = {k: v for k, v in os.environ.items() if k != "PULUMI_OPTION_CONFIG_FILE"}
        done = subprocess.run(
            ["/bin/sh", SCRIPT, self.folder / "real", self.folder / "home", *words],
            cwd=cwd or self.layer,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    made = Script(tmp_path / "a folder")
    for folder in (made.layer, made.stack_file.parent, made.folder / "home"):
        folder.mkdir(parents=True)
    (made.folder / "home/salt").write_text(SALT)
    (made.layer / "Pulumi.yaml").write_text("name: gke-cluster\nruntime: python\n")
    made.stack_file.write_text(CONFIG)
    real = made.folder / "real"
    real.write_text(REAL)
    real.chmod(0o755)
    return made


@pytest.mark.parametrize(
    "words",
    [
        ("up", "-s", "dev"),
        ("up", "--stack", "organization/gke/dev"),
        ("up", "--stack=dev", "--yes"),
        ("preview",),  # the selected stack
    ],
)
def test_a_copy_of_the_stack_file_has_the_salt(script: Script, words: tuple[str, ...]) -> None:
    assert script.run(*words)[:2] == [f"words {' '.join(words)}", f"file {script.copy}"]
    assert script.copy.read_text() == CONFIG + SALT
    assert script.stack_file.read_text() == CONFIG


def test_the_folder_may_be_given(script: Script) -> None:
    words = ("-C", str(script.layer), "up", "-s", "dev")
    assert script.run(*words, cwd=script.folder)[1] == f"file {script.copy}"


@pytest.mark.parametrize("own", ["encryptionsalt: v1:own", "secretsprovider: gcpkms://key"])
def test_a_stack_file_with_secrets_of_its_own_is_read_itself(script: Script, own: str) -> None:
    script.stack_file.write_text(f"{own}\n{CONFIG}")
    assert script.run("up", "-s", "dev")[1] == "file "
    assert not script.copy.exists()


@pytest.mark.parametrize("words", [("config", "-s", "dev"), ("version",), ("plugin", "ls")])
def test_other_commands_are_passed_on_unchanged(script: Script, words: tuple[str, ...]) -> None:
    assert script.run(*words)[:2] == [f"words {' '.join(words)}", "file "]
    assert not script.copy.exists()


def test_a_given_config_file_is_kept(script: Script) -> None:
    lines = script.run("up", "-s", "dev", PULUMI_OPTION_CONFIG_FILE="/chosen.yaml")
    assert lines[1] == "file /chosen.yaml"


@pytest.mark.parametrize("words", [("stack", "init", "dev"), ("stack", "init", "-s", "a/b/dev")])
def test_a_new_stack_is_made_outside_the_repository(script: Script, words: tuple[str, ...]) -> None:
    assert script.run(*words) == [
        f"words {' '.join(words)}",
        "file ",
        "here Pulumi.dev.yaml",
        *SALT.splitlines(),
    ]
    assert script.stack_file.read_text() == CONFIG
    assert [path.name for path in script.layer.iterdir()] == ["Pulumi.yaml"]


def test_every_shell_script_is_linted(capfd: pytest.CaptureFixture[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    scripts = {
        name
        for name in tracked
        if (ROOT / name).is_file()
        and (ROOT / name).read_bytes().partition(b"\n")[0]
        in (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash")
    }
    _, *linted = checks.CODE["shellcheck"]
    assert scripts == set(linted)
    assert checks.passes("shellcheck", checks.CODE["shellcheck"]), capfd.readouterr()
