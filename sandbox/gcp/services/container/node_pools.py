"""nodePools.create, get, list, update, setSize, setAutoscaling, setManagement, rollback, delete."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call
from sandbox.gcp.services.container import (
    checks,
    encryption,
    new_pools,
    notifications,
    operation_steps,
    operations,
    pool_defaults,
    records,
    render,
    updates,
    versions,
)
from sandbox.gcp.services.container import compute_resources as compute
from sandbox.gcp.services.container.errors import (
    bad_request,
    failed_precondition,
    no_pool,
    not_running,
    pool_exists,
    stale,
)
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord, PoolRecord, find_pool, groups_of
from sandbox.gcp.services.container.requests import cluster_name, place, pool_name, shown
from sandbox.gcp.services.container.wire_format import Json

Change = Callable[[ClusterRecord, PoolRecord], None]


def _found(record: ClusterRecord, name: str) -> PoolRecord:
    entry = find_pool(record, name)
    if entry is None:
        raise no_pool(name)
    return entry


def _ready(call: Call, where: Place, cluster: str, pool: str) -> ClusterRecord:
    record = records.get(call.store, where, cluster)
    operations.refuse_if_busy(call.store, where, cluster, pool=pool)
    status = record["cluster"]["status"]
    if status not in ("RUNNING", "RECONCILING", "DEGRADED"):
        raise not_running(cluster, status)
    return record


def _begin(
    call: Call,
    where: Place,
    cluster: str,
    pool: str,
    kind: str,
    done: Callable[[], Awaitable[None]],
    *,
    progress: Json | None = None,
) -> Json:
    target = f"clusters/{cluster}/nodePools/{pool}"
    operation = operations.start(
        call.state, where, kind, target, done, status="PENDING", progress=progress
    )
    return operations.render(operation, call.method.version)


async def create(call: Call) -> Json:
    """Validate and store a new node pool, and start its operation."""
    where, cluster = place(call), cluster_name(call)
    requested: Json = call.body.get("nodePool") or {}
    name = checks.name("node_pool", requested.get("name"))
    record = _ready(call, where, cluster, name)
    if find_pool(record, name) is not None:
        raise pool_exists(where, cluster, name)
    entry = new_pools.record(call.store, record["cluster"], requested, where.project)
    encryption.check_boot_disk(call.state, requested.get("config") or {}, where)
    new_pools.refuse_over_quota(call.store, where.project, [entry])
    records.change(call.store, where, cluster, lambda fresh: fresh["pools"].append(entry))
    return _begin(
        call,
        where,
        cluster,
        name,
        "CREATE_NODE_POOL",
        lambda: operation_steps.reconcile_pool(call.state, where, cluster, name),
    )


async def get(call: Call) -> Json:
    """Return one node pool."""
    record = records.get(call.store, place(call), cluster_name(call))
    entry = _found(record, pool_name(call))
    return shown(call, "NodePool", render.pool(record, entry, call.method.version, alone=True))


async def list_(call: Call) -> Json:
    """Return all node pools of a cluster."""
    record = records.get(call.store, place(call), cluster_name(call))
    pools = [
        shown(call, "NodePool", render.pool(record, entry, call.method.version, alone=True))
        for entry in record["pools"]
    ]
    return {"nodePools": pools} if pools else {}


async def delete(call: Call) -> Json:
    """Start the deletion of a node pool."""
    where, cluster, name = place(call), cluster_name(call), pool_name(call)
    _found(records.get(call.store, where, cluster), name)
    _ready(call, where, cluster, name)

    def stopping(fresh: ClusterRecord) -> None:
        _found(fresh, name)["pool"]["status"] = "STOPPING"

    records.change(call.store, where, cluster, stopping)
    return _begin(
        call,
        where,
        cluster,
        name,
        "DELETE_NODE_POOL",
        lambda: operation_steps.delete_pool(call.state, where, cluster, name),
    )


def _change(call: Call, name: str, kind: str, change: Change) -> Json:
    """Change a node pool's record and start the operation that applies the change."""
    where, cluster = place(call), cluster_name(call)
    _found(records.get(call.store, where, cluster), name)
    _ready(call, where, cluster, name)

    def reconciling(fresh: ClusterRecord) -> None:
        entry = _found(fresh, name)
        change(fresh, entry)
        entry["pool"] |= {"status": "RECONCILING", "etag": str(uuid.uuid4())}

    record = records.change(call.store, where, cluster, reconciling)
    nodes = sum(_found(record, name)["sizes"].values())
    return _begin(
        call,
        where,
        cluster,
        name,
        kind,
        lambda: operation_steps.reconcile_pool(call.state, where, cluster, name),
        progress={"metrics": [{"name": "NODES_TOTAL", "intValue": str(nodes)}]},
    )


