"""Runs the real KEDA in place of its simulated pods: operator and metrics adapter.

Each runs while a pod of its image is ready, with the pod's arguments and service account, so RBAC
applies. Differences from real pods: free ports, no leader election, mounted Secrets are a folder of
this machine, and Google is reached through `google_access`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.engine import build
from sandbox.kubernetes import ports
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import pod_mounts, pod_status
from sandbox.kubernetes.controllers.google_access import GoogleAccess
from sandbox.kubernetes.controllers.pod_environment import environment
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.pod_programs import PodPrograms
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN
from sandbox.kubernetes.controllers.service_proxy import ServiceProxy
from sandbox.kubernetes.folder import Folder

Json = dict[str, Any]
OPERATOR, ADAPTER = "keda", "keda-adapter"
_IMAGES = {
    OPERATOR: re.compile(r"(^|/)keda[:@]"),
    ADAPTER: re.compile(r"(^|/)keda-metrics-apiserver[:@]"),
}
_IDENTITY = "iam.gke.io/gcp-service-account"


class Keda:
    """KEDA of one cluster."""

    def __init__(
        self,
        server: ApiServer,
        *,
        api: Callable[[], str],
        folder: Folder,
        pods: Callable[[], list[Json]],
        services: Callable[[], list[Json]],
        proxy_port: int | None,
    ) -> None:
        self._server = server
        self._pods = pods
        self._programs = PodPrograms(OPERATOR, server, folder, prefixes=(OPERATOR,))
        self.wake = self._programs.wake
        self.proxy = ServiceProxy(proxy_port, services=services, pods=pods)
        self._google = GoogleAccess(
            api,
            project=folder.key.project,
            folder=folder.path / "keda-authorities",
            account=lambda: self._account,
        )
        self._google_port = 0
        self._account = ""
        self._operator_port = 0

    def start(self) -> None:
        """Start the controller."""
        self.proxy.start()
        self._programs.start(self._reconcile)

    async def stop(self) -> None:
        """Stop KEDA. Objects that it created stay."""
        await self._programs.stop()
        await self.proxy.stop()
        await self._google.stop()

    async def _reconcile(self) -> float | None:
        found = {name: self._pod(name) for name in _IMAGES}
        wanted = {name: pod for name, pod in found.items() if pod is not None}
        await self._programs.retire(wanted)
        if not wanted:
            return None
        self._google_port = self._google_port or await self._google.start()
        for name, pod in wanted.items():
            process = await self._programs.keep(name, pod, partial(self._program, pod))
            if name == ADAPTER:
                self.proxy.serves(pod, process.port if process else None)
        return AGAIN

    def _pod(self, name: str) -> Json | None:
        """The ready pod of the operator or the adapter."""
        return next(
            (
                pod
                for pod in self._pods()
                if _IMAGES[name].search(pod["spec"]["containers"][0]["image"])
                and pod_status.is_ready(pod)
            ),
            None,
        )

    async def _program(self, pod: Json, process: PodProcess) -> Program | None:
        binaries = await self._programs.binaries(build.KEDA, pod)
        if process.name == OPERATOR:
            self._account = await self._identity(pod)
            own = self._operator_arguments(pod, process)
        elif self._operator_port:
            own = self._adapter_arguments(process)
        else:
            return None
        given = pod["spec"]["containers"][0].get("args") or []
        return Program(
            binary=binaries / process.name,
            arguments=[*pod_mounts.with_folders(given, pod, process.root), *own],
            environment={**self._environment(pod), "KUBECONFIG": str(process.kubeconfig)},
        )

    def _operator_arguments(self, pod: Json, process: PodProcess) -> list[str]:
        self._operator_port = ports.free_port()
        return [
            "--leader-elect=false",
            f"--cert-dir={_certificates(pod, process.root)}",
            f"--ca-dir={self._google.authorities}",
            "--metrics-bind-address=0",
            "--health-probe-bind-address=0",
            f"--metrics-service-bind-address=127.0.0.1:{self._operator_port}",
            f"--kubeconfig={process.kubeconfig}",
        ]

    def _adapter_arguments(self, process: PodProcess) -> list[str]:
        process.port = ports.free_port()
        return [
            "--bind-address=127.0.0.1",
            f"--secure-port={process.port}",
            f"--port={ports.free_port()}",
            f"--metrics-service-address=127.0.0.1:{self._operator_port}",
            "--metrics-service-grpc-authority=keda-operator",
            f"--kubeconfig={process.kubeconfig}",
            f"--lister-kubeconfig={process.kubeconfig}",
            f"--authentication-kubeconfig={process.kubeconfig}",
            f"--authorization-kubeconfig={process.kubeconfig}",
        ]

    def _environment(self, pod: Json) -> dict[str, str]:
        return {
            **environment(pod),
            # In a pod it is read from the mounted service account.
            "KEDA_CLUSTER_OBJECT_NAMESPACE": pod["metadata"]["namespace"],
            "GCE_METADATA_HOST": f"127.0.0.1:{self._google_port}",
            "HTTPS_PROXY": f"http://127.0.0.1:{self._google_port}",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    async def _identity(self, pod: Json) -> str:
        """The pod's Kubernetes account and the Google account that it acts as."""
        namespace, name = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        account = await self._server.get(path) or {"metadata": {}}
        google = (account["metadata"].get("annotations") or {}).get(_IDENTITY, "")
        return f"{namespace}/{name}|{google}"


def _certificates(pod: Json, root: Path) -> Path:
    """The folder of the Secret that the operator mounts."""
    found = (one for one in pod_mounts.mounts(pod) if one.resource == pod_mounts.SECRETS)
    return next(one.folder(root) for one in found)
