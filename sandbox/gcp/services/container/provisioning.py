"""Node auto-provisioning: pools that a cluster makes for pods that fit none, within its limits.

A pool is offered to the autoscaler before it is there; what it would need is made, and what is
empty again is taken away. GKE weighs prices, which are not known here: what wastes least is made.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from facts.machines import MachineType, catalogue
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.container import new_pools, nodes, operations, reality, records
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.form import Json
from sandbox.gcp.services.container.places import Place
from sandbox.gcp.services.container.pool_defaults import accelerators
from sandbox.gcp.services.container.render import ClusterRecord, PoolRecord, find_pool

PLAIN = tuple(f"e2-standard-{cores}" for cores in (2, 4, 8, 16, 32))
_FROM_DEFAULTS = ("serviceAccount", "oauthScopes", "imageType", "shieldedInstanceConfig")
Work = Callable[[State, Place, str, str], Awaitable[None]]


def candidates(state: State, record: ClusterRecord) -> Iterator[PoolRecord]:
    """The pools that could be made now, each empty."""
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
        most = min((left[kind] // amount for kind, amount in costs.items() if amount), default=0)
        name = _name(record, machine)
        if most < 1 or find_pool(record, name) is not None:
            continue
        asked = _asked(name, machine, settings, most)
        try:
            made = new_pools.record(state.store, record["cluster"], asked, record["project"])
        except (InvalidError, ApiError):
            continue  # its zones do not have the machine
        yield made


def _machines(limits: Json) -> Iterator[MachineType]:
    for machine in catalogue().machine_types.values():
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


def _asked(name: str, machine: MachineType, settings: Json, most: int) -> Json:
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
        "autoscaling": {"enabled": True, "autoprovisioned": True, "totalMaxNodeCount": most},
    }


class Provisioner:
    """What the autoscaler of one cluster asks for pools."""

    def __init__(self, state: State, where: Place, cluster: str, *, settle: Work, remove: Work):
        self._state = state
        self._where = where
        self._cluster = cluster
        self._settle = settle
        self._remove = remove

    def candidates(self) -> list[Any]:
        """Pools that could be made, in the form in which the autoscaler knows pools."""
        record = records.get(self._state.store, self._where, self._cluster)
        return [reality.scaling_of(record, entry) for entry in candidates(self._state, record)]

    def make(self, name: str) -> None:
        """Begin to make one of them; not while something else is being done."""
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
            self._begin("CREATE_NODE_POOL", name, self._settle)

    def drop(self, name: str) -> None:
        """Begin to take an empty one away; not while something else is being done."""
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

    def _begin(self, kind: str, name: str, work: Work) -> None:
        operations.start(
            self._state,
            self._where,
            kind,
            f"clusters/{self._cluster}/nodePools/{name}",
            lambda: work(self._state, self._where, self._cluster, name),
            status="PENDING",
        )
