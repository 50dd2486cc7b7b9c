"""The time of a run without changes, compared with the least that four engine runs take.

`.venv/bin/python -m benchmarks.unchanged_runs` rehearses dev in a temporary home. Then it times in
turns: `rehearse` and `preview` of dev, the previews of four empty programs, and the imports of the
four layers' SDKs. The target of both commands is 0.8 of the sum of the last two.

Empty programs are previewed in two ways: each with a Python of its own, as without the sandbox,
and in the sandbox's preloaded interpreter, which takes less. The target is to be met against both.
Bytecode is kept, as Python does unless PYTHONDONTWRITEBYTECODE forbids it. It needs the built
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
from sandbox import engine

TARGET, ROUNDS = 0.8, 3
IMPORTS = "SDK imports"
PEERS = {
    "previews, plain start": "empty previews and SDK imports, with the plain start of Python",
    "previews, preloaded": "empty previews and SDK imports",
}
"""The measures of empty programs, and what their sum with the imports is called."""


def main() -> int:
    """Measure and print the figures; 1 when a target is missed."""
    parser = history.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    history.check(options)
    rounds = options.rounds
    with tempfile.TemporaryDirectory() as folder:
        home = {**os.environ, "PLATFORM_SANDBOX_HOME": str(Path(folder, "home"))}
        home.pop("PYTHONDONTWRITEBYTECODE", None)
        try:
            taken = measure(Path(folder), home, rounds)
        finally:
            run([sys.executable, "-m", "cli", "sandbox", "reset"], ROOT, home)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, value in medians.items():
        print(f"{name:<22} {value:6.2f} s   {' '.join(f'{one:.2f}' for one in taken[name])}")
    figures = [
        Figure(
            figure=f"{name} of dev without changes",
            value=medians[name],
            unit="s",
            peer=round(medians[peer] + medians[IMPORTS], 2),
            against=against,
            ratio=round(medians[name] / (medians[peer] + medians[IMPORTS]), 3),
        )
        for peer, against in PEERS.items()
        for name in ("rehearse", "preview")
    ]
    for one in figures:
        print(f"{one.figure}: {one.ratio:.2f} of {one.peer} s: {one.against} (target {TARGET})")
    history.keep(options, "unchanged_runs", figures)
    return int(any((one.ratio or 0) > TARGET for one in figures))


def measure(folder: Path, home: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each measure, a round after the other, so that other load affects all.

    `folder` is for what only the empty programs need.
    """
    platformctl = [sys.executable, "-m", "cli"]
    for _ in range(2):  # the second notes the outputs that all layers have read
        run([*platformctl, "rehearse", "dev"], ROOT, home)
    sandbox = home | json.loads(run([*platformctl, "sandbox", "env", "--json"], ROOT, home)[1])
    project = folder / "bare"
    project.mkdir()
    venv = Path(sys.executable).parent.parent
    runtime = f"{{name: python, options: {{virtualenv: {venv}}}}}"
    (project / "Pulumi.yaml").write_text(f"name: bare\nruntime: {runtime}\n")
    (project / "__main__.py").touch()
    bare = {name: value for name, value in sandbox.items() if name != "PULUMI_OPTION_POLICY_PACK"}
    run(["pulumi", "stack", "init", "dev"], project, bare)
    # The same language host, which starts a Python for each program.
    engine.ensure().install(folder / "bin", folder / "pulumi")
    path = os.pathsep.join([str(folder / "bin"), bare["PATH"]])
    plain = bare | {"PULUMI_HOME": str(folder / "pulumi"), "PATH": path}

    def previews(variables: dict[str, str]) -> None:
        for _ in SDKS:
            run(["pulumi", "preview", "--stack", "dev"], project, variables)

    def imports() -> None:
        for sdk in SDKS.values():
            run([sys.executable, "-W", "ignore", "-c", PROVIDERS + sdk], ROOT, home)

    measures: dict[str, Callable[[], object]] = {
        "rehearse": lambda: run([*platformctl, "rehearse", "dev"], ROOT, home),
        "preview": lambda: run([*platformctl, "preview", "dev"], ROOT, sandbox),
        "previews, plain start": lambda: previews(plain),
        "previews, preloaded": lambda: previews(bare),
        IMPORTS: imports,
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
