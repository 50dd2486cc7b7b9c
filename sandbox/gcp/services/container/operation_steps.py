"""Steps of operations, and their resumption after a restart.

Each function is idempotent: it starts by reading the current record.
"""

from __future__ import annotations

import asyncio
import logging

from sandbox.gcp import iam_store
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.container import (
    auto_provisioning,
    compute_resources,
    operations,
    provisioner,
    records,
)
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord, find_pool, groups_of, place
from sandbox.gcp.services.container.wire_format import Json

_log = logging.getLogger("sandbox.gcp.container")
_ACTIVE = frozenset({"RUNNING", "RECONCILING", "DEGRADED"})


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
        # Otherwise clients would wait forever for a pool that no operation works on.
        for entry in record["pools"]:
            if entry["pool"]["status"] == "PROVISIONING":
                entry["pool"]["status"] = "ERROR"


async def create_cluster(state: State, where: Place, name: str) -> None:
    """Boot the control plane and provision all node pools."""
    record = records.get(state.store, where, name)
    try:
        await provisioner.boot(state, record)
        await _provision(state, where, name)
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


async def _provision(state: State, where: Place, name: str) -> None:
    record = records.get(state.store, where, name)
    for entry in record["pools"]:
        await provisioner.sync_pool(state, record, entry["pool"]["name"])
    await provisioner.start_controllers(state, record, _auto_provisioner(state, where, name))


def _auto_provisioner(state: State, where: Place, name: str) -> auto_provisioning.AutoProvisioner:
    return auto_provisioning.AutoProvisioner(
        state, where, name, reconcile=reconcile_pool, remove=delete_pool
    )


async def delete_cluster(state: State, where: Place, name: str) -> None:
    """Delete the control plane and the cluster's record."""
    if records.exists(state.store, where, name):
        record = records.get(state.store, where, name)
        try:
            for entry in record["pools"]:
                compute_resources.refuse_used(state.store, groups_of(record, entry))
        except ApiError as error:
            reason = error.message
            records.change(
                state.store, where, name, lambda fresh: _set_status(fresh, "DEGRADED", reason)
            )
            raise
        await provisioner.remove_cluster(state, record)
        records.delete(state.store, where, name)


async def reconcile_cluster(state: State, where: Place, name: str) -> None:
    """Reconcile all node pools and controllers with the record."""
    record = records.get(state.store, where, name)
    for entry in record["pools"]:
        await provisioner.sync_pool(state, record, entry["pool"]["name"])
    await provisioner.reconcile_controllers(state, record, _auto_provisioner(state, where, name))
    records.change(state.store, where, name, lambda fresh: _set_status(fresh, "RUNNING"))


async def reconcile_pool(state: State, where: Place, name: str, pool: str) -> None:
    """Reconcile one node pool with the record."""
    await provisioner.sync_pool(state, records.get(state.store, where, name), pool)

    def running(fresh: ClusterRecord) -> None:
        entry = find_pool(fresh, pool)
        if entry is not None:
            entry["pool"]["status"] = "RUNNING"

    records.change(state.store, where, name, running)


async def delete_pool(state: State, where: Place, name: str, pool: str) -> None:
    """Delete a node pool; one whose instance groups are in use stays."""
    record = records.get(state.store, where, name)
    entry = find_pool(record, pool)
    try:
        compute_resources.refuse_used(state.store, groups_of(record, entry) if entry else [])
    except ApiError as error:
        reason = error.message

        def kept(fresh: ClusterRecord) -> None:
            found = find_pool(fresh, pool)
            if found is not None:
                found["pool"] |= {"status": "RUNNING_WITH_ERROR", "statusMessage": reason}

        records.change(state.store, where, name, kept)
        raise
    await provisioner.remove_pool(state, record, pool)

    def removed(fresh: ClusterRecord) -> None:
        fresh["pools"] = [e for e in fresh["pools"] if e["pool"]["name"] != pool]

    records.change(state.store, where, name, removed)


async def _resume_operation(state: State, operation: Json) -> None:
    """Run the steps of an unfinished operation again."""
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
        await reconcile_pool(state, where, name, pool)
    else:
        await reconcile_cluster(state, where, name)


async def resume(state: State) -> None:
    """Restart all active clusters, then resume unfinished operations."""
    active = [r for r in records.everywhere(state.store) if r["cluster"].get("status") in _ACTIVE]
    await asyncio.gather(*(_restart_cluster(state, record) for record in active))
    for operation in operations.unfinished(state.store):

        async def steps(operation: Json = operation) -> None:
            await _resume_operation(state, operation)

        state.spawn(operations.run(state, operation, steps))


async def _restart_cluster(state: State, record: ClusterRecord) -> None:
    if state.control_planes is None:
        return
    where, name = place(record), record["cluster"]["name"]
    try:
        await provisioner.boot(state, record)
        await _provision(state, where, name)
    except Exception as error:
        _log.exception("cluster %s could not be brought back", where.cluster(name))
        reason = f"the control plane could not be brought back: {error}"
        records.change(state.store, where, name, lambda fresh: _set_status(fresh, "ERROR", reason))
