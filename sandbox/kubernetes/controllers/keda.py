"""Runs the real KEDA in place of its simulated pods: operator and metrics adapter.

Each runs while a pod of its image is ready, with the pod's arguments and service account, so RBAC
applies. Differences from real pods: free ports, no leader election, mounted Secrets are a folder of
this machine, and Google is reached through `google_access`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from sandbox.engine import EngineError, build, tools
from sandbox.kubernetes import ports
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.controllers import pod_process
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.google_access import GoogleAccess
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.kubernetes.controllers.pod_process import PodProcess
from sandbox.kubernetes.controllers.service_proxy import ServiceProxy
from sandbox.kubernetes.folder import Folder

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
OPERATOR, ADAPTER = "keda", "keda-adapter"
_IMAGES = {
    OPERATOR: re.compile(r"(^|/)keda[:@]"),
    ADAPTER: re.compile(r"(^|/)keda-metrics-apiserver[:@]"),
}
_IDENTITY = "iam.gke.io/gcp-service-account"
_SETTLE, _AGAIN = 0.05, 2.0


class Keda:
    """KEDA of one cluster."""

    def __init__(
        self,
        server: ApiServer,
        *,
        api: Callable[[], str],
        folder: Folder,
        services: Callable[[], list[Json]],
        proxy_port: int | None,
    ) -> None:
        self._server = server
        self._folder = folder
        self._wake = asyncio.Event()
        self._pods = Informer(server, "/api/v1/pods", self._wake.set)
        self._events = Events(server, "kubelet", kind="Pod")
        self.proxy = ServiceProxy(proxy_port, services=services, pods=self._pods.objects)
        self._google = GoogleAccess(
            api,
            project=folder.key.project,
            folder=folder.path / "keda-authorities",
            account=lambda: self._account,
        )
        self._account = ""
        self._processes = {name: PodProcess(name, folder) for name in _IMAGES}
        self._binaries: Path | None = None
        self._operator_port = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the controller."""
        self.proxy.start()
        self._tasks = [asyncio.create_task(self._pods.run()), asyncio.create_task(self._run())]

    async def stop(self) -> None:
        """Stop KEDA. Objects that it created stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.proxy.stop()
        await self._google.stop()
        for process in self._processes.values():
            await asyncio.to_thread(process.stop)

    async def _run(self) -> None:
        for process in self._processes.values():
            await asyncio.to_thread(process.stop_others)
        google = 0
        await self._pods.synced.wait()
        again: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), again)
            await asyncio.sleep(_SETTLE)
            self._wake.clear()
            pods = {name: self._pod(name) for name in _IMAGES}
            try:
                if any(pods.values()):
                    await self._build(pods[OPERATOR] or pods[ADAPTER] or {})
                    google = google or await self._google.start()
                for name, pod in pods.items():
                    await self._reconcile(self._processes[name], pod, google)
            except (ApiServerError, EngineError, httpx.HTTPError, OSError) as error:
                _log.info("keda: %s; again in %.0f s", error, _AGAIN)
            except Exception:
                _log.exception("keda: the controller failed")
            again = _AGAIN if any(pods.values()) else None

    def _pod(self, name: str) -> Json | None:
        """The ready pod of the operator or the adapter."""
        return next(
            (
                pod
                for pod in self._pods.objects()
                if _IMAGES[name].search(pod["spec"]["containers"][0]["image"])
                and pod_process.is_ready(pod)
            ),
            None,
        )

    async def _build(self, pod: Json) -> None:
        """Download or build KEDA when a cluster first needs it; the pod's events say so."""
        if self._binaries is not None:
            return
        if not tools.is_ready(build.KEDA):
            message = (
                "downloading KEDA, or building it, which takes about "
                f"{build.KEDA.minutes}; it happens once"
            )
            await self._events.record(pod, "Normal", "Pulling", message)
        entry = await asyncio.to_thread(tools.ensure, build.KEDA, _log.info)
        self._binaries = entry / "bin"

    async def _reconcile(self, process: PodProcess, pod: Json | None, google: int) -> None:
        """Start or stop a process according to its pod."""
        uid = pod["metadata"]["uid"] if pod else ""
        code = process.exit_code()
        if process.is_started and (uid != process.pod or code is not None):
            # The operator exits with 0 once it has renewed its certificates.
            if uid == process.pod and pod and code:
                message = f"it exited with {code}; see {process.log}"
                await self._events.warn(pod, "BackOff", message)
            self.proxy.backends.pop(process.pod, None)
            await asyncio.to_thread(process.stop)
        if pod is None or self._binaries is None:
            return
        mounts, complete = await self._mount(pod)
        if process.is_started or not complete:
            return
        await process.authorize(self._server, pod)
        if process.name == OPERATOR:
            self._account = await self._identity(pod)
            arguments = self._operator_arguments(process)
        elif self._operator_port:
            arguments = self._adapter_arguments(process, uid)
        else:
            return
        process.start(
            pod,
            self._binaries,
            [*_given(pod, mounts), *arguments],
            {**self._environment(pod, google), "KUBECONFIG": str(process.kubeconfig)},
        )

    def _operator_arguments(self, process: PodProcess) -> list[str]:
        self._operator_port = ports.free_port()
        return [
            "--leader-elect=false",
            f"--cert-dir={self._certificates}",
            f"--ca-dir={self._google.authorities}",
            "--metrics-bind-address=0",
            "--health-probe-bind-address=0",
            f"--metrics-service-bind-address=127.0.0.1:{self._operator_port}",
            f"--kubeconfig={process.kubeconfig}",
        ]

    def _adapter_arguments(self, process: PodProcess, uid: str) -> list[str]:
        port = ports.free_port()
        self.proxy.backends[uid] = port
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--port={ports.free_port()}",
            f"--metrics-service-address=127.0.0.1:{self._operator_port}",
            "--metrics-service-grpc-authority=keda-operator",
            f"--kubeconfig={process.kubeconfig}",
            f"--lister-kubeconfig={process.kubeconfig}",
            f"--authentication-kubeconfig={process.kubeconfig}",
            f"--authorization-kubeconfig={process.kubeconfig}",
        ]

    @property
    def _certificates(self) -> Path:
        return self._folder.path / "keda-certificates"

    def _environment(self, pod: Json, google: int) -> dict[str, str]:
        given = pod["spec"]["containers"][0].get("env") or []
        return {
            # The API server leaves out an empty value.
            **{one["name"]: one.get("value", "") for one in given if "valueFrom" not in one},
            "POD_NAMESPACE": pod["metadata"]["namespace"],
            # In a pod it is read from the mounted service account.
            "KEDA_CLUSTER_OBJECT_NAMESPACE": pod["metadata"]["namespace"],
            "GCE_METADATA_HOST": f"127.0.0.1:{google}",
            "HTTPS_PROXY": f"http://127.0.0.1:{google}",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    async def _mount(self, pod: Json) -> tuple[dict[str, str], bool]:
        """Write the Secrets that a pod mounts.

        Returns their folders by mount path, and whether all that it needs exist.
        """
        container, found, complete = pod["spec"]["containers"][0], {}, True
        volumes = {one["name"]: one for one in pod["spec"].get("volumes") or []}
        for mount in container.get("volumeMounts") or []:
            source = volumes[mount["name"]].get("secret")
            if source is None:
                continue
            namespace, name = pod["metadata"]["namespace"], source["secretName"]
            secret = await self._server.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
            await asyncio.to_thread(pod_process.write_secret, self._certificates, secret)
            found[mount["mountPath"]] = str(self._certificates)
            complete = complete and bool(source.get("optional") or (secret or {}).get("data"))
        return found, complete

    async def _identity(self, pod: Json) -> str:
        """The pod's Kubernetes account and the Google account that it acts as."""
        namespace, name = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        account = await self._server.get(path) or {"metadata": {}}
        google = (account["metadata"].get("annotations") or {}).get(_IDENTITY, "")
        return f"{namespace}/{name}|{google}"


def _given(pod: Json, mounts: dict[str, str]) -> list[str]:
    """The arguments of a pod, with the folders of its mounts."""
    arguments = []
    for argument in pod["spec"]["containers"][0].get("args") or []:
        for path, folder in mounts.items():
            argument = re.sub(rf"(?<==){re.escape(path)}(?=/|$)", folder, argument)  # noqa: PLW2901
        arguments.append(argument)
    return arguments
