"""clusters.create, get, list, delete."""

from __future__ import annotations

import uuid

from sandbox.gcp.service import Call, now, project_number
from sandbox.gcp.services.container import (
    addons,
    checks,
    defaults,
    encryption,
    new_pools,
    notifications,
    operations,
    placement,
    records,
    render,
    work,
)
from sandbox.gcp.services.container import compute_side as compute
from sandbox.gcp.services.container.failures import cluster_exists, not_running
from sandbox.gcp.services.container.form import Json
from sandbox.gcp.services.container.placement import Placement
from sandbox.gcp.services.container.places import Place
from sandbox.gcp.services.container.render import ClusterRecord
from sandbox.gcp.services.container.requests import cluster_name, place, shown

# What an operation reports of its steps once it is done.
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
    """Check a new cluster, write it down and begin to boot it."""
    where = place(call)
    asked: Json = call.body.get("cluster") or {}
    name = checks.name("cluster", asked.get("name"))
    checks.location(where.location)
    if records.exists(call.store, where, name):
        raise cluster_exists(where, name)
    cluster_id = f"{uuid.uuid4().hex}{uuid.uuid4().hex}"
    placed = placement.place_cluster(
        call.state,
        asked,
        where,
        cluster_id=cluster_id,
        others=list(records.in_place(call.store, where.project, "-")),
    )
    record = _record(call, where, asked, cluster_id=cluster_id, placed=placed)
    for range_name, block in placed.own_ranges.items():
        compute.add_range(call.store, placed.subnetwork, range_name, block)
    records.put(call.store, where, record)
    compute.make_firewalls(call.store, record)
    operation = operations.start(
        call.state,
        where,
        "CREATE_CLUSTER",
        f"clusters/{name}",
        lambda: work.create_cluster(call.state, where, name),
        progress=_PROGRESS,
    )
    return operations.render(operation, call.method.version)


def _record(
    call: Call, where: Place, asked: Json, *, cluster_id: str, placed: Placement
) -> ClusterRecord:
    """Return the record of a new cluster, checked."""
    checks.pools(asked)
    checks.workload_pool(asked, where.project)
    addons.check(call.state, asked.get("addonsConfig") or {}, where.project)
    notifications.check(call.state, asked.get("notificationConfig") or {}, where.project)
    encryption.check(call.state, asked.get("databaseEncryption") or {}, where)
    checks.maintenance((asked.get("maintenancePolicy") or {}).get("window") or {})
    checks.max_pods((asked.get("defaultMaxPodsConstraint") or {}).get("maxPodsPerNode"))
    channel = checks.channel((asked.get("releaseChannel") or {}).get("channel") or "")
    version = checks.master_version(asked.get("initialClusterVersion") or "", channel)
    zones = checks.node_locations(list(asked.get("locations") or []), where.location)
    number = project_number(where.project)
    # Addresses to show until the control plane has its own.
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
        private_endpoint=f"10.128.{host >> 8}.{host % 250 + 2}",
        public_endpoint=f"127.1.{host >> 8}.{host % 250 + 2}",
        created=now(),
        etag="",
        label_fingerprint="",
    )
    cluster = defaults.complete(asked, facts)
    cluster["status"] = "PROVISIONING"
    cluster["maintenancePolicy"]["resourceVersion"] = defaults.policy_version(
        cluster["maintenancePolicy"]
    )
    pools = [
        new_pools.record(call.store, cluster, pool, where.project)
        for pool in new_pools.of_new_cluster(asked)
    ]
    return {
        "project": where.project,
        "location": where.location,
        "cluster": cluster,
        "initial_count": int(pools[0]["pool"].get("initialNodeCount") or 0) if pools else 0,
        "pools": pools,
        "own_ranges": list(placed.own_ranges),
    }


async def get(call: Call) -> Json:
    """Answer with one cluster."""
    record = records.get(call.store, place(call), cluster_name(call))
    return shown(call, "Cluster", render.cluster(record, call.method.version))


async def list_(call: Call) -> Json:
    """Answer with all clusters of a location, or of all (`-`)."""
    where = place(call)
    clusters = [
        shown(call, "Cluster", render.cluster(record, call.method.version))
        for record in records.in_place(call.store, where.project, where.location)
    ]
    return {"clusters": clusters} if clusters else {}


async def delete(call: Call) -> Json:
    """Begin to delete a cluster."""
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
        lambda: work.delete_cluster(call.state, where, name),
    )
    return operations.render(operation, call.method.version)
