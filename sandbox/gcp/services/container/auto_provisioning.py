"""Node auto-provisioning: creates pools for pods that fit no existing pool, within limits.

The autoscaler gets candidate pools; those it needs are created, and deleted when empty again. GKE
considers prices, which the sandbox does not know; the candidate with the least waste is created.
Pools for compute classes are described in `class_pools`. The cluster's limits hold for them too.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facts.machines import MachineType, catalog
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.container import (
    class_pools,
    new_pools,
    nodes,
    operations,
    provisioner,
    records,
    versions,
)
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.pool_defaults import accelerators
from sandbox.gcp.services.container.render import ClusterRecord, PoolRecord, find_pool
from sandbox.gcp.services.container.wire_format import Json

if TYPE_CHECKING:
    from sandbox.kubernetes.specs import ClassRule

_MOST = 1000
"""Nodes of a pool without limits of the cluster."""
PLAIN = tuple(f"e2-standard-{cores}" for cores in (2, 4, 8, 16, 32))
_FROM_DEFAULTS = ("serviceAccount", "oauthScopes", "imageType", "shieldedInstanceConfig")
Step = Callable[[State, Place, str, str], Awaitable[None]]


def candidates(
    state: State, record: ClusterRecord, rules: Sequence[ClassRule] = ()
) -> Iterator[PoolRecord]:
    """Yield the pools that could be created within the limits, without nodes."""
    settings: Json = record["cluster"].get("autoscaling") or {}
    is_on = bool(settings.get("enableNodeAutoprovisioning"))
    limits = {
        str(one["resourceType"]): int(one.get("maximum") or 0)
        for one in settings.get("resourceLimits") or []
    }
    left = Counter(limits)
    left.subtract(_used(record))
    for machine in _machines(limits) if is_on else ():
        most = _most(machine, left)
        request = _pool_request(_name(record, machine), machine, settings, most)
        yield from _made(state, record, request)
    version = versions.order(record["cluster"]["currentMasterVersion"])
    if not is_on and version < versions.order(class_pools.OLDEST):
        return
    for one in rules:
        for machine in class_pools.machines(dict(one.rule)):
            most = _most(machine, left) if is_on else _MOST
            request = _class_request(record, one, machine, settings)
            request["autoscaling"] |= {"totalMaxNodeCount": most}
            yield from _made(state, record, request)


def _most(machine: MachineType, left: Counter[str]) -> int:
    """How many such nodes fit into what is left of the limits. Without a limit there are none."""
    costs = _costs(machine)
    return min((left[kind] // amount for kind, amount in costs.items() if amount), default=0)


def _made(state: State, record: ClusterRecord, request: Json) -> Iterator[PoolRecord]:
    """The pool, unless there is one of its name, or no room for a node, or GKE refuses it.

    One that is being created is still offered: otherwise pods would get other nodes meanwhile.
    """
    there = find_pool(record, request["name"])
    if there is not None and there["pool"].get("status") == "PROVISIONING":
        yield there
    if there is not None or request["autoscaling"]["totalMaxNodeCount"] < 1:
        return
    try:
        yield new_pools.record(state.store, record["cluster"], request, record["project"])
    except (InvalidError, ApiError):
        return  # the machine type is not available in the zones


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


def _class_request(
    record: ClusterRecord, wanted: ClassRule, machine: MachineType, settings: Json
) -> Json:
    rule, nodes = dict(wanted.rule), dict(wanted.nodes)
    cluster = str(record["cluster"]["id"])
    name = class_pools.name(cluster, wanted.class_name, rule, machine)
    request = _pool_request(name, machine, settings, 0)
    request["config"] |= class_pools.config(wanted.class_name, rule, nodes)
    request["config"] |= class_pools.gpus(rule, machine)
    if found := class_pools.zones(rule) or settings.get("autoprovisioningLocations"):
        request["locations"] = found
    if class_pools.is_flex_start(rule):
        request["management"] = request["management"] | {"autoRepair": False}
    return request


class AutoProvisioner:
    """Creates and deletes auto-provisioned pools for one cluster's autoscaler."""

    def __init__(self, state: State, where: Place, cluster: str, *, reconcile: Step, remove: Step):
        self._state = state
        self._where = where
        self._cluster = cluster
        self._reconcile = reconcile
        self._remove = remove
        self._rules: Sequence[ClassRule] = ()

    def candidates(self, rules: Sequence[ClassRule]) -> list[Any]:
        """Return the pools that could be created, as `ScalingPool`s."""
        self._rules = rules
        record = records.get(self._state.store, self._where, self._cluster)
        return [
            replace(provisioner.scaling_pool(record, entry), exists=False)
            for entry in candidates(self._state, record, rules)
        ]

    def make(self, name: str) -> None:
        """Start creating a candidate pool, unless another operation is in progress."""
        store = self._state.store
        if self._is_busy(name):
            return
        record = records.get(store, self._where, self._cluster)
        if find_pool(record, name) is not None:
            return
        offered = candidates(self._state, record, self._rules)
        entry = next((one for one in offered if one["pool"]["name"] == name), None)
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
