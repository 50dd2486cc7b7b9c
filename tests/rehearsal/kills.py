"""Kills parts of a rehearsal at random moments, and compares what there is at the end.

`PLATFORM_KILLS=30 pytest tests/rehearsal/test_kills.py` tries thirty moments; a seed gives the same
parts and places again, not the same instants.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from tests.rehearsal.workspace import PROJECTS, Workspace, changed

ENGINE, EVERYTHING, CLI = "engine", "everything", "cli"
_NAMES = {
    "gcp plugin": ("sandbox.plugins.gcp", "pulumi-resource-gcp"),
    "kubernetes plugin": ("pulumi-resource-kubernetes",),
    "random plugin": ("sandbox.plugins.random",),
    "language host": ("language_host", "pulumi-language-python"),
}
PARTS = (CLI, ENGINE, EVERYTHING, *(name for name in _NAMES if name != "random plugin"))
_OURS = ("pulumi", "language_host", "sandbox.plugins", "-m cli")
_STEP = re.compile(r"^(\w+) +(creating|created) ")
_SECONDS_TO_END = 20.0
# A digest of what differs between two sandboxes, such as the cluster's id.
_DIGEST = re.compile(r"(?<![0-9a-z])a?(?:[0-9a-f]{32}|[0-9a-f]{31}|[0-9a-f]{8})(?![0-9a-z])")
# What controllers make and remove as time passes, and what counts events.
_PASSING = frozenset({"Event", "Lease", "Pod", "EndpointSlice", "NodeMetrics", "PodMetrics"})


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
                if not self.is_hit and seen >= self._steps:
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
        engines = [one for one in children if _line(one).split(" ")[0].endswith("pulumi")]
        part = self._moment.part
        chosen = [one for one in children if any(n in _line(one) for n in _NAMES.get(part, ()))]
        victims = {CLI: [cli], EVERYTHING: [cli, *children]}.get(part) or chosen or engines
        for one in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return bool(victims)


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""


def processes_left(workspace: Workspace) -> list[str]:
    """The processes of runs that are still there some seconds after their end."""
    deadline = time.monotonic() + _SECONDS_TO_END
    while True:
        lines = (_line(process) for process in workspace.processes())
        left = [line[:150] for line in lines if any(name in line for name in _OURS)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def steps_of(output: str) -> dict[str, int]:
    """How many steps each layer shows in the output of a run."""
    return dict(Counter(found[1] for line in output.splitlines() if (found := _STEP.match(line))))


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that there is; names that are random are the same in each."""

    google: Counter[str]
    objects: Counter[str]
    states: Counter[str]

    def differences(self, expected: Inventory) -> list[str]:
        """What is there too much and too little."""
        return [
            f"{sign}{count} {what}"
            for mine, other in zip(_parts(self), _parts(expected), strict=True)
            for sign, one in (("+", mine - other), ("-", other - mine))
            for what, count in sorted(one.items())
        ]


def _parts(inventory: Inventory) -> Sequence[Counter[str]]:
    return inventory.google, inventory.objects, inventory.states


def inventory(workspace: Workspace) -> Inventory:
    """Everything in the emulated Google Cloud, in the cluster of dev, and in the states."""
    states = {layer: workspace.state(layer) for layer in PROJECTS}
    drawn = sorted(set(_random(states)), key=len, reverse=True)

    def plain(text: str) -> str:
        for one in drawn:
            text = text.replace(one, "<random>")
        return text

    return Inventory(
        google=Counter(plain(one) for one in _google(workspace)),
        objects=Counter(plain(one) for one in _objects(workspace)),
        states=Counter(one for layer, state in states.items() for one in _state(layer, state)),
    )


def _random(states: Mapping[str, Any]) -> Iterator[str]:
    for state in states.values():
        for one in state.get("resources") or ():
            if one["type"].startswith("random:"):
                values = one.get("outputs", {})
                yield from (v for k in ("hex", "result") if isinstance(v := values.get(k), str))


def _google(workspace: Workspace) -> Iterator[str]:
    """Collection and name; the display name where Google chooses the name."""
    file = workspace.home / "gcp" / "state.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT key, body FROM documents").fetchall()
    for key, body in rows:
        collection, _, name = key.rpartition("/")
        if collection.endswith(("/operations", "/changes")) or key.startswith("compute-endpoints/"):
            continue
        if key.startswith(("monitoring/", "billingbudgets/")):
            name = json.loads(body).get("displayName") or name
        yield _DIGEST.sub("<digest>", f"{collection}/{name}")


def _objects(workspace: Workspace) -> Iterator[str]:
    """Kind, namespace and name of what does not pass by itself."""
    kinds = workspace.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    wanted = ",".join(kind for kind in kinds if kind.split(".")[0] not in ("events", "leases"))
    for one in workspace.kubernetes(wanted, "-A")["items"]:
        metadata = one["metadata"]
        if one["kind"] not in _PASSING:
            yield f"{one['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _state(layer: str, state: Mapping[str, Any]) -> Iterator[str]:
    for one in state.get("resources") or ():
        marks = [mark for mark in ("delete", "pendingReplacement", "external") if one.get(mark)]
        yield " ".join([layer, one["urn"], *marks])
    for one in state.get("pending_operations") or ():
        yield f"{layer} {one['resource']['urn']} is noted as {one['type']}"


def locks(workspace: Workspace) -> list[str]:
    """The locks in the backend."""
    return [str(one) for one in (workspace.home / "state" / ".pulumi" / "locks").rglob("*.json")]


def unchanged(workspace: Workspace) -> dict[str, dict[str, int]]:
    """What another run changes, by layer: nothing, if all is well."""
    return {layer: counts for layer, counts in changed(workspace.rehearse()).items() if counts}
