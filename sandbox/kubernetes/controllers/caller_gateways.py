"""Runs the real Envoy and rate limit service in place of the simulated pods of callers' gateways.

Envoy has the pod's configuration, and the keys that the pod's own program gives it. Differences
from real pods: Envoy listens on Unix sockets, to which the model servers' process passes the pod's
ports on; the names of Services are lists of endpoints; mounts are renewed in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from sandbox import engine
from sandbox.engine import EngineError
from sandbox.kubernetes import processes
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.controllers import caller_pods
from sandbox.kubernetes.controllers.pod_process import PodProcess, write_secret
from sandbox.kubernetes.folder import Folder, write_private
from sandbox.kubernetes.ports import free_port
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.runtime.processes import envoy_binary
from sandbox.traffic.runtime.valkey import valkey_binary

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
_WATCH, _AGAIN, _MOUNTS = 0.3, 2.0, 2.0
"""Seconds between two looks: at endpoints, after a failure, at ConfigMaps and Secrets."""


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
    ) -> None:
        self._server = server
        self._folder = folder
        self._dial_plan = dial_plan
        self._pods = pods
        self._services = services
        self._slices = slices
        self._processes: dict[str, list[PodProcess]] = {}
        """By the name of the pod's folder."""
        self._ends: dict[str, float] = {}
        """When what runs for a pod that is gone ends, by the same."""
        self._limits: dict[str, int] = {}
        """The port of 127.0.0.1 of each rate limit service, by its pod's address."""
        self._mounted: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Note that pods changed."""
        self._wake.set()

    def start(self) -> None:
        """Start the controller."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the programs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for name in list(self._processes):
            self._end(name)

    async def _run(self) -> None:
        await asyncio.to_thread(self._end_others)
        again: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), again)
            self._wake.clear()
            try:
                again = await self._reconcile()
            except (ApiServerError, EngineError, httpx.HTTPError, OSError, ValueError) as error:
                _log.info("callers: %s; again in %.0f s", error, _AGAIN)
                await asyncio.sleep(_AGAIN)
                again = _AGAIN

    async def _reconcile(self) -> float | None:
        wanted = caller_pods.running(self._pods())
        for name in self._processes.keys() - wanted.keys():
            # Its pod is gone from the API server at once; a real one has its grace period.
            if time.monotonic() >= self._ends.get(name, 0):
                self._end(name)
        for name, pod in wanted.items():
            self._ends[name] = time.monotonic() + caller_pods.grace_seconds(pod)
            if caller_pods.is_gateway(pod):
                await self._keep_gateway(name, pod)
            else:
                await self._keep_limits(name, pod)
        return _WATCH if wanted or self._processes else None

    async def _keep_limits(self, name: str, pod: Json) -> None:
        counters = valkey_binary()
        if counters is None:
            return  # nobody counts, and the gateways do what `failure` says
        folder = self._root(name)
        await self._mount(name, pod, folder)
        if self._is_alive(name):
            return
        self._end(name)
        binaries = await asyncio.to_thread(engine.rate_limit, _log.info)
        at, listens = free_port(), free_port()
        valkey = PodProcess(f"{name}-counters", self._folder, binary=counters.name)
        valkey.start(pod, counters.parent, caller_pods.counters_arguments(at), {})
        self._processes[name] = [valkey]
        await _listening(at)
        limits = PodProcess(name, self._folder, binary="ratelimit")
        variables = caller_pods.limits_environment(pod, root=folder, counters=at, listens=listens)
        variables |= {"PORT": str(free_port()), "DEBUG_PORT": str(free_port())}
        limits.start(pod, binaries, [], variables)
        self._processes[name].append(limits)
        self._limits[caller_pods.address(pod)] = listens

    async def _keep_gateway(self, name: str, pod: Json) -> None:
        binary = envoy_binary()
        if binary is None:
            return
        folder = self._root(name)
        if await self._mount(name, pod, folder):
            words = caller_pods.keys_command(pod, folder)
            await asyncio.to_thread(subprocess.run, [sys.executable, *words, "--once"], check=True)
        bootstrap = caller_pods.bootstrap(pod, folder)
        if bootstrap is None:
            return
        changed, endpoints = caller_pods.translated(bootstrap, pod, folder)
        plan = DialPlan.read(self._dial_plan)
        for cluster, (service, port) in endpoints.items():
            found = self._endpoints(plan, service, port)
            _replace(folder / caller_pods.endpoints_file(cluster), found | {"cluster": cluster})
        if self._is_alive(name):
            return
        self._end(name)
        write_private(folder / caller_pods.BOOTSTRAP, json.dumps(changed))
        envoy = PodProcess(name, self._folder, binary=binary.name)
        envoy.start(pod, binary.parent, caller_pods.envoy_arguments(pod, folder), {})
        self._processes[name] = [envoy]

    def _endpoints(self, plan: DialPlan, service: tuple[str, str], port: int) -> Json:
        """Where the ready pods of a Service really listen."""
        found = caller_pods.ready(self._services(), self._slices(), service, port)
        project = self._folder.key.project
        ports = [
            self._limits.get(address) or plan.port(project, address, number)
            for address, number in found
        ]
        return {"ports": [one for one in ports if one]}

    def _root(self, name: str) -> Path:
        return self._folder.path / "callers" / name

    async def _mount(self, name: str, pod: Json, folder: Path) -> bool:
        """Write the ConfigMaps and Secrets that a pod mounts; whether that was due."""
        if time.monotonic() - self._mounted.get(name, -_MOUNTS) < _MOUNTS:
            return False
        namespace = pod["metadata"]["namespace"]
        for path, (kind, source) in caller_pods.mounts(pod).items():
            given = await self._server.get(f"/api/v1/namespaces/{namespace}/{kind}/{source}")
            where = folder / path.lstrip("/")
            if kind == "secrets":
                await asyncio.to_thread(write_secret, where, given)
                continue
            for file, text in ((given or {}).get("data") or {}).items():
                if not (where / file).exists() or (where / file).read_text() != text:
                    await asyncio.to_thread(write_private, where / file, text)
        self._mounted[name] = time.monotonic()
        return True

    def _is_alive(self, name: str) -> bool:
        found = self._processes.get(name, [])
        return bool(found) and all(one.exit_code() is None for one in found)

    def _end(self, name: str) -> None:
        for process in reversed(self._processes.pop(name, [])):
            process.stop()

    def _end_others(self) -> None:
        """End those that an earlier daemon left."""
        for process, name in processes.below(self._folder.path).items():
            if name.startswith(caller_pods.PREFIXES):
                with contextlib.suppress(Exception):
                    process.kill()
                    process.wait(5)


def _replace(file: Path, found: Json) -> None:
    """Write the endpoints of a cluster, if they differ; a rename is what Envoy notices."""
    text = json.dumps(caller_pods.assignment(found["cluster"], found["ports"]))
    if file.exists() and file.read_text() == text:
        return
    part = file.with_suffix(".part")
    write_private(part, text)
    part.replace(file)


async def _listening(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
