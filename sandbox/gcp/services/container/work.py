"""What operations do once they are under way, and how they are carried on after a restart.

Each function may be called again for the same thing: it begins by reading what is there now.
"""

from __future__ import annotations

import asyncio
import logging

from sandbox.gcp import iam_store
from sandbox.gcp.service import State
from sandbox.gcp.services.container import operations, provisioning, reality, records
from sandbox.gcp.services.container.form import Json
from sandbox.gcp.services.container.places import Place
from sandbox.gcp.services.container.render import ClusterRecord, find_pool, place

_log = logging.getLogger("sandbox.gcp.container")
_ALIVE = frozenset({"RUNNING", "RECONCILING", "DEGRADED"})


def _set_status(record: ClusterRecord, status: str, message: str = "") -> None:
    cluster = record["cluster"]
    cluster["status"] = status
    cluster.pop("statusMessage", None)
    if message:
        cluster["statusMessage"] = message
    if status == "RUNNING":
        for entry in record["pools"]:
            if entry["pool"]["status"] in ("PROVISIONING", "RECONCILING"):
                entry["pool"]["status"] = "RUNNING"
    if status == "ERROR":
        # A pool that nobody works on any more would be waited for without end.
        for entry in record["pools"]:
            if entry["pool"]["status"] == "PROVISIONING":
                entry["pool"]["status"] = "ERROR"


async def create_cluster(state: State, where: Place, name: str) -> None:
    """Boot the control plane and bring up all node pools."""
    record = records.get(state.store, where, name)
    try:
        await reality.boot(state, record)
        await _bring_up(state, where, name)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        reason = f"the control plane could not be started: {error}"
        if records.exists(state.store, where, name):
            records.change(
                state.store, where, name, lambda fresh: _set_status(fresh, "ERROR", reason)
            )
        raise
    pool = (record["cluster"].get("workloadIdentityConfig") or {}).get("workloadPool")
    if pool:
        iam_store.make_identity_pool(state, pool)
    records.change(state.store, where, name, lambda fresh: _set_status(fresh, "RUNNING"))


async def _bring_up(state: State, where: Place, name: str) -> None:
    record = records.get(state.store, where, name)
    for entry in record["pools"]:
        await reality.sync_pool(state, record, entry["pool"]["name"])
    await reality.start_controllers(state, record, _provisioner(state, where, name))


def _provisioner(state: State, where: Place, name: str) -> provisioning.Provisioner:
    return provisioning.Provisioner(state, where, name, settle=settle_pool, remove=delete_pool)


async def delete_cluster(state: State, where: Place, name: str) -> None:
    """End the control plane and forget the cluster."""
    if records.exists(state.store, where, name):
        await reality.remove_cluster(state, records.get(state.store, where, name))
        records.delete(state.store, where, name)


async def settle_cluster(state: State, where: Place, name: str) -> None:
    """Make all node pools and controllers what the record says."""
    record = records.get(state.store, where, name)
    for entry in record["pools"]:
        await reality.sync_pool(state, record, entry["pool"]["name"])
    await reality.settle_controllers(state, record, _provisioner(state, where, name))
    records.change(state.store, where, name, lambda fresh: _set_status(fresh, "RUNNING"))


async def settle_pool(state: State, where: Place, name: str, pool: str) -> None:
    """Make one node pool what the record says."""
    await reality.sync_pool(state, records.get(state.store, where, name), pool)

    def running(fresh: ClusterRecord) -> None:
        entry = find_pool(fresh, pool)
        if entry is not None:
            entry["pool"]["status"] = "RUNNING"

    records.change(state.store, where, name, running)


async def delete_pool(state: State, where: Place, name: str, pool: str) -> None:
    """Take a node pool away."""
    await reality.remove_pool(state, records.get(state.store, where, name), pool)

    def removed(fresh: ClusterRecord) -> None:
        fresh["pools"] = [e for e in fresh["pools"] if e["pool"]["name"] != pool]

    records.change(state.store, where, name, removed)


async def _carry_on(state: State, operation: Json) -> None:
    """Do again what an operation was about."""
    where = Place(operation["project"], operation["zone"])
    _, name, *rest = operation["target"].split("/")
    pool = rest[1] if rest else ""
    kind = operation["operationType"]
    if kind == "CREATE_CLUSTER":
        await create_cluster(state, where, name)
    elif kind == "DELETE_CLUSTER":
        await delete_cluster(state, where, name)
    elif kind == "DELETE_NODE_POOL":
        await delete_pool(state, where, name, pool)
    elif pool:
        await settle_pool(state, where, name, pool)
    else:
        await settle_cluster(state, where, name)


async def bring_back(state: State) -> None:
    """Start every cluster that was running, then carry on what was under way."""
    alive = [r for r in records.everywhere(state.store) if r["cluster"].get("status") in _ALIVE]
    await asyncio.gather(*(_revive(state, record) for record in alive))
    for operation in operations.unfinished(state.store):

        async def work(operation: Json = operation) -> None:
            await _carry_on(state, operation)

        state.spawn(operations.run(state, operation, work))


async def _revive(state: State, record: ClusterRecord) -> None:
    if state.control_planes is None:
        return
    where, name = place(record), record["cluster"]["name"]
    try:
        await reality.boot(state, record)
        await _bring_up(state, where, name)
    except Exception as error:
        _log.exception("cluster %s could not be brought back", where.cluster(name))
        reason = f"the control plane could not be brought back: {error}"
        records.change(state.store, where, name, lambda fresh: _set_status(fresh, "ERROR", reason))
