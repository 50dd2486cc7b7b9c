"""Runs the real Zalando Postgres operator in place of its simulated pod.

It runs while a pod of its image is ready, with the pod's variables and service account, so RBAC
applies. Three differences from a real pod: its API uses a free port, it reaches Patroni through a
proxy, and it does not connect to databases.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import re
from pathlib import Path
from typing import Any

import httpx

from sandbox.engine import EngineError, build, tools
from sandbox.kubernetes import ports
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.controllers import pod_process
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.patroni import Patroni, environment
from sandbox.kubernetes.controllers.pod_process import PodProcess
from sandbox.kubernetes.folder import Folder

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
NAME = "postgres-operator"
_IMAGE = re.compile(r"(^|/)postgres-operator[:@]")
_OBJECT = "POSTGRES_OPERATOR_CONFIGURATION_OBJECT"
_API = "acid.zalan.do/v1"
_SETTLE, _AGAIN = 0.05, 2.0


class Postgres:
    """The operator of one cluster, and the simulated Patroni of its Postgres clusters."""

    def __init__(self, server: ApiServer, *, folder: Folder) -> None:
        self._server = server
        self._process = PodProcess(NAME, folder)
        self._binaries: Path | None = None
        self._wake = asyncio.Event()
        self._pods = Informer(server, "/api/v1/pods", self._wake.set)
        self._patroni = Patroni(server, self._pods.objects)
        self._events = Events(server, "kubelet", kind="Pod")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the controller."""
        self._tasks = [asyncio.create_task(self._pods.run()), asyncio.create_task(self._run())]

    async def stop(self) -> None:
        """Stop the operator. Objects that it created stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._patroni.stop()
        await asyncio.to_thread(self._process.stop)

    async def _run(self) -> None:
        # An operator left by an earlier daemon uses a proxy that no longer exists.
        await asyncio.to_thread(self._process.stop_others)
        proxy = await self._patroni.start()
        await self._pods.synced.wait()
        again: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), again)
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            again = _AGAIN if self._process.is_started else None
            try:
                await self._operate(proxy)
                await self._patroni.reconcile()
            except (ApiServerError, EngineError, httpx.HTTPError, OSError) as error:
                _log.info("postgres: %s; again in %.0f s", error, _AGAIN)
                again = _AGAIN
            except Exception:
                _log.exception("postgres: the controller failed")
                again = _AGAIN

    async def _operate(self, proxy: int) -> None:
        """Start or stop the operator according to its pod."""
        pod = next((one for one in self._pods.objects() if _is_operator(one)), None)
        process, code = self._process, self._process.exit_code()
        uid = pod["metadata"]["uid"] if pod else ""
        if process.is_started and (uid != process.pod or code is not None):
            if uid == process.pod and pod:
                message = f"it exited with {code}; see {process.log}"
                await self._events.warn(pod, "BackOff", message)
                await asyncio.sleep(_AGAIN)
            await asyncio.to_thread(process.stop)
        if pod and not process.is_started:
            await self._begin(pod, await self._program(pod), proxy)

    async def _program(self, pod: Json) -> Path:
        """The operator, which is downloaded or built when a cluster first needs it."""
        if self._binaries is None:
            if not tools.is_ready(build.POSTGRES):
                message = "downloading or building the Postgres operator; it happens once"
                await self._events.record(pod, "Normal", "Pulling", message)
            entry = await asyncio.to_thread(tools.ensure, build.POSTGRES, _log.info)
            self._binaries = entry / "bin"
        return self._binaries

    async def _begin(self, pod: Json, binaries: Path, proxy: int) -> None:
        namespace = pod["metadata"]["namespace"]
        variables = environment(pod)
        if name := variables.get(_OBJECT):
            variables[_OBJECT] = await self._configure(namespace, name)
        await self._process.authorize(self._server, pod)
        self._process.start(
            pod,
            binaries,
            [
                *("-outofcluster", "-kubeconfig", str(self._process.kubeconfig)),
                *("-nodatabaseaccess", "-kubeqps", "50", "-kubeburst", "100"),
            ],
            {
                **variables,
                "OPERATOR_NAMESPACE": namespace,
                "HTTP_PROXY": f"http://127.0.0.1:{proxy}",
                "NO_PROXY": "127.0.0.1,localhost",
            },
        )

    async def _configure(self, namespace: str, name: str) -> str:
        """Copy the pod's configuration with another port: clusters share a machine."""
        path = f"/apis/{_API}/namespaces/{namespace}/operatorconfigurations"
        found = await self._server.get(f"{path}/{name}")
        if found is None:
            return name
        configuration = copy.deepcopy(found["configuration"])
        configuration["logging_rest_api"] = {
            **(configuration.get("logging_rest_api") or {}),
            "api_port": ports.free_port(),
        }
        own = f"{name}-simulated"
        body = {
            "apiVersion": _API,
            "kind": "OperatorConfiguration",
            "metadata": {"name": own, "namespace": namespace},
            "configuration": configuration,
        }
        await self._server.apply(f"{path}/{own}", body, manager="kubelet")
        return own


def _is_operator(pod: Json) -> bool:
    image = pod["spec"]["containers"][0]["image"]
    return bool(_IMAGE.search(image)) and pod_process.is_ready(pod)
