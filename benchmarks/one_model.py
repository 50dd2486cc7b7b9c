"""The time of an update that changes one model of 100, compared with `pulumi up` of its stack.

`.venv/bin/python -m benchmarks.one_model` rehearses dev with more models in a copy of the
repository and a temporary home. Then it changes one model's replicas, in turns by
`platformctl up dev --yes` and by `pulumi up` in the serving layer's folder. The target is 1.3 times
the latter. Another layer than serving must not be updated. It needs the built engine. State the
machine with the figures.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks import history
from benchmarks.history import Figure
from benchmarks.policy_preview import ROOT, run
from gkeplatform import catalog_files, stack_values

TARGET, ROUNDS, MODELS = 1.3, 3, 100
FILES = 10
LAYER = "serving"
Json = dict[str, Any]


def main() -> int:
    """Measure and print the figures; 1 when the target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--models", type=int, default=MODELS)
    options = parser.parse_args()
    history.check(options)
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder, "repository"), Path(folder, "home"))
        repository.add(options.models)
        try:
            taken = repository.measure(options.rounds)
        finally:
            run([*repository.platformctl, "sandbox", "reset"], repository.root, repository.home)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, value in medians.items():
        print(f"{name:<16} {value:6.2f} s   {' '.join(f'{one:.2f}' for one in taken[name])}")
    ratio = medians["platformctl up"] / medians["pulumi up"]
    print(f"ratio            {ratio:6.2f}     target {TARGET}")
    figure = Figure(
        figure=f"update of one model of {options.models}",
        value=medians["platformctl up"],
        unit="s",
        peer=round(medians["pulumi up"], 2),
        against="`pulumi up`",
    )
    history.keep(options, "one_model", [figure])
    return int(ratio > TARGET)


class Repository:
    """A copy of the repository, with a sandbox of its own."""

    platformctl = (sys.executable, "-m", "cli")

    def __init__(self, root: Path, home: Path) -> None:
        hidden = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(ROOT, root, ignore=hidden)
        (root / ".venv").symlink_to(ROOT / ".venv")
        self.root = root
        variables = {"PYTHONPATH": str(root), "PLATFORM_SANDBOX_HOME": str(home)}
        self.home = {**os.environ, **variables, "PLATFORM_PLUGINS": "own"}
        self._folder = root / "stacks" / "models" / "benchmark"

    def add(self, number: int) -> None:
        """Add models to dev until it has so many, in a folder of files."""
        stack = self.root / "stacks" / "Pulumi.dev.yaml"
        own = catalog_files.own_models(stack_values.read("dev", root=self.root))
        example: Json = dict(own[0])
        small = {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "32Mi"}}
        entries = [
            {
                **example,
                "name": f"model-{place:03}",
                "replicas": {"min": 1, "max": 2},
                "exposure": {"kind": "cluster-ip"},
                "resources": small,
            }
            for place in range(number - len(own))
        ]
        self._folder.mkdir(parents=True)
        for place in range(FILES):
            if part := entries[place::FILES]:
                (self._folder / f"team-{place}.yaml").write_text(yaml.safe_dump(part))
        text = stack.read_text()
        key = f"  {catalog_files.MODELS}:\n"
        stack.write_text(text.replace(key, f"  {catalog_files.FOLDER}: models/benchmark\n{key}"))

    def change(self) -> None:
        """Give one model another limit of replicas."""
        file = self._folder / "team-0.yaml"
        entries = yaml.safe_load(file.read_text())
        entries[0]["replicas"]["max"] = 5 - entries[0]["replicas"]["max"]
        file.write_text(yaml.safe_dump(entries))

    def measure(self, rounds: int) -> dict[str, list[float]]:
        """Seconds of each way, a round after the other, so that other load affects both."""
        run([*self.platformctl, "rehearse", "dev"], self.root, self.home)
        shown = run([*self.platformctl, "sandbox", "env", "--json"], self.root, self.home)[1]
        variables = self.home | json.loads(shown)
        pack = ["--policy-pack", str(self.root / "policies")]
        update = [*self.platformctl, "up", "dev", "--yes", "--json"]
        run(update, self.root, variables)  # notes what all layers have read
        taken: dict[str, list[float]] = {"platformctl up": [], "pulumi up": []}
        for _ in range(rounds):
            self.change()
            seconds, text = run(update, self.root, variables)
            taken["platformctl up"].append(seconds)
            _check(json.loads(text))
            self.change()
            bare = {k: v for k, v in variables.items() if k != "PULUMI_OPTION_POLICY_PACK"}
            command = ["pulumi", "up", "--stack", "dev", "--yes", *pack]
            taken["pulumi up"].append(run(command, self.root / "infra" / LAYER, bare)[0])
            # What Pulumi alone has changed is noted, so that the next round begins as this one.
            run(update, self.root, variables)
        return taken


def _check(document: Json) -> None:
    """Exit where another layer than serving has been changed."""
    for one in document["layers"]:
        changed = {kind: n for kind, n in one["changes"].items() if n and kind != "same"}
        if bool(changed) != (one["layer"] == LAYER):
            sys.exit(f"{one['layer']}: {changed or 'not changed'}")


if __name__ == "__main__":
    sys.exit(main())
