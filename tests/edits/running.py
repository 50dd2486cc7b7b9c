"""Makes edits in a sandbox, several at once where they allow it, and takes them back."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from gkeplatform.layers import LAYERS
from tests.edits.edits import Edit, committed
from tests.edits.found import Found, differences, found
from tests.edits.merging import merged
from tests.rehearsal.workspace import Workspace, changed

Record = dict[str, Any]
_STEP = re.compile(r"^(\w+) +(created|updated|deleted|replaced) (\S+) (\S+)$", re.MULTILINE)
_RATE, _LONGEST = 10, 1200
_LOADED = ("resnet", "fraud")
"""Models under load: behind endpoint groups and behind instance groups."""


@dataclass(slots=True)
class Made:
    """What came of a batch of edits."""

    seconds: float = 0
    lost: int = 0
    sent: int = 0
    steps: list[list[str]] = field(default_factory=list)
    """Layer, verb, kind and name of what the first update did."""
    refused: str = ""
    problems: list[str] = field(default_factory=list)


class Runner:
    """One environment in one sandbox, which is as the committed file says between edits."""

    def __init__(self, workspace: Workspace, environment: str) -> None:
        self._workspace, self._environment = workspace, environment
        self._file = workspace.root / "stacks" / f"Pulumi.{environment}.yaml"
        self._first: Found = {}

    def begin(self) -> None:
        """Deploy the committed file and take the inventory that every edit goes back to."""
        self._write(committed(self._environment))
        self._up([layer.name for layer in LAYERS])
        self._first = found(self._workspace, self._environment)

    def make(self, edits: Sequence[Edit], layers: Sequence[str]) -> Made:
        """Make the edits in one update, update again, take them back, and compare."""
        made = Made()
        loads = [self._load(model) for model in _LOADED]
        try:
            self._write(merged(committed(self._environment), edits))
            document, output = self._up(layers)
            made.seconds = _seconds(document)
            made.steps = [list(one) for one in _STEP.findall(output)]
            if document is None:
                made.refused = _reason(output)
                if made.steps:
                    made.problems.append(f"failed halfway: {made.refused}")
            else:
                again, output = self._up(layers)
                made.problems += _unsettled(again, output, "the second update changes")
            self._write(committed(self._environment))
            back, output = self._up(layers)
            if back is None:
                made.problems.append(f"not taken back: {_reason(output)}")
        finally:
            self._write(committed(self._environment))
            for load in loads:
                sent, lost = _ended(load)
                made.sent, made.lost = made.sent + sent, made.lost + lost
        after = found(self._workspace, self._environment)
        made.problems += differences(self._first, after)[:20]
        return made

    def repair(self) -> bool:
        """Bring the environment back to the committed file after a failure; whether it is."""
        for _ in range(2):
            document, _ = self._up([layer.name for layer in LAYERS])
        after = found(self._workspace, self._environment)
        left = differences(self._first, after)
        self._first = after
        return document is not None and not left

    def _write(self, values: Mapping[str, Any]) -> None:
        self._file.write_text(yaml.safe_dump({"config": dict(values)}, sort_keys=False))

    def _up(self, layers: Sequence[str]) -> tuple[dict[str, Any] | None, str]:
        """The document of a rehearsal of the layers, or None where it failed; and its lines."""
        chosen = [word for layer in layers for word in ("--layer", layer)]
        done = self._workspace.platformctl(
            "rehearse", self._environment, *chosen, "--json", check=False, timeout=900
        )
        return (json.loads(done.stdout) if done.returncode == 0 else None), done.stderr

    def _load(self, model: str) -> subprocess.Popen[str]:
        options = ["--rate", str(_RATE), "--seconds", str(_LONGEST), "--json"]
        return subprocess.Popen(
            self._workspace.command("load", self._environment, model, *options),
            cwd=self._workspace.root,
            env=self._workspace.base_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )


def _seconds(document: Mapping[str, Any] | None) -> float:
    return round(sum(one["seconds"] for one in document["layers"]), 1) if document else 0


def _ended(load: subprocess.Popen[str]) -> tuple[int, int]:
    """End a load; how many requests were sent and lost."""
    load.send_signal(signal.SIGINT)
    try:
        output, _ = load.communicate(timeout=60)
        document = json.loads(output)
    except (subprocess.TimeoutExpired, ValueError):
        load.kill()
        load.communicate()
        return 0, 0
    if "sent" not in document:  # it could not begin
        return 0, 0
    return document["sent"], sum(document["lost"].values())


def _unsettled(document: dict[str, Any] | None, output: str, what: str) -> Iterator[str]:
    if document is None:
        yield f"the second update fails: {_reason(output)}"
        return
    for layer, counts in changed(document).items():
        if counts:
            steps = [" ".join(one[1:]) for one in _STEP.findall(output) if one[0] == layer]
            yield f"{what} {layer}: {', '.join(steps) or counts}"


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith("error:")]
    return (lines[-1] if lines else output.strip()[-300:]).removeprefix("error: ")


def records(
    edits: Mapping[str, Edit],
    batches: Sequence[tuple[Sequence[str], Sequence[str]]],
    runner: Runner,
    say: Callable[[str], None],
) -> Iterator[Record]:
    """Make each batch (names and layers); halve one that does not converge, down to one edit."""
    waiting = list(batches)
    while waiting:
        names, layers = waiting.pop(0)
        say(f"{len(names)} edits of {', '.join(layers)}: {' '.join(names)[:200]}")
        made = runner.make([edits[name] for name in names], layers)
        if (made.problems or made.refused) and len(names) > 1:
            say(f"  halved: {(made.problems or [made.refused])[0]}")
            if made.problems:
                runner.repair()
            half = len(names) // 2
            waiting[:0] = [(names[:half], layers), (names[half:], layers)]
            continue
        if made.problems:
            made.problems.append("" if runner.repair() else "the environment was not restored")
        for name in names:
            yield {
                "edit": name,
                "environment": edits[name].environment,
                "layers": list(layers),
                "verdict": _verdict(made),
                "seconds": made.seconds,
                "together": len(names),
                "sent": made.sent,
                "lost": made.lost,
                "steps": [one for one in made.steps if one[1] != "updated"],
                "says": made.refused or "\n".join(one for one in made.problems if one),
            }
    return


def _verdict(made: Made) -> str:
    if made.problems:
        return "does not converge"
    return "refused" if made.refused else "converges"
