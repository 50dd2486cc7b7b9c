"""clusters.update and the set* verbs of a cluster."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call
from sandbox.gcp.services.container import (
    addons,
    checks,
    defaults,
    encryption,
    maintenance,
    node_pools,
    notifications,
    operation_steps,
    operations,
    records,
    updates,
    versions,
)
from sandbox.gcp.services.container import compute_resources as compute
from sandbox.gcp.services.container.errors import (
    bad_request,
    failed_precondition,
    not_running,
    stale,
)
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord, groups_of
from sandbox.gcp.services.container.requests import cluster_name, place
from sandbox.gcp.services.container.wire_format import Json

Change = Callable[[ClusterRecord], None]


def changeable(call: Call, where: Place, name: str, *, pool: str = "") -> ClusterRecord:
    """Return a cluster that can be changed now. Raises ApiError."""
    record = records.get(call.store, where, name)
    operations.refuse_if_busy(call.store, where, name, pool=pool)
    status = record["cluster"]["status"]
    if status not in ("RUNNING", "RECONCILING", "DEGRADED"):
        raise not_running(name, status)
    return record


def apply(call: Call, kind: str, change: Change) -> Json:
    """Change a cluster's record and start the operation that applies the change."""
    where, name = place(call), cluster_name(call)
    changeable(call, where, name)

    def reconciling(record: ClusterRecord) -> None:
        change(record)
        record["cluster"]["status"] = "RECONCILING"

    records.change(call.store, where, name, reconciling)
    operation = operations.start(
        call.state,
        where,
        kind,
        f"clusters/{name}",
        lambda: operation_steps.reconcile_cluster(call.state, where, name),
    )
    return operations.render(operation, call.method.version)


async def update(call: Call) -> Json:
    """Apply the `desired…` fields."""
    wanted: Json = {k: v for k, v in (call.body.get("update") or {}).items() if v is not None}
    etag = wanted.pop("etag", "")
    if not wanted:
        raise bad_request("Must specify a field to update.")
    record = records.get(call.store, place(call), cluster_name(call))
    if etag and etag != record["cluster"]["etag"]:
        raise stale("cluster")
    if wanted.keys() & {"desiredNodePoolAutoscaling", "desiredNodeVersion", "desiredImageType"}:
        return await node_pools.update_by_cluster(call, wanted)
    return apply(call, _kind(wanted), lambda fresh: _change(call, fresh, wanted))


def _kind(wanted: Json) -> str:
    return "UPGRADE_MASTER" if "desiredMasterVersion" in wanted else "UPDATE_CLUSTER"


def _change(call: Call, record: ClusterRecord, wanted: Json) -> None:
    cluster = record["cluster"]
    project = record["project"]
    if "desiredWorkloadIdentityConfig" in wanted:
        checks.workload_pool(
            {"workloadIdentityConfig": wanted["desiredWorkloadIdentityConfig"]}, project
        )
    if "desiredDatabaseEncryption" in wanted:
        encryption.check(call.state, wanted["desiredDatabaseEncryption"], place(call))
    if "desiredNotificationConfig" in wanted:
        notifications.check(call.state, wanted["desiredNotificationConfig"], project)
    addons.check(call.state, wanted.get("desiredAddonsConfig") or {}, project)
    if "desiredReleaseChannel" in wanted:
        channel = checks.channel(wanted["desiredReleaseChannel"].get("channel") or "UNSPECIFIED")
        real = {} if channel == versions.UNSPECIFIED else {"channel": channel}
        wanted = wanted | {"desiredReleaseChannel": real}
    unknown = updates.cluster_update(cluster, wanted, project=project)
    if unknown:
        raise ApiError(501, f"sandbox does not emulate {unknown[0]} in {call.method.id}")
    before = cluster["currentMasterVersion"]
    if "desiredMasterVersion" in wanted:
        _upgrade(cluster, wanted["desiredMasterVersion"])
    if "desiredLocations" in wanted:
        relocate(call, record, list(wanted["desiredLocations"]))
    after = cluster["currentMasterVersion"]
    notifications.upgraded(call.state, record, before, after, what="MASTER")


