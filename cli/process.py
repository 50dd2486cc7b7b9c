"""Runs one `pulumi` command: its event log while it runs, Ctrl-C, and its end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    interactive: bool,
    take: Callable[[str], None],
    log: Path | None = None,
) -> tuple[int, bool, str]:
    """Run `pulumi` to its end: exit code, whether there was a Ctrl-C, and its output.

    `take` gets each line of the event log as it is written; `log` is the file of it, by default one
    that does not outlive the command. An interactive command has the terminal, and no output is
    captured.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = log or Path(scratch, "events")
        log.write_bytes(b"")
        logged = [*command, "--event-log", str(log)]
        captured = Path(scratch, "output")
        out = None if interactive else os.open(captured, os.O_WRONLY | os.O_CREAT, 0o600)
        child = subprocess.Popen(
            logged if interactive else [*logged, "--non-interactive", "--color", "never"],
            cwd=folder,
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=sys.stderr if out is None else out,
            stderr=subprocess.STDOUT,
            # A process group of its own, so that Ctrl-C reaches it once: from us.
            process_group=None if interactive else 0,
            preexec_fn=die_with_parent,  # noqa: PLW1509 (none of our threads runs yet)
        )
        done = threading.Event()
        reader = threading.Thread(target=_follow, args=(log, done, take), daemon=True)
        reader.start()
        code, is_interrupted = _wait(child, forward=not interactive)
        done.set()
        reader.join()
        if out is not None:
            os.close(out)
        output = captured.read_text(errors="replace") if captured.exists() else ""
    return code, is_interrupted, output


def _follow(log: Path, done: threading.Event, take: Callable[[str], None]) -> None:
    for line in _lines(log, done):
        take(line)


def die_with_parent() -> None:
    """In the child: die with the parent, so that `kill -9` leaves no process behind."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(child: subprocess.Popen[bytes], *, forward: bool) -> tuple[int, bool]:
    """Wait for the child: its exit code, and whether there was a Ctrl-C.

    Each Ctrl-C is forwarded: at the first the engine finishes the operations in progress, at the
    second it ends at once.
    """
    interrupted = False
    while True:
        try:
            return child.wait(), interrupted
        except KeyboardInterrupt:
            interrupted = True
            if forward:
                child.send_signal(signal.SIGINT)


def _lines(log: Path, done: threading.Event) -> Iterator[str]:
    """Complete lines of a growing file, until `done` is set.

    The engine empties it between the preview and the update of one command.
    """
    with log.open(encoding="utf-8") as file:
        pending = ""
        while True:
            finished = done.is_set()
            if log.stat().st_size < file.tell():
                file.seek(0)
                pending = ""
            pending += file.read()
            *whole, pending = pending.split("\n")
            yield from (line for line in whole if line.strip())
            if finished:
                return
            done.wait(0.05)
