"""The NEG readiness reflector: lets a pod be ready once the load balancer finds it healthy.

GKE puts the gate `cloud.google.com/load-balancer-neg-ready` into a pod that is created behind an
endpoint group (`defaults/neg-readiness-gate.yaml`), so that a rollout ends no pod before its
successor gets requests. Its condition becomes True, and stays so, when an endpoint of the pod is
healthy for a backend service, when its group has no health check, or after ten minutes.

Sources: https://cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing
and `pkg/neg/readiness` of kubernetes/ingress-gce.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from sandbox.kubernetes.api_server import STRATEGIC_MERGE, ApiServer, ApiServerError
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.endpoint_groups import exposed_ports
from sandbox.kubernetes.controllers.events import Events
from sandbox.traffic.model_servers import pods as model_servers

Json = dict[str, Any]
GATE = "cloud.google.com/load-balancer-neg-ready"
TIMEOUT = 600.0
"""Seconds after a pod's creation at which its gate opens in any case."""
_ZONE = "topology.kubernetes.io/zone"
_POLL, _LATER_POLL = 0.25, 1.0  # seconds
_PATIENCE = 30.0
"""Seconds after which it is looked at less often."""
_log = logging.getLogger("sandbox.kubernetes.controllers")


@dataclass(frozen=True, slots=True)
class Found:
    """What the API says of a pod's endpoint in one group."""

    group: str
    zone: str
    healthy_in: str | None
    """The path of a backend service whose health check finds the endpoint healthy."""
    is_checked: bool
    """Whether a backend service with a health check has the group."""

    @property
    def key(self) -> str:
        """The group as the messages of GKE's controller write it."""
        return f'Key{{"{self.group}", zone: "{self.zone}"}}'


def is_waiting(pod: Json) -> bool:
    """Whether a pod has the gate, and its condition is not True."""
    gates = pod["spec"].get("readinessGates") or ()
    return (
        any(one["conditionType"] == GATE for one in gates)
        and "deletionTimestamp" not in pod["metadata"]
        and not is_true(pod, GATE)
    )


