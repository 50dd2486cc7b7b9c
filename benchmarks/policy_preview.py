"""The time that the policy pack adds to the preview of a layer.

`.venv/bin/python -m benchmarks.policy_preview` rehearses dev in a temporary home, and then runs
`pulumi preview` of the serving layer with and without `--policy-pack`, alternately, so that other
load affects both. The target is at most 1.0 s more. It needs the built engine. State the machine
with the figures.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import history
from benchmarks.history import Figure

ROOT = Path(__file__).resolve().parents[1]
LAYER = ROOT / "infra" / "serving"
TARGET, ROUNDS = 1.0, 5


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, str]:
    """A command's seconds and standard output. Exits when it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {(done.stderr + done.stdout)[-2000:]}")
    return seconds, done.stdout


def main() -> int:
    """Measure and print the figures; 1 when the target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    history.check(options)
    rounds = options.rounds
    platformctl = [sys.executable, "-m", "cli"]
    preview = ["pulumi", "preview", "--stack", "dev"]
    commands = {
        "without the pack": preview,
        "with the pack": [*preview, "--policy-pack", str(ROOT / "policies")],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        home = {**os.environ, "PLATFORM_SANDBOX_HOME": str(Path(folder, "home"))}
        try:
            run([*platformctl, "rehearse", "dev"], ROOT, home)
            shown = run([*platformctl, "sandbox", "env", "--json"], ROOT, home)[1]
            environment = home | json.loads(shown)
            for command in commands.values():  # once, to fill file caches
                run(command, LAYER, environment)
            for _ in range(rounds):
                for name, command in commands.items():
                    seconds[name].append(run(command, LAYER, environment)[0])
        finally:
            run([*platformctl, "sandbox", "reset"], ROOT, home)
    for name, taken in seconds.items():
        print(f"{name:<17} {statistics.median(taken):6.2f} s   (best {min(taken):.2f} s)")
    pairs = zip(seconds["with the pack"], seconds["without the pack"], strict=True)
    added = statistics.median(one - other for one, other in pairs)
    print(f"{'added':<17} {added:6.2f} s   (target {TARGET} s)")
    name = "what the pack adds to a preview of serving"
    figure = Figure(figure=name, value=added, unit="s", peer=TARGET)
    history.keep(options, "policy_preview", [figure])
    return int(added > TARGET)


if __name__ == "__main__":
    sys.exit(main())
