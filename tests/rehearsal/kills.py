"""Kills parts of a rehearsal at random moments.

`PLATFORM_KILLS=30 pytest tests/rehearsal/test_kills.py` tries thirty moments; a seed gives the same
parts and places again, not the same instants.
"""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from tests.rehearsal.workspace import FORKED, PROJECTS, Workspace, changed, command_line

ENGINE, EVERYTHING, CLI = "engine", "everything", "cli"
_NAMES = {
    "gcp plugin": ("sandbox.plugins.gcp", "pulumi-resource-gcp"),
    "kubernetes plugin": ("pulumi-resource-kubernetes",),
    "random plugin": ("sandbox.plugins.random",),
    "language host": ("language_host", "pulumi-language-python"),
}
PARTS = (CLI, ENGINE, EVERYTHING, *(name for name in _NAMES if name != "random plugin"))
_OURS = ("pulumi", "language_host", "sandbox.plugins", "-m cli", FORKED)
_STEP = re.compile(r"^(\w+) +(creating|created) ")
_SECONDS_TO_END = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill what: at a part of a layer's steps that are left, and some seconds later."""

    layer: str
    fraction: float
    seconds: float
    part: str

    def __str__(self) -> str:
        return f"{self.part}, {self.seconds:.2f} s after {self.fraction:.0%} of {self.layer}"


def moments(seed: int, number: int, layers: Sequence[str] = tuple(PROJECTS)) -> list[Moment]:
    """Random moments in the order of the layers; each run continues what the one before left."""
    draw = random.Random(seed)
    places = sorted(draw.choices(layers, k=number), key=list(layers).index)
    return [
        Moment(
            layer,
            round(draw.uniform(0, 0.8), 2),
            round(draw.uniform(0, 0.8), 2),
            draw.choice(PARTS),
        )
        for layer in places
    ]


class Killed:
    """A rehearsal, one part of which is killed."""

    def __init__(self, workspace: Workspace, moment: Moment, steps: int) -> None:
        """`steps` is how many the moment's layer has left."""
        self._workspace = workspace
        self._moment = moment
        self._steps = max(1, round(steps * moment.fraction))
        names = list(PROJECTS)
        self._later = names[names.index(moment.layer) + 1 :] if moment.layer in names else []
        self.lines: list[str] = []
        self.is_hit = False
        self.returncode = 0

    def run(self) -> str:
        """Run it to its end; its output. Nothing is hit when the layer has fewer steps."""
        with subprocess.Popen(
            self._workspace.command("rehearse", "dev"),
            cwd=self._workspace.root,
            env=self._workspace.base_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            seen = 0
            for line in process.stdout or ():
                self.lines.append(line)
                found = _STEP.match(line)
                seen += bool(found and found[1] == self._moment.layer)
                # With fewer steps than expected, it is hit when the next layer begins.
                is_late = bool(found and found[1] in self._later)
                if not self.is_hit and (seen >= self._steps or is_late):
                    time.sleep(self._moment.seconds)
                    self.is_hit = self._kill(psutil.Process(process.pid))
            self.returncode = process.wait(300)
        return "".join(self.lines)

    def _kill(self, cli: psutil.Process) -> bool:
        """Kill the part; the engine where the layer has no such process now."""
        try:
            children = cli.children(recursive=True)
        except psutil.NoSuchProcess:
            return False
        lines = {one: command_line(one) for one in children}
        engines = [one for one, line in lines.items() if line.split(" ")[0].endswith("pulumi")]
        part = self._moment.part
        names = _NAMES.get(part, ())
        chosen = [one for one, line in lines.items() if any(name in line for name in names)]
        victims = {CLI: [cli], EVERYTHING: [cli, *children]}.get(part) or chosen or engines
        for one in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return bool(victims)


def processes_left(workspace: Workspace) -> list[str]:
    """The processes of runs that are still there some seconds after their end."""
    deadline = time.monotonic() + _SECONDS_TO_END
    while True:
        lines = (command_line(process) for process in workspace.processes())
        left = [line[:150] for line in lines if any(name in line for name in _OURS)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def steps_of(output: str) -> dict[str, int]:
    """How many steps each layer shows in the output of a run."""
    return dict(Counter(found[1] for line in output.splitlines() if (found := _STEP.match(line))))


def locks(workspace: Workspace) -> list[str]:
    """The locks in the backend."""
    return [str(one) for one in (workspace.home / "state" / ".pulumi" / "locks").rglob("*.json")]


class Kills:
    """Rehearsals of dev in one workspace, killed one after the other, and completed."""

    def __init__(self, workspace: Workspace, steps: Mapping[str, int]) -> None:
        """`steps` is how many each layer shows when it is deployed from nothing."""
        self._workspace = workspace
        self._left = dict(steps)
        self.hit: list[Moment] = []

    def kill(self, moment: Moment) -> int:
        """Start a rehearsal and kill the part; returns its exit code."""
        killed = Killed(self._workspace, moment, self._left[moment.layer])
        output = killed.run()
        if killed.is_hit:
            self.hit.append(moment)
        for line in killed.lines:
            found = _STEP.match(line)
            if found and found[2] == "created":
                self._left[found[1]] -= 2
        assert "Traceback" not in output, f"{moment}:\n{output}"
        assert processes_left(self._workspace) == [], moment
        return killed.returncode

    def complete(self) -> str:
        """The next rehearsal completes, and one more changes nothing; returns its output."""
        done = self._workspace.platformctl("rehearse", "dev")
        assert changed(self._workspace.rehearse()) == {layer: {} for layer in PROJECTS}
        assert locks(self._workspace) == []
        return done.stdout + done.stderr
