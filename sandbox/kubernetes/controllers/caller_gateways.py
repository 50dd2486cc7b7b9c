"""Runs the real Envoy and rate limit service in place of the simulated pods of callers' gateways.

Envoy has the pod's configuration, and the keys that the pod's own program gives it. Differences
from real pods: Envoy listens on Unix sockets, to which the model servers' process passes the pod's
ports on; the names of Services are lists of endpoints; mounts are renewed in seconds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.engine import build
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import caller_pods, probes
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.pod_programs import PodPrograms
from sandbox.kubernetes.folder import Folder, write_private
from sandbox.kubernetes.ports import free_port
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.runtime.processes import envoy_binary
from sandbox.traffic.runtime.valkey import valkey_binary

Json = dict[str, Any]
_WATCH = 0.3
"""Seconds between two looks at endpoints."""


class CallerGateways:
    """The gateways of callers of one cluster, and the service that counts for them."""

    def __init__(
        self,
        server: ApiServer,
        *,
        folder: Folder,
        dial_plan: Path,
        pods: Callable[[], list[Json]],
        services: Callable[[], list[Json]],
        slices: Callable[[], list[Json]],
        callout: Callable[[str, str, int], int | None],
    ) -> None:
        """`callout` has the port of 127.0.0.1 of the endpoint picker behind a Service; None: none.

        Its arguments are the Service's namespace and name, and its port.
        """
        self._folder = folder
        self._dial_plan = dial_plan
        self._pods = pods
        self._services = services
        self._slices = slices
        self._callout = callout
        prefixes = caller_pods.PREFIXES
        self._programs = PodPrograms("callers", server, folder, prefixes=prefixes)
        self.wake = self._programs.wake
        self._limits: dict[str, int] = {}
        """The port of 127.0.0.1 of each rate limit service, by its pod's address."""
        self._counters: dict[str, int] = {}
        """The port of what counts for each of them, by its pod's address: restarts keep it."""

    def start(self) -> None:
        """Start the controller."""
        self._programs.start(self._reconcile)

    async def stop(self) -> None:
        """End the programs."""
        await self._programs.stop()

    async def _reconcile(self) -> float | None:
        wanted = caller_pods.running(self._pods())
        names = {*wanted, *map(_counters_name, wanted)}
        # The pod is gone from the API server at once; a real one has its grace period.
        await self._programs.retire(names, pause=caller_pods.grace_seconds)
        for name, pod in wanted.items():
            if caller_pods.is_gateway(pod):
                await self._keep_gateway(name, pod)
            else:
                await self._keep_limits(name, pod)
        return _WATCH if wanted else None

    async def _keep_limits(self, name: str, pod: Json) -> None:
        binary = valkey_binary()
        if binary is None:
            return  # nobody counts, and the gateways do what `failure` says
        address = caller_pods.address(pod)
        port = self._counters.setdefault(address, free_port())
        counters = await self._programs.keep(
            _counters_name(name), pod, partial(_counting, binary, port)
        )
        if counters is None or not await probes.listens(counters.port):
            return
        limits = await self._programs.keep(name, pod, partial(self._limiter, pod, counters.port))
        if limits is not None:
            self._limits[address] = limits.port

    async def _limiter(self, pod: Json, counters: int, process: PodProcess) -> Program:
        binaries = await self._programs.binaries(build.RATE_LIMIT, pod)
        process.port = free_port()
        variables = caller_pods.limits_environment(
            pod, root=process.root, counters=counters, listens=process.port
        )
        variables |= {"PORT": str(free_port()), "DEBUG_PORT": str(free_port())}
        return Program(binary=binaries / "ratelimit", environment=variables, calls_api_server=False)

    async def _keep_gateway(self, name: str, pod: Json) -> None:
        binary = envoy_binary()
        if binary is None:
            return
        folder = self._programs.root(name)
        if await self._programs.mount(name, pod):
            words = caller_pods.keys_command(pod, folder)
            await asyncio.to_thread(subprocess.run, [sys.executable, *words, "--once"], check=True)
        bootstrap = caller_pods.bootstrap(pod, folder)
        if bootstrap is None:
            return
        changed, endpoints = caller_pods.translated(bootstrap, pod, folder)
        plan = DialPlan.read(self._dial_plan)
        for cluster, (service, port) in endpoints.items():
            found = self._endpoints(plan, service, port)
            text = json.dumps(caller_pods.assignment(cluster, [*found.values()], [*found]))
            _replace(folder / caller_pods.endpoints_file(cluster), text)
        await self._programs.keep(name, pod, partial(_envoy, pod, binary, changed))

    def _endpoints(self, plan: DialPlan, service: tuple[str, str], port: int) -> dict[str, int]:
        """Where the ready pods of a Service listen, by the address and port that they say."""
        found = caller_pods.ready(self._services(), self._slices(), service, port)
        project = self._folder.key.project
        ports = {
            f"{address}:{number}": self._limits.get(address) or plan.port(project, address, number)
            for address, number in found
        }
        if picker := self._callout(*service, port):
            ports = {"picker": picker}
        return {name: one for name, one in ports.items() if one}


async def _envoy(pod: Json, binary: Path, bootstrap: Json, process: PodProcess) -> Program:
    write_private(process.root / caller_pods.BOOTSTRAP, json.dumps(bootstrap))
    arguments = caller_pods.envoy_arguments(pod, process.root)
    return Program(binary=binary, arguments=arguments, calls_api_server=False)


async def _counting(binary: Path, port: int, process: PodProcess) -> Program:
    process.port = port
    arguments = caller_pods.counters_arguments(port)
    return Program(binary=binary, arguments=arguments, calls_api_server=False)


def _counters_name(name: str) -> str:
    """The process of the counters of a rate limit service."""
    return f"{name}-counters"


def _replace(file: Path, text: str) -> None:
    """Write the endpoints of a cluster, if they differ; a rename is what Envoy notices."""
    if file.exists() and file.read_text() == text:
        return
    part = file.with_suffix(".part")
    write_private(part, text)
    part.replace(file)