def _upgrade(cluster: Json, wanted: str) -> None:
    channel = (cluster.get("releaseChannel") or {}).get("channel") or versions.UNSPECIFIED
    version = checks.master_version(wanted, channel)
    if versions.order(version) < versions.order(cluster["currentMasterVersion"]):
        raise bad_request(
            f'Master cannot be downgraded from "{cluster["currentMasterVersion"]}" to "{version}".'
        )
    if versions.minor(version) - versions.minor(cluster["currentMasterVersion"]) > 1:
        raise bad_request(
            f'Master cannot be upgraded to "{version}": cannot upgrade the master more than a '
            f'minor version at a time, from "{cluster["currentMasterVersion"]}".'
        )
    cluster["currentMasterVersion"] = version


def relocate(call: Call, record: ClusterRecord, zones: list[str]) -> None:
    """Move a cluster's nodes to these zones. New zones get each pool's initial node count."""
    found = checks.node_locations(zones, record["location"])
    record["cluster"]["locations"] = list(found)
    for entry in record["pools"]:
        checks.node_config(entry["pool"]["config"], found)
        before = groups_of(record, entry)
        initial = int(entry["pool"].get("initialNodeCount") or 0)
        entry["sizes"] = {zone: entry["sizes"].get(zone, initial) for zone in found}
        entry["pool"]["locations"] = list(found)
        compute.remove_groups(call.store, [g for g in before if g.zone not in found])


async def set_resource_labels(call: Call) -> Json:
    """Replace the cluster's labels."""
    labels = dict(call.body.get("resourceLabels") or {})
    checks.resource_labels(labels)
    given = call.body.get("labelFingerprint")
    record = records.get(call.store, place(call), cluster_name(call))
    if given and given != record["cluster"]["labelFingerprint"]:
        raise failed_precondition(
            "Labels could not be set due to fingerprint mismatch: read them again and retry."
        )

    def change(fresh: ClusterRecord) -> None:
        fresh["cluster"]["resourceLabels"] = labels

    return apply(call, "UPDATE_CLUSTER", change)


async def set_legacy_abac(call: Call) -> Json:
    """Switch legacy access control on or off."""
    enabled = bool(call.body.get("enabled"))

    def change(fresh: ClusterRecord) -> None:
        fresh["cluster"]["legacyAbac"] = {"enabled": enabled}

    return apply(call, "UPDATE_CLUSTER", change)


async def set_network_policy(call: Call) -> Json:
    """Replace the network policy settings."""
    policy: Json = call.body.get("networkPolicy") or {}

    def change(fresh: ClusterRecord) -> None:
        fresh["cluster"]["networkPolicy"] = policy
        if not policy.get("enabled"):
            fresh["cluster"].pop("networkPolicy")

    return apply(call, "UPDATE_CLUSTER", change)


async def set_maintenance_policy(call: Call) -> Json:
    """Replace the maintenance policy."""
    policy = defaults.maintenance(call.body.get("maintenancePolicy") or {})
    maintenance.check(policy.get("window") or {})

    def change(fresh: ClusterRecord) -> None:
        version = defaults.policy_version(policy)
        fresh["cluster"]["maintenancePolicy"] = policy | {"resourceVersion": version}

    return apply(call, "UPDATE_CLUSTER", change)


async def set_addons(call: Call) -> Json:
    """Replace the named add-ons."""
    return _as_update(call, "desiredAddonsConfig", call.body.get("addonsConfig") or {})


async def set_logging(call: Call) -> Json:
    """Replace the logging service."""
    return _as_update(call, "desiredLoggingService", call.body.get("loggingService") or "none")


async def set_monitoring(call: Call) -> Json:
    """Replace the monitoring service."""
    service = call.body.get("monitoringService") or "none"
    return _as_update(call, "desiredMonitoringService", service)


async def set_locations(call: Call) -> Json:
    """Move the nodes to other zones."""
    return _as_update(call, "desiredLocations", list(call.body.get("locations") or []))


async def update_master(call: Call) -> Json:
    """Upgrade the control plane."""
    return _as_update(call, "desiredMasterVersion", call.body.get("masterVersion") or "-")


def _as_update(call: Call, field: str, value: object) -> Json:
    wanted: Json = {field: value}
    return apply(call, _kind(wanted), lambda fresh: _change(call, fresh, wanted))
