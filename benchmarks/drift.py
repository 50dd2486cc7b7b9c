"""How much of what is changed behind Pulumi's back `drift` reports, and `up --refresh` repairs.

`.venv/bin/python -m benchmarks.drift dev`, in the shell of a sandbox in which the environment is
deployed. Each round changes values of all resources directly in the Kubernetes API server and the
emulated Google APIs, as many of each resource as `--each` says, and deletes some resources; then
`drift` must report each, and a rehearsal with `--refresh` must restore each. Before the first round
and after each, `drift` must find nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import history
from benchmarks.history import Figure
from benchmarks.mutations import Mutation, Resource, resources, revealed
from cli.drift.values import ABSENT, parsed
from cli.drills.cluster import Cluster
from cli.environments import ROOT
from gkeplatform.layers import LAYERS, Layer
from sandbox.home import Home

Json = dict[str, Any]
WANTED, REPORTED = 300, 0.99
DELETIONS = 8
"""Resources that are deleted in one round."""


@dataclass
class Figures:
    """What was changed in all rounds, and what became of it."""

    made: list[Mutation] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    unrepaired: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    def document(self) -> Json:
        """The figures as JSON."""
        return {
            "changes": len(self.made),
            "reported": len(self.made) - len(self.missed),
            "repaired": len(self.made) - len(self.unrepaired),
            "missed": self.missed,
            "unrepaired": self.unrepaired,
            "false": self.false,
        }

    @property
    def passes(self) -> bool:
        """Whether the targets are met."""
        told = len(self.made) - len(self.missed)
        return bool(self.made) and told >= REPORTED * len(self.made) and not (
            self.unrepaired or self.false
        )  # fmt: skip


def main() -> int:
    """Print the figures; 1 when a target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("environment")
    parser.add_argument("--number", type=int, default=WANTED, help="how many changes at least")
    parser.add_argument("--each", type=int, default=1, help="changes of one resource in one round")
    parser.add_argument("--layer", action="append", help="only these; repeatable")
    options = parser.parse_args()
    history.check(options)
    layers = [one for one in LAYERS if not options.layer or one.name in options.layer]
    run = Run(options.environment, layers)
    figures = Figures(false=list(told(run.drift())))
    while len(figures.made) < options.number and (made := run.mutate(options.each)):
        figures.made += made
        found = run.drift()
        explained = {id(one) for each in made for one in reports_of(each, found)}
        figures.missed += [
            str(one) for one in made if not any(True for _ in reports_of(one, found))
        ]
        figures.false += told(found, explained)
        run.repair()
        left = [str(one) for one in made if not run.is_repaired(one)]
        figures.unrepaired += left
        figures.false += [f"after the repair: {one}" for one in told(run.drift()) if not left]
        print(json.dumps(figures.document()), file=sys.stderr, flush=True)
    print(json.dumps(figures.document(), indent=1))
    missed = 100 * len(figures.missed) / max(len(figures.made), 1)
    most = round(100 * (1 - REPORTED), 3)
    of = f"changes of {options.environment} that drift does not report"
    history.keep(options, "drift", [Figure(figure=of, value=missed, unit="%", peer=most)])
    return int(not figures.passes)


class Run:
    """The environment that is changed, compared and repaired."""

    def __init__(self, environment: str, layers: Sequence[Layer]) -> None:
        """Reads the states of the layers."""
        self._environment, self._layers = environment, layers
        exports = {one.name: _export(one, environment) for one in layers}
        cluster = Cluster(Home.default(), _project(environment), os.environ)
        self._resources: list[Resource] = [
            one for layer, export in exports.items() for one in resources(layer, export, cluster)
        ]
        self._of = {one.urn: one for one in self._resources}
        self._deleted: set[str] = set()

    def mutate(self, each: int) -> list[Mutation]:
        """Change values of every resource; delete some, and those that have nothing to change."""
        made: list[Mutation] = []
        due = DELETIONS
        for one in reversed(self._resources):
            kind, changed = one.subject.kind, []
            if kind in self._deleted or due == 0:
                changed = list(one.mutate(each))
            if not changed and (gone := one.delete()):
                due -= kind not in self._deleted
                self._deleted.add(kind)
                changed = [gone]
            made += changed or one.mutate(each)
        return made

    def is_repaired(self, mutation: Mutation) -> bool:
        """Whether the account has again what it had."""
        return self._of[mutation.urn].has(mutation)

    def drift(self) -> Json:
        """The layers of `drift --json`."""
        done = _run("drift", self._environment, *self._named(), "--json")
        if done.returncode not in (0, 7):
            sys.exit(done.stderr)
        layers: Json = json.loads(done.stdout)["environments"][0]["layers"]
        return layers

    def repair(self) -> None:
        """Deploy again what was deployed, with the account read first."""
        done = _run("rehearse", self._environment, *self._named(), "--refresh")
        if done.returncode:
            sys.exit(done.stderr)
        for layer in self._layers:
            for one in _export(layer, self._environment)["deployment"]["resources"]:
                if found := self._of.get(one["urn"]):
                    found.subject.renew(revealed(one))

    def _named(self) -> list[str]:
        return [word for one in self._layers for word in ("--layer", one.name)]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _export(layer: Layer, environment: str) -> Json:
    command = ["pulumi", "stack", "export", "--show-secrets", "--stack", environment]
    folder = ROOT / layer.directory
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    export: Json = json.loads(done.stdout)
    return export


def _project(environment: str) -> str:
    command = ["pulumi", "config", "get", "gcp:project", "--stack", environment]
    folder = ROOT / LAYERS[0].directory
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def reports_of(mutation: Mutation, layers: Mapping[str, Any]) -> Iterator[Json]:
    """What tells the mutation: the same resource and path, and the value that was set."""
    wanted = parsed(mutation.path)
    for finding in layers[mutation.layer]["drift"]:
        if finding["urn"] != mutation.urn:
            continue
        if finding["deleted"]:
            yield finding
        for value in finding["values"]:
            path = parsed(value["path"])
            if wanted[: len(path)] != path:
                continue
            found = value.get("found", ABSENT)
            if value.get("secret") or _has(found, wanted[len(path) :], mutation.after):
                yield value


def _has(found: Any, rest: Sequence[str | int], after: Any) -> bool:
    """Whether the reported value is what was set, or a whole that has it."""
    if after is ABSENT:
        return True
    if not rest:
        return str(found).lower() == str(after).lower()
    return json.dumps(after) in json.dumps(found)


def told(layers: Mapping[str, Any], explained: set[int] | None = None) -> Iterator[str]:
    """What a report has beyond what is explained, each as text."""
    for name, layer in layers.items():
        for finding in layer["drift"]:
            rest = [one for one in finding["values"] if id(one) not in (explained or ())]
            for one in rest or (
                [finding] if finding["deleted"] and id(finding) not in (explained or ()) else []
            ):
                yield f"{name} {finding['urn'].rpartition('$')[2]}: {json.dumps(one)}"
        for one in layer["notDeployed"]:
            yield f"{name}: to be changed: {json.dumps(one)}"
        for one in layer["errors"]:
            yield f"{name}: {one}"


if __name__ == "__main__":
    sys.exit(main())
