"""Node auto-provisioning: creates pools for pods that fit no existing pool, within limits.

The autoscaler gets candidate pools; those it needs are created, and deleted when empty again. GKE
considers prices, which the sandbox does not know; the candidate with the least waste is created.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from facts.machines import MachineType, catalog
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.container import new_pools, nodes, operations, provisioner, records
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.pool_defaults import accelerators
from sandbox.gcp.services.container.render import ClusterRecord, PoolRecord, find_pool
from sandbox.gcp.services.container.wire_format import Json

PLAIN = tuple(f"e2-standard-{cores}" for cores in (2, 4, 8, 16, 32))
_FROM_DEFAULTS = ("serviceAccount", "oauthScopes", "imageType", "shieldedInstanceConfig")
Step = Callable[[State, Place, str, str], Awaitable[None]]


def candidates(state: State, record: ClusterRecord) -> Iterator[PoolRecord]:
    """Yield the pools that could be created within the limits, without nodes."""
    settings: Json = record["cluster"].get("autoscaling") or {}
    if not settings.get("enableNodeAutoprovisioning"):
        return
    limits = {
        str(one["resourceType"]): int(one.get("maximum") or 0)
        for one in settings.get("resourceLimits") or []
    }
    left = Counter(limits)
    left.subtract(_used(record))
    for machine in _machines(limits):
        costs = _costs(machine)
        max_nodes = min(
            (left[kind] // amount for kind, amount in costs.items() if amount), default=0
        )
        name = _name(record, machine)
        if max_nodes < 1 or find_pool(record, name) is not None:
            continue
        requested = _pool_request(name, machine, settings, max_nodes)
        try:
            made = new_pools.record(state.store, record["cluster"], requested, record["project"])
        except (InvalidError, ApiError):
            continue  # the machine type is not available in the zones
        yield made


def _machines(limits: Json) -> Iterator[MachineType]:
    for machine in catalog().machine_types.values():
        gpus = machine.accelerators
        if machine.name in PLAIN or (gpus is not None and gpus.type in limits):
            yield machine


def _costs(machine: MachineType) -> dict[str, int]:
    costs = {"cpu": machine.cpus, "memory": -(-machine.memory_mib // 1024)}
    gpus = machine.accelerators
    return costs | ({gpus.type: gpus.count} if gpus is not None else {})


def _used(record: ClusterRecord) -> Counter[str]:
    used: Counter[str] = Counter()
    for entry in record["pools"]:
        count = sum(entry["sizes"].values())
        machine = nodes.machine_of(entry["pool"])
        each = {"cpu": machine.cpus, "memory": -(-machine.memory_mib // 1024)}
        gpus = accelerators(entry["pool"]["config"])
        if gpus is not None:
            each[gpus[0]] = gpus[1]
        used.update({kind: amount * count for kind, amount in each.items()})
    return used


def _name(record: ClusterRecord, machine: MachineType) -> str:
    text = f"{record['cluster']['id']} {machine.name}"
    return f"nap-{machine.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _pool_request(name: str, machine: MachineType, settings: Json, max_nodes: int) -> Json:
    given: Json = settings.get("autoprovisioningNodePoolDefaults") or {}
    config = {key: given[key] for key in _FROM_DEFAULTS if given.get(key)}
    config["machineType"] = machine.name
    if machine.accelerators is not None:
        gpus = machine.accelerators
        config["accelerators"] = [
            {"acceleratorType": gpus.type, "acceleratorCount": str(gpus.count)}
        ]
    return {
        "name": name,
        "config": config,
        "management": given.get("management") or {},
        "autoscaling": {"enabled": True, "autoprovisioned": True, "totalMaxNodeCount": max_nodes},
    }


class AutoProvisioner:
    """Creates and deletes auto-provisioned pools for one cluster's autoscaler."""

    def __init__(self, state: State, where: Place, cluster: str, *, reconcile: Step, remove: Step):
        self._state = state
        self._where = where
        self._cluster = cluster
        self._reconcile = reconcile
        self._remove = remove

    def candidates(self) -> list[Any]:
        """Return the pools that could be created, as `ScalingPool`s."""
        record = records.get(self._state.store, self._where, self._cluster)
        return [
            provisioner.scaling_pool(record, entry) for entry in candidates(self._state, record)
        ]

    def make(self, name: str) -> None:
        """Start creating a candidate pool, unless another operation is in progress."""
        store = self._state.store
        if self._is_busy(name):
            return
        record = records.get(store, self._where, self._cluster)
        entry = next(
            (one for one in candidates(self._state, record) if one["pool"]["name"] == name), None
        )
        if entry is not None:
            records.change(
                store, self._where, self._cluster, lambda fresh: fresh["pools"].append(entry)
            )
            self._begin("CREATE_NODE_POOL", name, self._reconcile)

    def drop(self, name: str) -> None:
        """Start deleting an empty pool, unless another operation is in progress."""
        store = self._state.store
        if self._is_busy(name):
            return

        def stopping(fresh: ClusterRecord) -> None:
            entry = find_pool(fresh, name)
            if entry is not None:
                entry["pool"] |= {"status": "STOPPING", "etag": str(uuid.uuid4())}

        records.change(store, self._where, self._cluster, stopping)
        self._begin("DELETE_NODE_POOL", name, self._remove)

    def _is_busy(self, name: str) -> bool:
        try:
            operations.refuse_if_busy(self._state.store, self._where, self._cluster, pool=name)
        except ApiError:
            return True
        return False

    def _begin(self, kind: str, name: str, step: Step) -> None:
        operations.start(
            self._state,
            self._where,
            kind,
            f"clusters/{self._cluster}/nodePools/{name}",
            lambda: step(self._state, self._where, self._cluster, name),
            status="PENDING",
        )
