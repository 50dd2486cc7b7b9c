"""Runs the real Zalando Postgres operator in place of its simulated pod.

It runs while a pod of its image is ready, with the pod's variables and service account, so RBAC
applies. Three differences from a real pod: its API uses a free port, it reaches Patroni through a
proxy, and it does not connect to databases.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.engine import build
from sandbox.kubernetes import ports
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import pod_status
from sandbox.kubernetes.controllers.patroni import Patroni
from sandbox.kubernetes.controllers.pod_environment import environment
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.pod_programs import PodPrograms
from sandbox.kubernetes.controllers.reconcile_loop import AGAIN
from sandbox.kubernetes.folder import Folder

Json = dict[str, Any]
NAME = "postgres-operator"
_IMAGE = re.compile(r"(^|/)postgres-operator[:@]")
_OBJECT = "POSTGRES_OPERATOR_CONFIGURATION_OBJECT"
_API = "acid.zalan.do/v1"


class Postgres:
    """The operator of one cluster, and the simulated Patroni of its Postgres clusters."""

    def __init__(
        self, server: ApiServer, *, folder: Folder, pods: Callable[[], list[Json]]
    ) -> None:
        self._server = server
        self._pods = pods
        self._programs = PodPrograms("postgres", server, folder, prefixes=(NAME,))
        self.wake = self._programs.wake
        self._patroni = Patroni(server, pods)
        self._proxy = 0

    def start(self) -> None:
        """Start the controller."""
        self._programs.start(self._reconcile)

    async def stop(self) -> None:
        """Stop the operator. Objects that it created stay."""
        await self._programs.stop()
        await self._patroni.stop()

    async def _reconcile(self) -> float | None:
        self._proxy = self._proxy or await self._patroni.start()
        pod = next((one for one in self._pods() if _is_operator(one)), None)
        if pod is None:
            await self._programs.retire(())
        else:
            await self._programs.keep(NAME, pod, partial(self._program, pod))
        await self._patroni.reconcile()
        return AGAIN if pod else None

    async def _program(self, pod: Json, process: PodProcess) -> Program:
        namespace = pod["metadata"]["namespace"]
        variables = environment(pod)
        if name := variables.get(_OBJECT):
            variables[_OBJECT] = await self._configure(namespace, name)
        return Program(
            binary=await self._programs.binaries(build.POSTGRES, pod) / NAME,
            arguments=[
                *("-outofcluster", "-kubeconfig", str(process.kubeconfig)),
                *("-nodatabaseaccess", "-kubeqps", "50", "-kubeburst", "100"),
            ],
            environment={
                **variables,
                "OPERATOR_NAMESPACE": namespace,
                "HTTP_PROXY": f"http://127.0.0.1:{self._proxy}",
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
    return bool(_IMAGE.search(image)) and pod_status.is_ready(pod)
