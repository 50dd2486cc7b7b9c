"""Time and memory of all environments side by side in one sandbox.

`.venv/bin/python -m benchmarks.environments` needs the built engine and uses a temporary home. The
target is 5 GiB for all environments. Memory is the proportional set size (PSS), which counts shared
pages once; RSS is printed as well. State the machine with the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from benchmarks import history
from benchmarks.history import Figure
from gkeplatform.environment import environments

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = environments(ROOT)
TARGET_MIB = 5 * 1024
MIB = 1024 * 1024
SETTLE_SECONDS = 30
"""By then deployments have released their memory, and autoscalers and controllers have run."""


def processes(home: str) -> list[psutil.Process]:
    """The processes of the home: those that name it or have it in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = any(home in part for part in process.cmdline()) or (
                process.environ().get("PLATFORM_SANDBOX_HOME") == home
            )
        except psutil.Error:
            continue
        if ours and process.pid != os.getpid():
            found.append(process)
    return found


def memory(home: str) -> tuple[Counter[str], Counter[str]]:
    """PSS and RSS in MiB by process name."""
    pss: Counter[str] = Counter()
    rss: Counter[str] = Counter()
    for process in processes(home):
        try:
            info = process.memory_full_info()
            name = process.name()
        except psutil.Error:
            continue
        pss[name] += info.pss // MIB
        rss[name] += info.rss // MIB
    return pss, rss


def main() -> None:
    """Measure and print the figures, one a line."""
    options = history.parser(__doc__).parse_args()
    history.check(options)
    with tempfile.TemporaryDirectory() as folder:
        home = str(Path(folder, "home"))
        environment = {**os.environ, "PLATFORM_SANDBOX_HOME": home}

        def run(*arguments: str) -> tuple[float, str]:
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "cli", *arguments],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
            return time.monotonic() - started, done.stdout

        try:
            for name in ENVIRONMENTS:
                seconds, text = run("rehearse", name, "--json")
                made = sum(one["changes"]["create"] for one in json.loads(text)["layers"])
                print(f"{name:<6} from nothing  {seconds:6.1f} s   {made} created", flush=True)
            for name in ENVIRONMENTS:
                seconds, text = run("rehearse", name, "--json")
                changes: Counter[str] = Counter()
                for layer in json.loads(text)["layers"]:
                    changes.update(layer["changes"])
                changed = sum(count for kind, count in changes.items() if kind != "same")
                print(f"{name:<6} again         {seconds:6.1f} s   {changed} changed", flush=True)
            time.sleep(SETTLE_SECONDS)
            pss, rss = memory(home)
        finally:
            run("sandbox", "reset")
    if not pss:
        raise SystemExit("no process of the sandbox was found")
    for name, share in pss.most_common():
        print(f"{name:<26} {share:6} MiB PSS  {rss[name]:6} MiB RSS")
    total, resident = sum(pss.values()), sum(rss.values())
    target = f"(target {TARGET_MIB} MiB)"
    print(f"{'all together':<26} {total:6} MiB PSS  {resident:6} MiB RSS  {target}")
    name, most = "memory of all environments (PSS)", TARGET_MIB / 1024
    figure = Figure(figure=name, value=total / 1024, unit="GiB", peer=most)
    history.keep(options, "environments", [figure])


if __name__ == "__main__":
    main()