async def update(call: Call) -> Json:
    """Update a node pool's configuration or version."""
    name = pool_name(call)
    wanted = {key: value for key, value in call.body.items() if value is not None}
    if "nodes" in wanted:
        raise ApiError(501, f"sandbox does not emulate nodes in {call.method.id}")

    def change(record: ClusterRecord, entry: PoolRecord) -> None:
        pool = entry["pool"]
        if wanted.get("etag") and wanted["etag"] != pool["etag"]:
            raise stale("node pool")
        before = groups_of(record, entry)
        unknown = updates.pool_update(pool, wanted)
        if unknown:
            raise ApiError(501, f"sandbox does not emulate {unknown[0]} in {call.method.id}")
        updates.check_pool(pool, record["cluster"])
        old = pool.get("version") or ""
        if wanted.get("nodeVersion"):
            _upgrade(record, pool, wanted["nodeVersion"])
        if "locations" in wanted:
            zones = checks.node_locations(list(wanted["locations"]), record["location"])
            initial = int(pool.get("initialNodeCount") or 0)
            entry["sizes"] = {zone: entry["sizes"].get(zone, initial) for zone in zones}
            compute.remove_groups(call.store, [g for g in before if g.zone not in zones])
        notifications.upgraded(call.state, record, old, pool["version"], what="NODE_POOL")

    return _change(call, name, "UPGRADE_NODES", change)


def _upgrade(record: ClusterRecord, pool: Json, wanted: str) -> None:
    cluster = record["cluster"]
    channel = (cluster.get("releaseChannel") or {}).get("channel") or versions.UNSPECIFIED
    version = checks.node_version(
        wanted, master=cluster["currentMasterVersion"], in_channel=channel
    )
    pool["version"] = version


async def set_size(call: Call) -> Json:
    """Set the number of nodes in each zone."""
    count = int(call.body.get("nodeCount") or 0)
    checks.node_count(count)

    def change(_: ClusterRecord, entry: PoolRecord) -> None:
        entry["sizes"] = dict.fromkeys(entry["sizes"], count)
        entry["pool"]["initialNodeCount"] = count

    return _change(call, pool_name(call), "SET_NODE_POOL_SIZE", change)


async def set_autoscaling(call: Call) -> Json:
    """Set the pool's autoscaling limits."""
    return _autoscaling(call, pool_name(call), call.body.get("autoscaling") or {})


def _autoscaling(call: Call, name: str, wanted: Json) -> Json:
    checks.autoscaling(wanted)

    def change(_: ClusterRecord, entry: PoolRecord) -> None:
        pool = entry["pool"]
        spot = pool_defaults.is_spot(pool["config"])
        settings = pool_defaults.autoscaling(wanted, spot=spot)
        pool["autoscaling"] = settings
        if not settings:
            pool.pop("autoscaling")

    return _change(call, name, "UPDATE_CLUSTER", change)


async def set_management(call: Call) -> Json:
    """Set auto-upgrade and auto-repair."""
    wanted: Json = call.body.get("management") or {}

    def change(record: ClusterRecord, entry: PoolRecord) -> None:
        channel = (record["cluster"].get("releaseChannel") or {}).get("channel")
        checks.management(wanted, channel or versions.UNSPECIFIED)
        entry["pool"]["management"] = wanted

    return _change(call, pool_name(call), "SET_NODE_POOL_MANAGEMENT", change)


async def rollback(call: Call) -> Json:
    """Refuse a rollback: upgrades are never in progress long enough to roll back."""
    where, cluster, name = place(call), cluster_name(call), pool_name(call)
    _found(records.get(call.store, where, cluster), name)
    raise failed_precondition(
        f'Node pool "{name}" has no upgrade in progress that could be rolled back.'
    )


async def update_by_cluster(call: Call, wanted: Json) -> Json:
    """Apply the fields of `clusters.update` that concern a node pool."""
    record = records.get(call.store, place(call), cluster_name(call))
    name = wanted.get("desiredNodePoolId") or ""
    if not name:
        if len(record["pools"]) != 1:
            raise bad_request("desired_node_pool_id must be specified: there are several pools.")
        name = record["pools"][0]["pool"]["name"]
    if "desiredNodePoolAutoscaling" in wanted:
        return _autoscaling(call, name, wanted["desiredNodePoolAutoscaling"])

    def change(fresh: ClusterRecord, entry: PoolRecord) -> None:
        pool = entry["pool"]
        old = pool.get("version") or ""
        if "desiredNodeVersion" in wanted:
            _upgrade(fresh, pool, wanted["desiredNodeVersion"])
        if "desiredImageType" in wanted:
            updates.pool_update(pool, {"imageType": wanted["desiredImageType"]})
        notifications.upgraded(call.state, fresh, old, pool["version"], what="NODE_POOL")

    return _change(call, name, "UPGRADE_NODES", change)
