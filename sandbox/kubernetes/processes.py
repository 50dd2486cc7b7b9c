"""The processes of control planes: found by what they were started as, never by a pid file alone.

kwokctl starts each component through a link in its cluster's own folder. That path is the first
word of the process's command line, so nothing else can be taken for it, whatever a pid file says
after a reboot.
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
    """Return the live components of every control plane below a folder, and their names."""
    start = f"{folder}/"
    return {
        process: Path(command[0]).name
        for process, command in _commands()
        if command[0].startswith(start) and Path(command[0]).parent.name == "bin"
    }


def builders(folder: Path) -> list[psutil.Process]:
    """Return the runs of kwokctl that are still at work below a folder."""
    start = f"{folder}/"
    return [
        process
        for process, command in _commands()
        if Path(command[0]).name == "kwokctl" and any(word.startswith(start) for word in command)
    ]


def end_all(folder: Path, *, patience: float = 5.0) -> int:
    """End every process of the control planes below a folder; return how many there were.

    etcd is asked, since it has data to close; the others keep nothing and are ended at once. Works
    without the daemon: it needs no more than the folder.
    """
    ended: set[psutil.Process] = set()
    # Again until none is found: what was about to start a component may have done so just before
    # it was ended itself.
    for _ in range(3):
        found = _end(folder, patience)
        if not found:
            break
        ended |= found
    return len(ended)


def _end(folder: Path, patience: float) -> set[psutil.Process]:
    ended = set(builders(folder))
    for process in ended:
        _kill(process)
    asked: list[psutil.Process] = []
    for process, name in below(folder).items():
        ended.add(process)
        if name == "etcd":
            with contextlib.suppress(psutil.Error):
                process.terminate()
            asked.append(process)
        else:
            _kill(process)
    _, stubborn = psutil.wait_procs(asked, timeout=patience)
    for process in stubborn:
        _kill(process)
    psutil.wait_procs(list(ended), timeout=patience)
    return ended


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()


def forget_dead(state: Path) -> None:
    """Remove pid files whose process is gone, or is another one by now; kwokctl believes them."""
    alive = {process.pid for process in below(state)}
    for file in (state / "pids").glob("*.pid"):
        text = file.read_text().strip()
        if not text.isdigit() or int(text) not in alive:
            file.unlink(missing_ok=True)