def is_true(pod: Json, kind: str) -> bool:
    """Whether a condition of a pod is True."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def groups_of(pod: Json, services: list[Json], cluster_uid: str) -> list[str]:
    """The names of the endpoint groups that a pod belongs to: those of Services that select it."""
    labels = pod["metadata"].get("labels") or {}
    names = {
        name
        for service in services
        if service["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and (selector := service["spec"].get("selector"))
        and selector.items() <= labels.items()
        for name in exposed_ports(service, cluster_uid).values()
    }
    return sorted(names)


def serves_nothing(pod: Json) -> bool:
    """Whether the sandbox has no server for a pod, whose health therefore cannot be known.

    This is so for containers that declare no port, which may listen all the same.
    """
    return model_servers.read(pod, {}) is None


def condition(pod: Json, groups: list[str], found: list[Found], now: datetime) -> Json | None:
    """The gate's condition; None while nothing is known of the pod's endpoints."""
    listed = f"[{' '.join(groups)}]"
    marking = f'Marking condition "{GATE}" to True.'
    if not groups:
        return _open("LoadBalancerNegReady", f"Pod does not belong to any NEG. {marking}")
    for one in found:
        if one.healthy_in:
            service = one.healthy_in.rpartition("/")[2]
            text = f'Pod has become Healthy in NEG "{one.key}" attached to BackendService'
            return _open("LoadBalancerNegReady", f'{text} "Key{{"{service}"}}". {marking}')
    for one in found:
        if not one.is_checked or serves_nothing(pod):
            text = f'Pod is in NEG "{one.key}". NEG is not attached to any BackendService with'
            return _open("LoadBalancerNegWithoutHealthCheck", f"{text} health checking. {marking}")
    if (now - _created(pod)).total_seconds() > TIMEOUT:
        text = "Timeout waiting for pod to become healthy in at least one of the NEG(s)"
        return _open("LoadBalancerNegTimeout", f"{text}: {listed}. {marking}")
    if not found:
        return None
    text = f"Waiting for pod to become healthy in at least one of the NEG(s): {listed}"
    return {
        "type": GATE,
        "status": "False",
        "reason": "LoadBalancerNegNotReady",
        "message": text,
    }


def _open(reason: str, message: str) -> Json:
    return {"type": GATE, "status": "True", "reason": reason, "message": message}


def _created(pod: Json) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])


def findings(group: str, zone: str, address: str, items: list[Json]) -> Iterator[Found]:
    """What the items of `listNetworkEndpoints` say of an address; nothing if it is not there."""
    is_checked = any(item.get("healths") for item in items)
    for item in items:
        if item["networkEndpoint"].get("ipAddress") == address:
            healthy = (
                str(health["backendService"]["backendService"])
                for health in item.get("healths") or ()
                if health.get("healthState") == "HEALTHY"
            )
            yield Found(group, zone, next(healthy, None), is_checked)


class ReadinessGates:
    """The gates of one cluster's pods."""

    def __init__(
        self,
        server: ApiServer,
        compute: Compute,
        *,
        cluster_uid: str,
        services: Callable[[], list[Json]],
        pods: Callable[[], list[Json]],
        nodes: Callable[[], list[Json]],
    ) -> None:
        self._server = server
        self._compute = compute
        self._cluster_uid = cluster_uid
        self._services = services
        self._pods = pods
        self._nodes = nodes
        self._events = Events(server, "neg-readiness-reflector", kind="Pod")

    async def run(self, wake: asyncio.Event) -> None:
        """Look at the pods after each change, and while some wait, until cancelled."""
        pause: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()
            wake.clear()
            try:
                pause = await self.reconcile()
            except (ApiServerError, ComputeError, httpx.HTTPError, OSError) as error:
                _log.info("readiness gates: %s; again in %.0f s", error, _LATER_POLL)
                pause = _LATER_POLL
            except Exception:
                _log.exception("the readiness gates failed")
                pause = _LATER_POLL

    async def reconcile(self) -> float | None:
        """Set what is known of the gates; returns after how many seconds to look again, if any."""
        waiting = [pod for pod in self._pods() if is_waiting(pod)]
        if not waiting:
            return None
        services, now = self._services(), datetime.now(UTC)
        zones = {
            one["metadata"]["name"]: (one["metadata"].get("labels") or {}).get(_ZONE)
            for one in self._nodes()
        }
        listed: dict[tuple[str, str], list[Json]] = {}
        youngest = min((now - _created(pod)).total_seconds() for pod in waiting)
        for pod in waiting:
            groups = groups_of(pod, services, self._cluster_uid)
            found: list[Found] = []
            address = (pod.get("status") or {}).get("podIP")
            zone = zones.get(pod["spec"].get("nodeName") or "")
            if address and zone and is_true(pod, "ContainersReady"):
                for group in groups:
                    items = await self._items(group, zone, listed)
                    found += findings(group, zone, address, items)
            if wanted := condition(pod, groups, found, now):
                await self._set(pod, wanted, now)
        return _POLL if youngest < _PATIENCE else _LATER_POLL

    async def _items(
        self, group: str, zone: str, listed: dict[tuple[str, str], list[Json]]
    ) -> list[Json]:
        if (group, zone) not in listed:
            path = f"zones/{zone}/networkEndpointGroups/{group}/listNetworkEndpoints"
            try:
                answer = await self._compute.request("POST", path, {"healthStatus": "SHOW"})
            except ComputeError as error:
                if error.status != 404:
                    raise
                answer = {}  # the group is not there yet
            listed[group, zone] = answer.get("items") or []
        return listed[group, zone]

    async def _set(self, pod: Json, wanted: Json, now: datetime) -> None:
        """Write the condition, if it is another, and tell of it."""
        metadata, status = pod["metadata"], pod.get("status") or {}
        for one in status.get("conditions") or ():
            if all(one.get(key) == value for key, value in wanted.items()):
                return
        stamped = {**wanted, "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        body = {"metadata": {"uid": metadata["uid"]}, "status": {"conditions": [stamped]}}
        try:
            await self._server.request("PATCH", path, body, content_type=STRATEGIC_MERGE)
            await self._events.record(pod, "Normal", wanted["reason"], wanted["message"])
        except ApiServerError as error:
            if error.status not in (404, 409):  # it is gone, or another has its name
                raise
