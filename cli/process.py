"""Runs `pulumi` commands, in any thread: the event log while one runs, Ctrl-C, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Has the kernel kill the process when its parent ends (PR_SET_PDEATHSIG), and becomes the command.
# Not a `preexec_fn`: forking a process that has several threads is not safe.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, 9)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(slots=True, eq=False)
class _Command:
    """A running command that does not have the terminal."""

    child: subprocess.Popen[bytes]
    is_interrupted: bool = False


_commands: set[_Command] = set()
_guard = threading.Lock()


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
        if not interactive:
            logged += ["--non-interactive", "--color", "never"]
        child = subprocess.Popen(
            dying_with_us(logged),
            cwd=folder,
            env=environment,
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=sys.stderr if out is None else out,
            stderr=subprocess.STDOUT,
            # A process group of its own, so that Ctrl-C reaches it once: from us.
            process_group=None if interactive else 0,
        )
        done = threading.Event()
        reader = threading.Thread(target=_follow, args=(log, done, take), daemon=True)
        reader.start()
        code, is_interrupted = _wait(child, has_terminal=interactive)
        done.set()
        reader.join()
        if out is not None:
            os.close(out)
        output = captured.read_text(errors="replace") if captured.exists() else ""
    return code, is_interrupted, output


def _follow(log: Path, done: threading.Event, take: Callable[[str], None]) -> None:
    for line in _lines(log, done):
        take(line)


def dying_with_us(command: Sequence[str]) -> list[str]:
    """The command, so that on Linux it dies with the thread that starts it, also by `kill -9`."""
    if sys.platform != "linux":
        return list(command)
    boot = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
    return [*boot, *command]


def interrupt(*, again: bool = True) -> None:
    """Forward a Ctrl-C to the commands of all threads, except one that has the terminal.

    At the first, the engine finishes the operations in progress; at the second it ends at once.
    Without `again` only commands get one that have had none.
    """
    with _guard:
        for command in _commands:
            if again or not command.is_interrupted:
                command.is_interrupted = True
                command.child.send_signal(signal.SIGINT)


def _wait(child: subprocess.Popen[bytes], *, has_terminal: bool) -> tuple[int, bool]:
    """Wait for the child: its exit code, and whether there was a Ctrl-C.

    Python raises KeyboardInterrupt in the main thread only, which forwards it for all.
    """
    command = _Command(child)
    if not has_terminal:
        with _guard:
            _commands.add(command)
    try:
        while True:
            try:
                return child.wait(), command.is_interrupted
            except KeyboardInterrupt:
                command.is_interrupted = True
                interrupt()
    finally:
        with _guard:
            _commands.discard(command)


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
