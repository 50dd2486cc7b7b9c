"""The time of a run without changes, compared with the least that four engine runs take.

`.venv/bin/python -m benchmarks.unchanged_runs` rehearses dev in a temporary home. Then it times in
turns: `rehearse` and `preview` of dev, the previews of four empty programs, and the imports of the
four layers' SDKs. The target of both commands is 0.8 of the sum of the last two. It needs the built
engine. State the machine with the figures.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import history
from benchmarks.history import Figure
from benchmarks.layer_imports import PROVIDERS, SDKS
from benchmarks.policy_preview import ROOT, run

TARGET, ROUNDS = 0.8, 3


def main() -> int:
    """Measure and print the figures; 1 when a target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    history.check(options)
    rounds = options.rounds
    with tempfile.TemporaryDirectory() as folder:
        home = {**os.environ, "PLATFORM_SANDBOX_HOME": str(Path(folder, "home"))}
        try:
            taken = measure(Path(folder, "bare"), home, rounds)
        finally:
            run([sys.executable, "-m", "cli", "sandbox", "reset"], ROOT, home)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    least = medians["bare previews"] + medians["SDK imports"]
    for name, value in medians.items():
        print(f"{name:<14} {value:6.2f} s   ratio {value / least:.2f}")
    print(f"target         {TARGET * least:6.2f} s   ratio {TARGET} for rehearse and preview")
    history.keep(
        options,
        "unchanged_runs",
        [
            Figure(
                figure=f"{name} of dev without changes",
                value=medians[name],
                unit="s",
                peer=round(least, 2),
                against="empty previews and SDK imports",
            )
            for name in ("rehearse", "preview")
        ],
    )
    return int(max(medians["rehearse"], medians["preview"]) > TARGET * least)


def measure(project: Path, home: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each measure, a round after the other, so that other load affects all."""
    platformctl = [sys.executable, "-m", "cli"]
    for _ in range(2):  # the second notes the outputs that all layers have read
        run([*platformctl, "rehearse", "dev"], ROOT, home)
    sandbox = home | json.loads(run([*platformctl, "sandbox", "env", "--json"], ROOT, home)[1])
    project.mkdir()
    venv = Path(sys.executable).parent.parent
    runtime = f"{{name: python, options: {{virtualenv: {venv}}}}}"
    (project / "Pulumi.yaml").write_text(f"name: bare\nruntime: {runtime}\n")
    (project / "__main__.py").touch()
    bare = {name: value for name, value in sandbox.items() if name != "PULUMI_OPTION_POLICY_PACK"}
    run(["pulumi", "stack", "init", "dev"], project, bare)

    def previews() -> None:
        for _ in SDKS:
            run(["pulumi", "preview", "--stack", "dev"], project, bare)

    def imports() -> None:
        for sdk in SDKS.values():
            run([sys.executable, "-W", "ignore", "-c", PROVIDERS + sdk], ROOT, home)

    measures: dict[str, Callable[[], object]] = {
        "rehearse": lambda: run([*platformctl, "rehearse", "dev"], ROOT, home),
        "preview": lambda: run([*platformctl, "preview", "dev"], ROOT, sandbox),
        "bare previews": previews,
        "SDK imports": imports,
    }
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measured in measures.items():
            started = time.perf_counter()
            measured()
            taken[name].append(time.perf_counter() - started)
    return taken


if __name__ == "__main__":
    sys.exit(main())
