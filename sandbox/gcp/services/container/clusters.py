"""clusters.create, get, list, delete."""

from __future__ import annotations

import uuid

from sandbox.gcp.service import Call, now, project_number
from sandbox.gcp.services.container import (
    addons,
    checks,
    defaults,
    encryption,
    maintenance,
    new_pools,
    notifications,
    operation_steps,
    operations,
    placement,
    records,
    render,
)
from sandbox.gcp.services.container import compute_resources as compute
from sandbox.gcp.services.container.errors import cluster_exists, not_running
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.placement import Placement
from sandbox.gcp.services.container.render import ClusterRecord
from sandbox.gcp.services.container.requests import cluster_name, place, shown
from sandbox.gcp.services.container.wire_format import Json

# Progress metrics of a finished operation.
_PROGRESS = {
    "metrics": [
        {"name": "CLUSTER_CONFIGURING", "intValue": "8"},
        {"name": "CLUSTER_CONFIGURING_TOTAL", "intValue": "8"},
        {"name": "CLUSTER_DEPLOYING", "intValue": "12"},
        {"name": "CLUSTER_DEPLOYING_TOTAL", "intValue": "12"},
        {"name": "CLUSTER_HEALTHCHECKING", "intValue": "1"},
        {"name": "CLUSTER_HEALTHCHECKING_TOTAL", "intValue": "2"},
    ]
}


async def create(call: Call) -> Json:
    """Validate and store a new cluster, and start its operation."""
    where = place(call)
    requested: Json = call.body.get("cluster") or {}
    name = checks.name("cluster", requested.get("name"))
    checks.location(where.location)
    if records.exists(call.store, where, name):
        raise cluster_exists(where, name)
    cluster_id = f"{uuid.uuid4().hex}{uuid.uuid4().hex}"
    placed = placement.place_cluster(
        call.state,
        requested,
        where,
        cluster_id=cluster_id,
        others=list(records.in_location(call.store, where.project, "-")),
    )
    record = _record(call, where, requested, cluster_id=cluster_id, placed=placed)
    compute.mark_subnetwork(call.store, placed.subnetwork)
    # Services first, as Google adds them.
    for range_name, block in reversed(placed.own_ranges.items()):
        compute.add_range(call.store, placed.subnetwork, range_name, block)
    records.put(call.store, where, record)
    compute.make_firewalls(call.store, record)
    operation = operations.start(
        call.state,
        where,
        "CREATE_CLUSTER",
        f"clusters/{name}",
        lambda: operation_steps.create_cluster(call.state, where, name),
        progress=_PROGRESS,
    )
    return operations.render(operation, call.method.version)


def _record(
    call: Call, where: Place, requested: Json, *, cluster_id: str, placed: Placement
) -> ClusterRecord:
    """Validate a new cluster and return its record."""
    checks.pools(requested)
    checks.workload_pool(requested, where.project)
    checks.resource_labels(requested.get("resourceLabels") or {})
    addons.check(call.state, requested.get("addonsConfig") or {}, where.project)
    notifications.check(call.state, requested.get("notificationConfig") or {}, where.project)
    encryption.check(call.state, requested.get("databaseEncryption") or {}, where)
    maintenance.check((requested.get("maintenancePolicy") or {}).get("window") or {})
    checks.max_pods((requested.get("defaultMaxPodsConstraint") or {}).get("maxPodsPerNode"))
    wanted = requested.get("initialClusterVersion") or ""
    channel = checks.channel((requested.get("releaseChannel") or {}).get("channel") or "", wanted)
    version = checks.master_version(wanted, channel)
    zones = checks.node_locations(list(requested.get("locations") or []), where.location)
    number = project_number(where.project)
    # Placeholder addresses until the control plane runs.
    host = int(cluster_id[:4], 16)
    facts = defaults.Facts(
        project=where.project,
        project_number=number,
        location=where.location,
        locations=zones,
        id=cluster_id,
        network=placed.network,
        subnetwork=placed.subnetwork,
        version=version,
        channel=channel,
        pods_range=placed.pods,
        pods_range_name=placed.pods_name,
        services_range=placed.services,
        services_range_name=placed.services_name,
        private_endpoint=defaults.private_address(cluster_id),
        public_endpoint=f"127.1.{host >> 8}.{host % 250 + 2}",
        created=now(),
        etag="",
        label_fingerprint="",
    )
    cluster = defaults.complete(requested, facts)
    cluster["status"] = "PROVISIONING"
    cluster["maintenancePolicy"]["resourceVersion"] = defaults.policy_version(
        cluster["maintenancePolicy"]
    )
    wanted_pools = new_pools.of_new_cluster(requested)
    pools = [new_pools.record(call.store, cluster, pool, where.project) for pool in wanted_pools]
    for pool in wanted_pools:
        encryption.check_boot_disk(call.state, pool.get("config") or {}, where)
    new_pools.refuse_over_quota(call.store, where.project, pools)
    return {
        "project": where.project,
        "location": where.location,
        "cluster": cluster,
        "initial_count": int(pools[0]["pool"].get("initialNodeCount") or 0) if pools else 0,
        "pools": pools,
        "own_ranges": list(placed.own_ranges),
    }


async def get(call: Call) -> Json:
    """Return one cluster."""
    record = records.get(call.store, place(call), cluster_name(call))
    return shown(call, "Cluster", render.cluster(record, call.method.version))


async def list_(call: Call) -> Json:
    """Return all clusters of a location, or of all locations (`-`)."""
    where = place(call)
    clusters = [
        shown(call, "Cluster", render.cluster(record, call.method.version))
        for record in records.in_location(call.store, where.project, where.location)
    ]
    return {"clusters": clusters} if clusters else {}


async def delete(call: Call) -> Json:
    """Start the deletion of a cluster."""
    where, name = place(call), cluster_name(call)
    record = records.get(call.store, where, name)
    operations.refuse_if_busy(call.store, where, name)
    if record["cluster"]["status"] == "STOPPING":
        raise not_running(name, "STOPPING")

    def stopping(fresh: ClusterRecord) -> None:
        fresh["cluster"]["status"] = "STOPPING"

    records.change(call.store, where, name, stopping)
    operation = operations.start(
        call.state,
        where,
        "DELETE_CLUSTER",
        f"clusters/{name}",
        lambda: operation_steps.delete_cluster(call.state, where, name),
    )
    return operations.render(operation, call.method.version)
