"""Processes of control planes, found by their command lines, not by pid files.

kwokctl starts each component through a link in its cluster's folder. That path is the process's
argv[0], so no other process can be mistaken for it, even if a pid file is stale after a reboot.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok-controller",
    "metrics-server",
)


def _commands() -> Iterator[tuple[psutil.Process, list[str]]]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and (command := process.cmdline()):
                yield process, command


def below(folder: Path) -> dict[psutil.Process, str]:
    """Return the running components of all control planes below a folder, with their names."""
    start = f"{folder}/"
    return {
        process: Path(command[0]).name
        for process, command in _commands()
        if command[0].startswith(start) and Path(command[0]).parent.name == "bin"
    }


def builders(folder: Path) -> list[psutil.Process]:
    """Return the running kwokctl processes of a folder."""
    start = f"{folder}/"
    return [
        process
        for process, command in _commands()
        if Path(command[0]).name == "kwokctl" and any(word.startswith(start) for word in command)
    ]


def end_all(folder: Path, *, timeout: float = 5.0) -> int:
    """Stop all processes of the control planes below a folder. Return their number.

    etcd gets SIGTERM, since it has data to close; the others are killed. Works without the daemon.
    """
    ended: set[psutil.Process] = set()
    # Repeat until none is found: a process may have started a component just before
    # it was stopped itself.
    for _ in range(3):
        found = _end(folder, timeout)
        if not found:
            break
        ended |= found
    return len(ended)


def _end(folder: Path, timeout: float) -> set[psutil.Process]:
    ended = set(builders(folder))
    for process in ended:
        _kill(process)
    terminated: list[psutil.Process] = []
    for process, name in below(folder).items():
        ended.add(process)
        if name == "etcd":
            with contextlib.suppress(psutil.Error):
                process.terminate()
            terminated.append(process)
        else:
            _kill(process)
    _, stubborn = psutil.wait_procs(terminated, timeout=timeout)
    for process in stubborn:
        _kill(process)
    psutil.wait_procs(list(ended), timeout=timeout)
    return ended


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()


def forget_dead(state: Path) -> None:
    """Remove stale pid files, which kwokctl would trust."""
    alive = {process.pid for process in below(state)}
    for file in (state / "pids").glob("*.pid"):
        text = file.read_text().strip()
        if not text.isdigit() or int(text) not in alive:
            file.unlink(missing_ok=True)
