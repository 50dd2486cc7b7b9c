"""Runs the real LWS controller in place of its simulated pod, and holds leaders until workers run.

It runs while its pod does, with the pod's configuration and service account, so RBAC applies, and
the pod is ready when the program says so. The API server calls its webhooks through the service
proxy. Differences from a real pod: free ports of 127.0.0.1, no leader election, and mounts are
folders of this machine.

A leader of a group is ready once all its workers are: its server waits for their processes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from sandbox.engine import build
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import groups, pod_status, probes
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.pod_programs import PodPrograms
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN
from sandbox.kubernetes.controllers.service_proxy import ServiceProxy
from sandbox.kubernetes.folder import Folder, write_private
from sandbox.kubernetes.ports import free_port

Json = dict[str, Any]
NAME = "lws"
_SOON = 0.2
"""Seconds between two looks while it is not ready."""


class LeaderWorkerSets:
    """The LWS controller of one cluster."""

    def __init__(
        self,
        server: ApiServer,
        *,
        folder: Folder,
        proxy: ServiceProxy,
        pods: Callable[[], list[Json]],
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._pods = pods
        self._programs = PodPrograms(NAME, server, folder, prefixes=(NAME,))
        self.wake = self._programs.wake

    def start(self) -> None:
        """Start the controller."""
        self._programs.start(self._reconcile)

    async def stop(self) -> None:
        """Stop LWS. Objects that it created stay."""
        await self._programs.stop()

    async def _reconcile(self) -> float | None:
        """Keep the process and the leaders; returns the seconds until it must look again."""
        pods = self._pods()
        for leader in groups.leaders(pods):
            await pod_status.show(self._server, leader, groups.status(leader, pods))
        pod = next((one for one in pods if groups.is_controller(one)), None)
        if pod is None:
            await self._programs.retire(())
            return None
        process = await self._programs.keep(NAME, pod, partial(self._program, pod))
        self._proxy.serves(pod, process.port if process else None)
        is_ready = process is not None and await _is_ready(pod, process)
        status = pod_status.containers_ready(pod, is_ready=is_ready)
        await pod_status.show(self._server, pod, status)
        return AGAIN if is_ready else _SOON

    async def _program(self, pod: Json, process: PodProcess) -> Program:
        binaries = await self._programs.binaries(build.LEADER_WORKER_SETS, pod)
        process.port, process.health_port = free_port(), free_port()
        return Program(
            binary=binaries / NAME,
            arguments=[
                *(one for one in groups.arguments(pod) if not one.startswith("--config=")),
                f"--config={self._configured(pod, process)}",
                "--leader-elect=false",
                f"--health-probe-bind-address=127.0.0.1:{process.health_port}",
            ],
            environment={"KUBECONFIG": str(process.kubeconfig)},
        )

    def _configured(self, pod: Json, process: PodProcess) -> Path:
        """Write the pod's configuration with the ports and folders of this machine."""
        file = groups.configuration_file(pod)
        document = yaml.safe_load((process.root / file.lstrip("/")).read_text())
        webhook = document.setdefault("webhook", {})
        folder = process.root / str(webhook.get("certDir", "")).lstrip("/")
        webhook |= {"host": "127.0.0.1", "port": process.port, "certDir": str(folder)}
        own = process.root / "configuration.yaml"
        write_private(own, yaml.safe_dump(document))
        return own


async def _is_ready(pod: Json, process: PodProcess) -> bool:
    """What the pod's readiness probe finds: on the port of the webhooks, or of the health."""
    if "tcpSocket" in (pod["spec"]["containers"][0].get("readinessProbe") or {}):
        return await probes.listens(process.port)
    return await probes.answers(process.health_port, "/readyz")
