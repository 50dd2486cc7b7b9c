"""Runs the real LWS controller in place of its simulated pod, and holds leaders until workers run.

It runs while its pod does, with the pod's configuration and service account, so RBAC applies, and
the pod is ready when the program says so. The API server calls its webhooks through the service
proxy. Differences from a real pod: free ports of 127.0.0.1, no leader election, and mounts are
folders of this machine.

A leader of a group is ready once all its workers are: its server waits for their processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

from sandbox.engine import EngineError, build, tools
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers import groups, pod_process
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.pod_process import PodProcess
from sandbox.kubernetes.controllers.service_proxy import ServiceProxy
from sandbox.kubernetes.folder import Folder, write_private
from sandbox.kubernetes.ports import free_port

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
NAME = "lws"
_SETTLE, _SOON, _WATCH, _AGAIN = 0.05, 0.2, 5.0, 2.0
_SECONDS = 1.0


class LeaderWorkerSets:
    """The LWS controller of one cluster."""

    def __init__(self, server: ApiServer, *, folder: Folder, proxy: ServiceProxy) -> None:
        self._server = server
        self._folder = folder
        self._proxy = proxy
        self._wake = asyncio.Event()
        self._pods = Informer(server, "/api/v1/pods", self._wake.set)
        self._events = Events(server, "kubelet", kind="Pod")
        self._process = PodProcess(NAME, folder)
        self._rest = 0.0
        """When a process that has failed is started again."""
        self._binaries: Path | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the controller."""
        self._tasks = [asyncio.create_task(self._pods.run()), asyncio.create_task(self._run())]

    async def stop(self) -> None:
        """Stop LWS. Objects that it created stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._process.stop)

    async def _run(self) -> None:
        await asyncio.to_thread(self._process.stop_others)
        await self._pods.synced.wait()
        again: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), again)
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            try:
                again = await self._reconcile()
            except (ApiServerError, EngineError, httpx.HTTPError, OSError) as error:
                _log.info("lws: %s; again in %.0f s", error, _AGAIN)
                again = _AGAIN
            except Exception:
                _log.exception("lws: the controller failed")
                again = _AGAIN

    async def _reconcile(self) -> float | None:
        """Keep the process and the leaders; returns the seconds until it must look again."""
        pods = self._pods.objects()
        for leader in groups.leaders(pods):
            await self._show(leader, groups.status(leader, pods))
        pod = next((one for one in pods if groups.is_controller(one)), None)
        if pod is None:
            await self._end()
            return None
        is_ready = await self._keep(pod)
        await self._show(pod, groups.containers_ready(pod, is_ready=is_ready))
        return _WATCH if is_ready else _SOON

    async def _keep(self, pod: Json) -> bool:
        """Have the process run for its pod; whether it is ready."""
        process, code = self._process, self._process.exit_code()
        if process.is_started and (process.pod != pod["metadata"]["uid"] or code is not None):
            if code:
                message = f"it exited with {code}; see {process.log}"
                await self._events.warn(pod, "BackOff", message)
                self._rest = time.monotonic() + _AGAIN
            await self._end()
        mounted = await self._mount(pod)
        if not process.is_started and mounted and time.monotonic() >= self._rest:
            await self._begin(pod)
        return process.is_started and await _says_ready(process.health_port)

    async def _begin(self, pod: Json) -> None:
        process, binaries = self._process, await self._program(pod)
        process.port, process.health_port = free_port(), free_port()
        await process.authorize(self._server, pod)
        arguments = [
            *(one for one in groups.arguments(pod) if not one.startswith("--config=")),
            f"--config={self._configured(pod)}",
            "--leader-elect=false",
            f"--health-probe-bind-address=127.0.0.1:{process.health_port}",
        ]
        process.start(pod, binaries, arguments, {"KUBECONFIG": str(process.kubeconfig)})
        self._proxy.backends[process.pod] = process.port

    async def _end(self) -> None:
        self._proxy.backends.pop(self._process.pod, None)
        await asyncio.to_thread(self._process.stop)

    @property
    def _path(self) -> Path:
        return self._folder.path / NAME

    def _configured(self, pod: Json) -> Path:
        """Write the pod's configuration with the ports and folders of this machine."""
        file = groups.configuration_file(pod)
        document = yaml.safe_load((self._path / file.lstrip("/")).read_text())
        webhook = document.setdefault("webhook", {})
        folder = self._path / str(webhook.get("certDir", "")).lstrip("/")
        webhook |= {"host": "127.0.0.1", "port": self._process.port, "certDir": str(folder)}
        own = self._path / "configuration.yaml"
        write_private(own, yaml.safe_dump(document))
        return own

    async def _mount(self, pod: Json) -> bool:
        """Write the Secrets and ConfigMaps that the pod mounts; whether all of them exist."""
        namespace, complete = pod["metadata"]["namespace"], True
        for path, kind, name in groups.mounted(pod):
            found = await self._server.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}")
            folder = self._path / path.lstrip("/")
            if kind == "secrets":
                await asyncio.to_thread(pod_process.write_secret, folder, found)
            for file, text in ((found or {}).get("data") or {}).items():
                if kind == "configmaps":
                    await asyncio.to_thread(write_private, folder / file, text)
            complete = complete and found is not None
        return complete

    async def _program(self, pod: Json) -> Path:
        """The program, which is built when a cluster first needs it; the pod's events say so."""
        if self._binaries is None:
            if not tools.is_ready(build.LEADER_WORKER_SETS):
                minutes = build.LEADER_WORKER_SETS.minutes
                message = f"building LWS, which takes about {minutes}; it happens once"
                await self._events.record(pod, "Normal", "Pulling", message)
            entry = await asyncio.to_thread(tools.ensure, build.LEADER_WORKER_SETS, _log.info)
            self._binaries = entry / "bin"
        return self._binaries

    async def _show(self, pod: Json, status: Json | None) -> None:
        """Write whether a pod is ready, as its kubelet does."""
        if status is None:
            return
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        # A pod of the same name may have taken its place: a group's names stay.
        body = {"metadata": {"uid": metadata["uid"]}, "status": status}
        try:
            await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)
        except ApiServerError as error:
            if error.status not in {404, 409, 422}:
                raise


async def _says_ready(port: int) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_SECONDS) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK
