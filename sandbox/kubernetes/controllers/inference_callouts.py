"""Runs the real endpoint pickers and body-based routers in place of their simulated pods.

Each is gateway-api-inference-extension's own (`cmd/epp`, `cmd/bbr`), with the pod's arguments,
configuration and service account, so RBAC applies, and the pod is ready when the program answers
its readiness probe: without its rights, its configuration or its InferencePool it never is.
Differences from real pods: free ports of 127.0.0.1, no traces, and the pods of a pool are scraped
where the dial plan says. As a kubelet has it, the program of a pod that is deleted goes on for its
preStop sleep, for the answers that pass through it; here it ends with the last of its callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from sandbox.engine import EngineError, build, tools
from sandbox.kubernetes import processes
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.cluster_objects import Callout
from sandbox.kubernetes.controllers import callout_pods as pods
from sandbox.kubernetes.controllers import match_conditions
from sandbox.kubernetes.controllers.callout_health import is_serving
from sandbox.kubernetes.controllers.callout_pods import Served
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.leaving_processes import GRACE, LeavingProcesses
from sandbox.kubernetes.controllers.pod_process import PodProcess
from sandbox.kubernetes.folder import Folder, write_private
from sandbox.kubernetes.ports import free_port

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
_SETTLE, _AGAIN, _WATCH, _SOON = 0.05, 2.0, 0.5, 0.2
NOBODY = 1
"""A port on which nobody listens."""


class InferenceCallouts:
    """The endpoint pickers and body-based routers of one cluster."""

    def __init__(
        self,
        server: ApiServer,
        *,
        folder: Folder,
        dial_plan: Path,
        pods: Callable[[], list[Json]],
        services: Callable[[], list[Json]],
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when a program begins or ends to answer."""
        self._server = server
        self._folder = folder
        self._dial_plan = dial_plan
        self._pods = pods
        self._services = services
        self._changed = changed
        self._events = Events(server, "kubelet", kind="Pod")
        self._wake = asyncio.Event()
        self._processes: dict[str, PodProcess] = {}
        self._served: dict[str, Served] = {}
        """What each process that answers serves, by its name."""
        self._pauses: dict[str, float] = {}
        """How long a process goes on once its pod is deleted, by its name."""
        self._leaving = LeavingProcesses()
        self._rest: dict[str, float] = {}
        """When a process that has failed is started again, by its name."""
        self._binaries: Path | None = None
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
        await self._leaving.kill()
        for process in self._processes.values():
            await asyncio.to_thread(process.stop)

    def pickers(self, found: dict[str, Json]) -> list[Callout]:
        """The callout of each backend service, by path, that an InferencePool has."""
        return [
            Callout(
                resource=path,
                port=self._port(
                    pool["metadata"]["namespace"],
                    pool["spec"]["endpointPickerRef"]["name"],
                    int((pool["spec"]["endpointPickerRef"].get("port") or {}).get("number", 0)),
                ),
                fails_open=pool["spec"]["endpointPickerRef"].get("failureMode") == "FailOpen",
            )
            for path, pool in found.items()
        ]

    def routers(self, found: dict[str, Json]) -> list[Callout]:
        """The callout of each URL map, by path, that a GCPRoutingExtension applies to."""
        callouts = []
        for path, extension in found.items():
            one = extension["spec"]["extensionChains"][0]["extensions"][0]
            backend = one.get("backendRef") or {}
            namespace = backend.get("namespace") or extension["metadata"]["namespace"]
            port = self._port(namespace, backend.get("name", ""), int(backend.get("port", 0)))
            callouts.append(
                Callout(
                    resource=path,
                    port=port,
                    fails_open=bool(one.get("failOpen")),
                    hosts=match_conditions.hosts(extension),
                )
            )
        return callouts

    def _port(self, namespace: str, service: str, port: int) -> int:
        """The port of 127.0.0.1 that answers for a port of a Service; NOBODY where none does."""
        found = next(
            (
                one
                for one in self._services()
                if (one["metadata"]["namespace"], one["metadata"]["name"]) == (namespace, service)
            ),
            None,
        )
        if found is None:
            return NOBODY
        return next(
            (one.listens for one in self._served.values() if one.answers(found, port)), NOBODY
        )

    async def _run(self) -> None:
        await asyncio.to_thread(self._end_others)
        again: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), again)
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            wanted = pods.running(self._pods())
            try:
                again = await self._reconcile(wanted)
            except (ApiServerError, EngineError, httpx.HTTPError, OSError) as error:
                _log.info("inference gateway: %s; again in %.0f s", error, _AGAIN)
                again = _AGAIN
            except Exception:
                _log.exception("inference gateway: the controller failed")
                again = _AGAIN

    async def _reconcile(self, wanted: dict[str, Json]) -> float | None:
        """Start and stop processes; returns the seconds until it must look again."""
        for name in self._processes.keys() - wanted.keys():
            self._leave(name)
        await self._leaving.end()
        if wanted:
            await self._build(next(iter(wanted.values())))
        for name, pod in wanted.items():
            await self._keep(name, pod)
        waiting = [name for name in wanted if name not in self._served]
        return _SOON if waiting else _WATCH if wanted or self._leaving else None

    async def _keep(self, name: str, pod: Json) -> None:
        """Have a process run for a pod, and note when it answers."""
        process = self._processes.get(name)
        if process is not None and (
            process.pod != pod["metadata"]["uid"] or process.exit_code() is not None
        ):
            if process.exit_code() is not None:
                message = f"it exited with {process.exit_code()}; see {process.log}"
                await self._events.warn(pod, "BackOff", message)
                self._rest[name] = time.monotonic() + _AGAIN
            await self._end(name)
            process = None
        if process is None and time.monotonic() >= self._rest.get(name, 0):
            process = await self._begin(name, pod)
        is_ready = process is not None and await self._answers(process, pod)
        if is_ready != (name in self._served):
            if process is not None and is_ready:
                self._served[name] = Served(pod=pod, listens=process.port)
            else:
                self._served.pop(name, None)
            self._changed()
        await self._show(pod, is_ready=is_ready)

    async def _answers(self, process: PodProcess, pod: Json) -> bool:
        """Whether a program answers, and its pod's readiness probe finds it ready."""
        if not await _listens(process.port):
            return False
        try:
            service = pods.probed_service(pod)
        except ValueError:
            return False
        return service is None or await is_serving(process.health_port, service)

    async def _show(self, pod: Json, *, is_ready: bool) -> None:
        """Write whether a pod is ready, as its kubelet does."""
        status = pods.with_readiness(pod, is_ready=is_ready)
        if status is not None:
            metadata = pod["metadata"]
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
            try:
                await self._server.request(
                    "PATCH", path, {"status": status}, content_type=MERGE_PATCH
                )
            except ApiServerError as error:
                if error.status != 404:
                    raise

    async def _begin(self, name: str, pod: Json) -> PodProcess | None:
        """Start a process; None while something that it mounts is missing."""
        mounts = await self._mount(name, pod)
        if mounts is None or self._binaries is None:
            return None
        process = PodProcess(name, self._folder, binary=pods.program(pod))
        await process.authorize(self._server, pod)
        process.port, process.health_port = free_port(), free_port()
        own = [
            f"--grpc-port={process.port}",
            f"--grpc-health-port={process.health_port}",
            f"--metrics-port={free_port()}",
            "--tracing=false",
        ]
        environment = {
            **pods.environment(pod),
            "KUBECONFIG": str(process.kubeconfig),
            "SANDBOX_DIAL_PLAN": str(self._dial_plan),
            "SANDBOX_PROJECT": self._folder.key.project,
        }
        process.start(pod, self._binaries, [*pods.arguments(pod, mounts), *own], environment)
        self._processes[name], self._pauses[name] = process, pods.pause(pod)
        return process

    def _leave(self, name: str) -> None:
        """Ask the process of a deleted pod no more; it ends later."""
        process = self._processes.pop(name)
        if self._served.pop(name, None) is not None:
            self._changed()
        pause = self._pauses.pop(name, 0.0)
        for pod in self._pods():
            if pod["metadata"]["uid"] == process.pod:
                pause = pods.pause(pod)  # less for one that is evicted in a hurry
        self._leaving.add(process, pause)

    async def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        if self._served.pop(name, None) is not None:
            self._changed()
        # A leader gives up its lease when it is asked to end.
        await asyncio.to_thread(process.stop, grace=GRACE)

    async def _mount(self, name: str, pod: Json) -> dict[str, Path] | None:
        """Write the ConfigMaps that a pod mounts; their folders by mount path."""
        found: dict[str, Path] = {}
        namespace = pod["metadata"]["namespace"]
        for path, source in pods.mounted(pod).items():
            where = f"/api/v1/namespaces/{namespace}/configmaps/{source}"
            given = await self._server.get(where)
            if given is None:
                return None
            folder = self._folder.path / "inference-gateway" / name / source
            for file, text in (given.get("data") or {}).items():
                await asyncio.to_thread(write_private, folder / file, text)
            found[path] = folder
        return found

    async def _build(self, pod: Json) -> None:
        """Build the programs when a cluster first needs them; the pod's events say so."""
        if self._binaries is not None:
            return
        if not tools.is_ready(build.INFERENCE_GATEWAY):
            message = (
                "building the endpoint picker, which takes about "
                f"{build.INFERENCE_GATEWAY.minutes}; it happens once"
            )
            await self._events.record(pod, "Normal", "Pulling", message)
        entry = await asyncio.to_thread(tools.ensure, build.INFERENCE_GATEWAY, _log.info)
        self._binaries = entry / "bin"

    def _end_others(self) -> None:
        """End those that an earlier daemon left."""
        _end_all(
            process
            for process, name in processes.below(self._folder.path).items()
            if name.startswith(pods.PREFIXES)
        )


def _end_all(left: Iterable[Any]) -> None:
    for process in left:
        with contextlib.suppress(Exception):
            process.kill()
            process.wait(5)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
