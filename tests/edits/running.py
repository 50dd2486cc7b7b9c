"""Makes edits in a sandbox, several at once where they allow it, and takes them back."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from gkeplatform.layers import LAYERS
from tests.edits import outside
from tests.edits.edits import Edit, committed
from tests.edits.found import Found, differences, found
from tests.edits.merging import merged
from tests.edits.operations import Operations, performed, predicted
from tests.rehearsal.workspace import Workspace

Record = dict[str, Any]
_RATE, _LONGEST = 10, 1200
_PAUSE = 5.0  # seconds in which a controller takes its next step
_LOADED = ("resnet", "fraud")
"""Models under load: behind endpoint groups and behind instance groups."""


@dataclass(slots=True)
class Made:
    """What came of a batch of edits."""

    seconds: float = 0
    lost: int = 0
    sent: int = 0
    losses: list[str] = field(default_factory=list)
    """Of which model, why, and at which seconds of its load requests were lost."""
    done: Operations = field(default_factory=dict)
    """What the first update did."""
    predicted: Operations = field(default_factory=dict)
    """What the preview of all layers said that it would do."""
    unknown: list[str] = field(default_factory=list)
    """Layers of which the preview says that it cannot know."""
    refused: str = ""
    """Why the preview, or the update, failed."""
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
        outside.make(self._workspace)
        self._workspace.forget()  # the variables name the cluster only once there is one
        document, _, output = self._up()
        if document is None:
            raise SystemExit(f"the committed file cannot be deployed: {_reason(output)}")
        outside.make_in_cluster(self._workspace, self._environment)
        self._first = self._settled({})

    def make(self, edits: Sequence[Edit]) -> Made:
        """Preview the edits, make them in one update, update again, take them back, compare.

        What the preview refuses is not made, as `platformctl up` would not begin.
        """
        made = Made()
        self._write(merged(committed(self._environment), edits))
        made.predicted, made.unknown, made.refused = self._preview()
        if made.refused:
            self._write(committed(self._environment))
            return made
        loads = {model: self._load(model) for model in _LOADED}
        started, phases = time.monotonic(), []
        try:
            document, made.done, output = self._up()
            made.seconds = _seconds(document)
            phases.append(round(time.monotonic() - started))
            if document is None:
                made.problems.append(f"failed halfway: {_reason(output)}")
            else:
                again, steps, output = self._up()
                made.problems += _unsettled(again, steps, output)
            phases.append(round(time.monotonic() - started))
            self._write(committed(self._environment))
            back, _, output = self._up()
            phases.append(round(time.monotonic() - started))
            if back is None:
                made.problems.append(f"not taken back: {_reason(output)}")
        finally:
            self._write(committed(self._environment))
            for model, load in loads.items():
                figures = _ended(load)
                lost = sum(figures.get("lost", {}).values())
                made.sent, made.lost = made.sent + figures.get("sent", 0), made.lost + lost
                if lost:
                    made.losses.append(f"{model}: {_losses(figures)}; updated until {phases}")
        self._workspace.forget()  # a cluster that was replaced has another address
        outside.make_in_cluster(self._workspace, self._environment)  # they go with the cluster
        made.problems += differences(self._first, self._settled(self._first))[:20]
        return made

    def is_refused(self, edits: Sequence[Edit]) -> bool:
        """Whether the preview refuses the edits. Nothing is made."""
        self._write(merged(committed(self._environment), edits))
        refused = self._preview()[2]
        self._write(committed(self._environment))
        return bool(refused)

    def repair(self) -> bool:
        """Bring the environment back to the committed file after a failure; whether it is.

        Where it is not, the sandbox is made anew: what is left over would be taken for the first
        inventory of the next edits.
        """
        for _ in range(2):
            document, _, _ = self._up()
        if document is not None and not differences(self._first, self._settled(self._first)):
            return True
        self._workspace.platformctl("sandbox", "reset")
        self._workspace.forget()
        self.begin()
        return False

    def _settled(self, wanted: Found) -> Found:
        """What is found once it is as wanted, or controllers change it no more."""
        before, after = wanted, found(self._workspace, self._environment)
        while differences(wanted, after) and differences(before, after):
            time.sleep(_PAUSE)
            before, after = after, found(self._workspace, self._environment)
        return after

    def _write(self, values: Mapping[str, Any]) -> None:
        self._file.write_text(yaml.safe_dump({"config": dict(values)}, sort_keys=False))

    def _up(self) -> tuple[dict[str, Any] | None, Operations, str]:
        """The document of a rehearsal, or None where it failed; what it did; and its lines."""
        done = self._workspace.platformctl(
            "rehearse", self._environment, "--events", check=False, timeout=900
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        ended = [one for one in lines if one.get("event") == "end"]
        document = ended[-1] if done.returncode == 0 and ended else None
        return document, performed(lines), done.stderr

    def _preview(self) -> tuple[Operations, list[str], str]:
        """What the preview of all layers predicts, for which layers it cannot, why it fails."""
        done = self._workspace.run(
            *self._workspace.command("preview", self._environment, "--json"), check=False
        )
        try:
            document = json.loads(done.stdout)
        except ValueError:
            return {}, [], _reason(done.stderr) or "the preview ends without a word"
        if "layers" not in document:
            return {}, [], str(document.get("error") or _reason(done.stderr))
        failed = next((one["error"] for one in document["layers"] if one["error"]), "")
        unknown = [one["layer"] for one in document["layers"] if not one["previewed"]]
        return predicted(document), unknown, failed

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


def _ended(load: subprocess.Popen[str]) -> Mapping[str, Any]:
    """End a load; its figures, none where it could not begin."""
    load.send_signal(signal.SIGINT)
    try:
        output, _ = load.communicate(timeout=60)
        document: Mapping[str, Any] = json.loads(output)
    except (subprocess.TimeoutExpired, ValueError):
        load.kill()
        load.communicate()
        return {}
    return document if "sent" in document else {}


def _losses(figures: Mapping[str, Any]) -> str:
    why = ", ".join(f"{count} {name}" for name, count in figures["lost"].items() if count)
    at = [f"{one['second']} s" for one in figures["per_second"] if one["lost"]]
    return f"{why} ({figures['by_status']}) at {', '.join(at)} {figures.get('reason', '')}".strip()


def _unsettled(document: dict[str, Any] | None, steps: Operations, output: str) -> Iterator[str]:
    if document is None:
        yield f"the second update fails: {_reason(output)}"
    elif steps:
        told = (f"{operation} {kind} {name}" for (_, kind, name), operation in steps.items())
        yield f"the second update changes: {', '.join(told)}"


def _reason(output: str) -> str:
    """The last error with the lines that belong to it."""
    _, said, reason = output.rpartition("error: ")
    return " ".join(reason.split())[:600] if said else output.strip()[-300:]


def records(
    edits: Mapping[str, Edit],
    batches: Iterable[Sequence[str]],
    runner: Runner,
    say: Callable[[str], None],
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[list[Record]]:
    """Make each batch, and begin none when it is over.

    One that is refused goes on without the edit that is; one that fails is halved, down to one.
    """
    coming = iter(batches)
    waiting: list[Sequence[str]] = []
    while not is_over():
        names = waiting.pop(0) if waiting else next(coming, ())
        if not names:
            return
        say(f"{len(names)} edits: {' | '.join(names)[:1500]}")
        made = runner.make([edits[name] for name in names])
        if made.refused and len(names) > 1:
            one = _refused(names, edits, runner)
            say(f"  made without {one}: {made.refused}")
            waiting[:0] = [[one], [name for name in names if name != one]]
            continue
        if made.problems and len(names) > 1:
            say("  halved: " + "\n  ".join(made.problems[:5]))
            runner.repair()
            half = len(names) // 2
            waiting[:0] = [names[:half], names[half:]]
            continue
        if made.problems and not runner.repair():
            made.problems.append("the environment was not restored")
        yield [_record(edits[name], made, len(names)) for name in names]


def _refused(names: Sequence[str], edits: Mapping[str, Edit], runner: Runner) -> str:
    """One edit without which the others may be made."""
    while len(names) > 1:
        half = len(names) // 2
        first = names[:half]
        names = first if runner.is_refused([edits[name] for name in first]) else names[half:]
    return names[0]


def _record(edit: Edit, made: Made, together: int) -> Record:
    if made.refused:
        return {
            "edit": edit.name,
            "environment": edit.environment,
            "layers": [],
            "verdict": "refused",
            "says": made.refused,
        }
    operations = made.done.keys() | made.predicted.keys()
    return {
        "edit": edit.name,
        "environment": edit.environment,
        "layers": [one.name for one in LAYERS if any(one.name == at[0] for at in made.done)],
        "verdict": _verdict(made),
        "seconds": made.seconds,
        "together": together,
        "sent": made.sent,
        "lost": made.lost,
        **({"losses": made.losses} if made.losses else {}),
        "resources": len(operations),
        "unpredicted": [
            f"{kind} {name}: {made.predicted.get((layer, kind, name), 'nothing')} was predicted, "
            f"{made.done.get((layer, kind, name), 'nothing')} done"
            for layer, kind, name in sorted(operations)
            if made.done.get((layer, kind, name)) != made.predicted.get((layer, kind, name))
        ],
        "unknown": made.unknown,
        "steps": [
            [layer, operation, kind.rpartition(":")[2], name]
            for (layer, kind, name), operation in made.done.items()
            if operation in ("replace", "delete")
        ],
        "says": "\n".join(made.problems),
    }


def _verdict(made: Made) -> str:
    if made.problems:
        return "does not converge"
    return "converges" if made.done else "changes nothing"
