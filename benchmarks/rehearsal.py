"""The time of a rehearsal and the memory of its sandbox.

`.venv/bin/python -m benchmarks.rehearsal` needs the built engine and uses a temporary home. The
targets are 60 s from nothing, 20 s unchanged, 8 s until the sandbox answers, and 2 GiB. State the
machine with the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import history
from benchmarks.history import Figure

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"sandbox ready": 8.0, "from nothing": 60.0, "no change": 20.0}


def main() -> None:
    """Measure and print the figures, one a line."""
    options = history.parser(__doc__).parse_args()
    history.check(options)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PLATFORM_SANDBOX_HOME": str(Path(folder, "home"))}

        def run(*arguments: str) -> tuple[float, str]:
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "cli", *arguments],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=True,
            )
            return time.monotonic() - started, done.stdout

        try:
            seconds = {"sandbox ready": run("sandbox", "start")[0]}
            run("sandbox", "reset")
            seconds["from nothing"], _ = run("rehearse", "dev", "--json")
            seconds["no change"], _ = run("rehearse", "dev", "--json")
            status = json.loads(run("sandbox", "status", "--json")[1])
        finally:
            run("sandbox", "reset")
    for name, value in seconds.items():
        print(f"{name:<14} {value:6.1f} s    (target {TARGETS[name]:.0f} s)")
    print(f"memory         {status['memory_mib']:6} MiB  (target 2048 MiB)")
    named = {
        "from nothing": "rehearsal of dev from nothing",
        "no change": "rehearsal of dev without changes",
    }
    figures = [
        Figure(figure=figure, value=seconds[name], unit="s", peer=TARGETS[name])
        for name, figure in named.items()
    ]
    memory = status["memory_mib"] / 1024
    figures.append(Figure(figure="memory of a sandbox with dev", value=memory, unit="GiB", peer=2))
    history.keep(options, "rehearsal", figures)


if __name__ == "__main__":
    main()
