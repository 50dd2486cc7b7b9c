"""Runs the real endpoint pickers and body-based routers in place of their simulated pods.

Each is gateway-api-inference-extension's own (`cmd/epp`, `cmd/bbr`), with the pod's arguments,
configuration and service account, so RBAC applies, and the pod is ready when the program answers
its readiness probe: without its rights, its configuration or its InferencePool it never is.
Differences from real pods: free ports of 127.0.0.1, no traces, and the pods of a pool are scraped
where the dial plan says. As a kubelet has it, the program of a pod that is deleted goes on for its
preStop sleep, for the answers that pass through it; here it ends with the last of its callers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sandbox.engine import build
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.cluster_objects import Callout
from sandbox.kubernetes.controllers import callout_pods as pods
from sandbox.kubernetes.controllers import match_conditions, pod_status, probes
from sandbox.kubernetes.controllers.callout_pods import PREFIXES, Served
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.pod_programs import PodPrograms
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.ports import free_port
from sandbox.traffic.dial_plan import Listener

Json = dict[str, Any]
_WATCH, _SOON = 0.5, 0.2
"""Seconds between two looks: at programs that answer, and at others."""
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
        self._programs = PodPrograms("inference gateway", server, folder, prefixes=PREFIXES)
        self.wake = self._programs.wake
        self._served: dict[str, Served] = {}
        """What each process that answers serves, by its name."""
        self._measured: dict[str, Served] = {}
        """What is collected of each process, ready or not: collectors do not look at readiness."""
        self._failures: dict[str, int] = {}
        """How often in a row the probe of a process has failed."""

    def start(self) -> None:
        """Start the controller."""
        self._programs.start(self._reconcile)

    async def stop(self) -> None:
        """End the programs."""
        await self._programs.stop()

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

    def metrics(self) -> list[Listener]:
        """Where the metrics of the programs are reached, by their pods' ports."""
        key = self._folder.key
        return [
            Listener(
                project=key.project,
                cluster=str(key),
                namespace=one.pod["metadata"]["namespace"],
                pod=one.pod["metadata"]["name"],
                node=one.pod["spec"].get("nodeName") or "",
                zone="",
                address=one.pod["status"].get("podIP") or "",
                port=pods.metrics_port(one.pod),
                listens=one.metrics,
            )
            for one in self._measured.values()
        ]

    def ready(self, namespace: str, service: str, port: int) -> int | None:
        """The port of 127.0.0.1 of the program behind a port of a Service; None: none is ready."""
        found = self._port(namespace, service, port)
        return None if found == NOBODY else found

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

    async def _reconcile(self) -> float | None:
        """Start and stop processes; returns the seconds until it must look again."""
        found = self._pods()
        wanted = pods.running(found)
        # They are asked no more, and end later.
        for name in await self._programs.retire(wanted, found, pause=pods.pause):
            self._note(name, None)
            self._measured.pop(name, None)
        for name, pod in wanted.items():
            process = await self._programs.keep(name, pod, partial(self._program, pod))
            if process is None:
                is_ready = False
                self._note(name, None)
                self._measured.pop(name, None)
            else:
                is_ready = await self._answers(name, process, pod)
                served = Served(pod=pod, listens=process.port, metrics=process.metrics_port)
                self._note(name, served if is_ready else None)
                self._measured[name] = served
            status = pod_status.containers_ready(pod, is_ready=is_ready)
            await pod_status.show(self._server, pod, status)
        return None if not wanted else _WATCH if self._served.keys() >= wanted.keys() else _SOON

    def _note(self, name: str, served: Served | None) -> None:
        """Note what a process serves; None while it does not answer."""
        before = self._served.pop(name, None)
        if served is not None:
            self._served[name] = served
        if (before and before.listens) != (served and served.listens):
            self._changed()

    async def _answers(self, name: str, process: PodProcess, pod: Json) -> bool:
        """Whether a program answers, and its pod's readiness probe finds it ready.

        One that was ready stays it until its probe has failed `failureThreshold` times in a row: a
        busy machine answers late now and then.
        """
        if not await probes.listens(process.port):
            return False
        try:
            service = pods.probed_service(pod)
        except ValueError:
            return False
        if service is None or await probes.is_serving(process.health_port, service):
            self._failures.pop(name, None)
            return True
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        before = self._served.get(name)
        was_ready = before is not None and before.listens == process.port
        return was_ready and failures < pods.failure_threshold(pod)

    async def _program(self, pod: Json, process: PodProcess) -> Program:
        binaries = await self._programs.binaries(build.INFERENCE_GATEWAY, pod)
        process.port, process.health_port, process.metrics_port = (free_port() for _ in range(3))
        return Program(
            binary=binaries / str(pods.program(pod)),
            arguments=[
                *pods.arguments(pod, process.root),
                f"--grpc-port={process.port}",
                f"--grpc-health-port={process.health_port}",
                f"--metrics-port={process.metrics_port}",
                "--tracing=false",
            ],
            environment={
                **pods.environment(pod),
                "KUBECONFIG": str(process.kubeconfig),
                "SANDBOX_DIAL_PLAN": str(self._dial_plan),
                "SANDBOX_PROJECT": self._folder.key.project,
            },
        )
