"""What the Kubernetes provider leaves in its temporary directory does not outlive its next run."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from sandbox.engine import kubernetes_plugin

LEAVES = """#!/bin/sh
file=$(mktemp -t kubeconfigXXXXXX)
echo "$$ $file"
[ "$1" = ends ] || exec cat
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The script that is installed, around a provider that leaves a file as the real one does."""
    binary = tmp_path / "it's a provider"
    binary.write_text(LEAVES)
    found = tmp_path / "plugin"
    found.write_text(kubernetes_plugin.script(binary, tmp_path / "home" / "tmp"))
    for one in (binary, found):
        one.chmod(0o755)
    return found


def start(plugin: Path, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
    """The provider's process once it has left its file, and that file."""
    variables = {**os.environ, "TMPDIR": str(plugin.parent)}
    process = subprocess.Popen(
        [plugin, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
    assert process.stdout
    pid, name = process.stdout.readline().rstrip("\n").split(" ", 1)
    assert int(pid) == process.pid  # so a signal to the process reaches the provider
    return process, Path(name)


def ended(plugin: Path) -> Path:
    """The file that a provider left which has ended."""
    process, file = start(plugin, "ends")
    process.communicate()
    return file


def test_a_file_is_below_the_sandboxs_home_and_for_its_owner_alone(plugin: Path) -> None:
    file = ended(plugin)
    assert file.is_relative_to(plugin.parent / "home" / "tmp")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert not list(plugin.parent.glob("kubeconfig*"))


def test_the_next_run_removes_what_an_ended_one_left(plugin: Path) -> None:
    first, second = ended(plugin), ended(plugin)
    assert not first.exists()
    assert list((plugin.parent / "home" / "tmp").glob("*/*")) == [second]


def test_a_run_that_has_not_ended_keeps_its_files(plugin: Path) -> None:
    process, kept = start(plugin)
    ended(plugin)
    assert kept.exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ended(plugin)
    assert not kept.exists()
