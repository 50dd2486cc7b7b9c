"""Requests through the rehearsed load balancer, against asking the model server directly.

`.venv/bin/python -m benchmarks.balanced_requests [ENVIRONMENT…]` rehearses each environment in a
temporary home and sends predictions to resnet: to a pod's port, and by HTTPS through Envoy, in
turns in the same run. Load, Envoy and servers share the machine. The targets are 2,000 requests/s
without a loss, a median at most 1.5 ms above the direct one, and 2.2 GiB for all processes (PSS),
taken after the load. State the machine with the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import uvloop

from benchmarks import history
from benchmarks.environments import memory, processes
from benchmarks.history import Figure
from cli import routing
from cli.traffic import load
from cli.traffic.calls import default_call
from cli.traffic.figures import Result
from cli.traffic.front_ends import FrontEnds
from cli.traffic.target import Target
from sandbox.traffic.runtime.processes import MODEL_SERVERS

ROOT = Path(__file__).resolve().parents[1]
MODEL = "resnet"
STEADY, ROUNDS, ROUND_SECONDS = 500.0, 5, 3.0
FULL, FULL_SECONDS = 2000.0, 10.0
MOST_ABOVE, MOST_MIB = 1.5, 2.2 * 1024
LEAST = 5e-6
"""Seconds of processor time a request that are worth naming."""
SETTLE_SECONDS = 5
"""By then the deployment's own processes have ended."""


def targets(environment: str, home: Path, address: str, url: str) -> tuple[Target, Target]:
    """A pod's port, and the load balancer's."""
    plan = routing.plan(environment)
    model = plan.model(MODEL)
    call = default_call(model)
    front = FrontEnds(home, plan.project)
    parts = urlsplit(url)
    pod = front.pod(model.namespace, model.name, int(model.rest_port or 0))
    if pod is None:
        raise SystemExit(f"{environment}: no pod of {MODEL} answers")
    balanced = Target(
        address="127.0.0.1",
        port=front.at(address, 443 if parts.scheme == "https" else 80).listens,
        host=str(parts.hostname),
        path=call.path,
        encrypted=parts.scheme == "https",
        cacert=front.cacert,
        method=call.method,
        headers={"Content-Type": str(call.content_type)},
        body=call.body,
    )
    return replace(balanced, port=pod, encrypted=False), balanced


def send(target: Target, rate: float, seconds: float) -> Result:
    """A load, in an event loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load.run(target, rate=rate, seconds=seconds))


def median(result: Result) -> float:
    """Milliseconds."""
    found = result.latencies.milliseconds()["p50"]
    if found is None:
        raise SystemExit(f"no request was answered: {result.reason or dict(result.statuses)}")
    return found


def measure(environment: str, home: Path, address: str, url: str) -> list[Figure]:
    """Print and return the figures of an environment that is rehearsed in a home."""
    armor = routing.plan(environment).networking.armor
    if armor is not None and armor.rate_limit is not None and not armor.dry_run:
        print(f"{environment:<6} no load: Cloud Armor limits a client's requests")
        return []
    direct, balanced = targets(environment, home, address, url)
    for target in (direct, balanced):
        send(target, STEADY, 1)
    medians: dict[str, list[float]] = {"direct": [], "through Envoy": []}
    for _ in range(ROUNDS):
        for name, target in zip(medians, (direct, balanced), strict=True):
            medians[name].append(median(send(target, STEADY, ROUND_SECONDS)))
    p50 = {name: statistics.median(found) for name, found in medians.items()}
    for name, found in p50.items():
        print(f"{environment:<6} p50 {name:<14} {found:6.2f} ms   at {STEADY:.0f} requests/s")
    above = p50["through Envoy"] - p50["direct"]
    print(f"{environment:<6} p50 above direct   {above:6.2f} ms   (target {MOST_ABOVE} ms)")
    for name, target in (("direct", direct), ("through Envoy", balanced)):
        began, spent = time.perf_counter(), processor_seconds(home)
        result = send(target, FULL, FULL_SECONDS)
        seconds = time.perf_counter() - began
        used = {key: value - spent.get(key, 0) for key, value in processor_seconds(home).items()}
        figures = result.latencies.milliseconds()
        each = ", ".join(
            f"{key} {value / result.sent * 1e6:.0f}"
            for key, value in sorted(used.items(), key=lambda one: -one[1])
            if value / result.sent > LEAST
        )
        print(
            f"{environment:<6} {name:<18} {result.answered / seconds:6.0f} requests/s of "
            f"{FULL:.0f}, {result.total_lost} lost, p50 {figures['p50']} ms, p99 "
            f"{figures['p99']} ms; µs of processor time a request: {each}"
        )
    name = f"{environment}: median above direct at {STEADY:.0f} requests/s"
    return [Figure(figure=name, value=above, unit="ms", peer=MOST_ABOVE)]


def processor_seconds(home: Path) -> dict[str, float]:
    """Processor time so far of the load itself and of the home's processes by name."""
    found: defaultdict[str, float] = defaultdict(float)
    used_here = time.process_time()
    for process in processes(str(home)):
        with contextlib.suppress(psutil.Error):
            used = process.cpu_times()
            name = "model servers" if MODEL_SERVERS in process.cmdline() else process.name()
            found[name] += used.user + used.system
    return {"the load itself": used_here, **found}


def main() -> None:
    """Measure and print the figures, one a line."""
    parser = history.parser(__doc__)
    parser.add_argument("environments", nargs="*", default=["dev"])
    options = parser.parse_args()
    history.check(options)
    for environment in options.environments:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder, "home")
            variables = {**os.environ, "PLATFORM_SANDBOX_HOME": str(home)}

            def run(*arguments: str, variables: dict[str, str] = variables) -> str:
                command = [sys.executable, "-m", "cli", *arguments]
                done = subprocess.run(
                    command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
                return done.stdout

            try:
                document = json.loads(run("rehearse", environment, "--json"))
                urls = {one["name"]: one["url"] for one in document["models"]}
                time.sleep(SETTLE_SECONDS)
                figures = measure(environment, home, document["address"], urls[MODEL])
                pss, rss = memory(str(home))
            finally:
                run("sandbox", "reset")
        total, resident = sum(pss.values()), sum(rss.values())
        print(
            f"{environment:<6} memory {total} MiB PSS, {resident} MiB RSS (target {MOST_MIB:.0f})"
        )
        memory_of = f"{environment}: memory after requests (PSS)"
        figures.append(Figure(figure=memory_of, value=total, unit="MiB", peer=MOST_MIB))
        history.keep(options, "balanced_requests", figures)


if __name__ == "__main__":
    main()
