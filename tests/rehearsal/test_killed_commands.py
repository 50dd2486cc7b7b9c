"""Ctrl-C and `kill -9` of commands that read or write stack files: nothing is left behind.

Few moments here; `PLATFORM_KILLS=30 pytest -n 0 tests/rehearsal/test_killed_commands.py` tries
thirty for each command, `PLATFORM_KILLS_SEED` chooses others.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from cli.errors import Exit
from cli.promotion import plan
from tests.rehearsal import kills
from tests.rehearsal.test_kills import NUMBER, SEED
from tests.rehearsal.workspace import Workspace, changed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

KEY = "gke-serving:models[embeddings].autoscaling"
FILE = "stacks/Pulumi.dev.yaml"
COMMANDS: Mapping[str, Sequence[str]] = {
    "preview": ("preview", "dev"),
    "drift": ("drift", "dev"),
    "promote": ("promote", "stage", "dev", "--only", KEY, "--yes"),
    "rollback": ("rollback", "dev", "--yes", "--to"),
}
LONGEST_SECONDS = 12.0
"""By then each of the commands runs the engine, or has ended."""


@dataclass(frozen=True, slots=True)
class Point:
    """When to send which signal: some seconds after a line that begins with the mark."""

    command: str
    signal: signal.Signals
    mark: str = ""
    """Empty: the start of the process."""
    seconds: float = 0.0


POINTS = (
    Point("preview", signal.SIGINT, "cluster      previews", 2.0),
    Point("drift", signal.SIGKILL, "cluster      $", 1.0),
    Point("promote", signal.SIGKILL, "written: "),
    Point("rollback", signal.SIGINT, "cluster      previews", 1.0),
    Point("rollback", signal.SIGKILL, "cluster      previews", 2.0),
)
MORE = (
    Point("preview", signal.SIGKILL, "cluster      previews", 1.0),
    Point("drift", signal.SIGINT, "serving      $", 1.0),
    Point("promote", signal.SIGINT, "cluster      previews", 1.0),
)
"""Moments on demand: together they take a minute."""


def _points() -> Iterator[Point]:
    yield from POINTS
    if not NUMBER:
        return
    yield from MORE
    draw = random.Random(SEED)
    for name in COMMANDS:
        for _ in range(NUMBER):
            how = draw.choice([signal.SIGINT, signal.SIGKILL])
            yield Point(name, how, seconds=round(draw.uniform(0.5, LONGEST_SECONDS), 2))


class Killing:
    """Commands in one workspace that are ended by a signal."""

    def __init__(self, dev: Workspace) -> None:
        self._dev = dev
        self._file = dev.root / FILE
        self.original = self._file.read_text()
        self.edited = self.original.replace("max: 10}", "max: 9}", 1)
        made = plan.plan("stage", "dev", dev.root, only=(KEY,), models=False)
        self.promoted = made.files.texts[FILE]
        listed = json.loads(dev.run(*dev.command("history", "dev", "--json")).stdout)
        self._number = str(listed["deployments"][-1]["number"])

    def words(self, name: str) -> list[str]:
        return [*COMMANDS[name], *([self._number] if name == "rollback" else [])]

    def prepare(self, name: str) -> tuple[str, str]:
        """Write the file that the command begins with; that, and the one that it writes."""
        old = self.edited if name == "rollback" else self.original
        self._file.write_text(old)
        return old, {"promote": self.promoted, "rollback": self.original}.get(name, old)

    def end(self, point: Point) -> None:
        """Run the command and end it; what is left must be as before, or as written."""
        old, new = self.prepare(point.command)
        states = self._states()
        code, text = self._ended(point)
        assert "Traceback" not in text, text
        assert kills.processes_left(self._dev) == [], point
        assert self._file.read_text() in (old, new), point
        if point.signal is signal.SIGINT and code:
            assert code == Exit.CANCELLED, (code, text)
            assert text.count("error: ") == 1, text
            if point.command == "rollback" and " up --stack" not in text:
                assert self._file.read_text() == old
        if " up --stack" not in text:  # so far nothing may be written but the file
            assert kills.locks(self._dev) == []
            assert self._states() == states, point

    def _states(self) -> dict[str, bytes]:
        folder = self._dev.home / "state" / ".pulumi" / "stacks"
        return {str(path): path.read_bytes() for path in folder.rglob("*.json")}

    def _ended(self, point: Point) -> tuple[int, str]:
        lines: list[str] = []
        is_due = threading.Event()
        if not point.mark:
            is_due.set()

        def read(output: Iterable[str]) -> None:
            for line in output:
                lines.append(line)
                if point.mark and line.startswith(point.mark):
                    is_due.set()
            is_due.set()

        with subprocess.Popen(
            self._dev.command(*self.words(point.command)),
            cwd=self._dev.root,
            env=dict(self._dev.environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            reader = threading.Thread(target=read, args=(process.stdout or (),))
            reader.start()
            assert is_due.wait(120), lines
            if point.mark:
                assert any(line.startswith(point.mark) for line in lines), "".join(lines)
            time.sleep(point.seconds)
            if process.poll() is None:
                if point.signal is signal.SIGKILL:
                    process.kill()
                else:  # as a terminal does, to the process group
                    os.killpg(process.pid, signal.SIGINT)
            code = process.wait(120)
            reader.join(60)
        return code, "".join(lines)


def test_what_ends_a_command_leaves_nothing_behind(dev: Workspace) -> None:
    killing = Killing(dev)
    assert killing.edited != killing.original != killing.promoted
    try:
        for point in _points():
            killing.end(point)
        if NUMBER:
            for name in COMMANDS:
                killing.prepare(name)
                dev.run(*dev.command(*killing.words(name)))
        killing.prepare("rollback")
        dev.run(*dev.command(*killing.words("rollback")))
        assert (dev.root / FILE).read_text() == killing.original
        assert kills.locks(dev) == []
    finally:
        (dev.root / FILE).write_text(killing.original)
    if NUMBER:
        assert all(not found for found in changed(dev.rehearse()).values())
