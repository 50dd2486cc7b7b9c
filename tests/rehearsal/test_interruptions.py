"""An interrupted rehearsal loses no resource and leaves no process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Any

import psutil
import pytest

from tests.rehearsal import inventories, kills
from tests.rehearsal.workspace import FORKED, Workspace, command_line

pytestmark = pytest.mark.slow


def _start_and_wait_for(workspace: Workspace, layer: str) -> subprocess.Popen[str]:
    """A rehearsal that is in the middle of a layer."""
    process = subprocess.Popen(
        workspace.command("rehearse", "dev"),
        cwd=workspace.root,
        env=workspace.base_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(f"{layer} ") and "creating" in line and "::" not in line:
            return process
    process.communicate()
    raise AssertionError(f"the rehearsal ended before its layer {layer}:\n" + "".join(seen))


def _drain(process: subprocess.Popen[str], timeout: float) -> str:
    out, _ = process.communicate(timeout=timeout)
    return out or ""


def _engine_processes(workspace: Workspace) -> list[str]:
    """The engine's processes: CLI, language host, program, plugins; not the sandbox's."""
    names = ("pulumi", "language_host", "sandbox.plugins", "-m cli", FORKED)
    lines = [command_line(process) for process in workspace.processes()]
    return [line for line in lines if any(name in line for name in names)]


def _completes(document: dict[str, Any]) -> None:
    assert len(document["layers"]) == 4
    assert document["address"]


@pytest.mark.xdist_group("interruptions")
def test_the_next_rehearsal_completes_one_ended_by_ctrl_c(other_workspace: Workspace) -> None:
    for layer in ("cluster", "serving"):
        process = _start_and_wait_for(other_workspace, layer)
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        text = _drain(process, 120)
        assert process.returncode == 8, text
        assert "Traceback" not in text
        assert _engine_processes(other_workspace) == []

    # A plugin is killed: the engine takes what it was creating for failed.
    for layer, part in (("serving", "kubernetes plugin"), ("networking", "gcp plugin")):
        killed_part = kills.Killed(other_workspace, kills.Moment(layer, 0.1, 0.2, part), 40)
        text = killed_part.run()
        assert killed_part.is_hit
        assert "the plugin ended before it answered" in text, text
        assert "it settles what was interrupted" in text, text

    # The engine is killed with a creation on its way: the next run settles it.
    process = _start_and_wait_for(other_workspace, "networking")
    for one in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.name() == "pulumi":
                one.kill()
    text = _drain(process, 120)
    assert "networking: the engine was ended by signal 9" in text, text
    _completes(other_workspace.rehearse())
    for layer in ("cluster", "serving", "networking", "environment"):
        assert not other_workspace.state(layer).get("pending_operations")

    # The same sandbox with SIGKILL: the CLI dies at once, and its children with it.
    stack = other_workspace.root / "stacks" / "Pulumi.dev.yaml"
    stack.write_text(stack.read_text().replace("max: 10", "max: 9"))
    killed = subprocess.Popen(
        other_workspace.command("rehearse", "dev"),
        cwd=other_workspace.root,
        env=other_workspace.base_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any("language_host" in line for line in _engine_processes(other_workspace)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(60)
    deadline = time.monotonic() + 60
    while left := _engine_processes(other_workspace):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    _completes(other_workspace.rehearse())
    assert inventories.twice(inventories.inventory(other_workspace)) == []


@pytest.mark.xdist_group("rehearsal")
def test_a_dead_daemon_is_restarted(dev: Workspace) -> None:
    for process in dev.processes():
        if "sandbox.daemon" in command_line(process):
            process.kill()
    dev._environment.clear()
    document = dev.rehearse()
    assert sum(layer["changes"]["create"] for layer in document["layers"]) == 0
