"""Creates and updates a cluster's control plane, nodes and instance groups from its record.

Every function is idempotent, so that an interrupted operation can be repeated. Without control
planes (`State.control_planes` is None) only the documents are written.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from facts.zones import region_of
from sandbox.gcp.service import State
from sandbox.gcp.services.container import capacity, compute_resources, names, nodes, records
from sandbox.gcp.services.container.render import (
    ClusterRecord,
    PoolRecord,
    find_pool,
    groups_of,
    place,
)
from sandbox.gcp.services.container.wire_format import Json


def _key(record: ClusterRecord) -> Any:
    from sandbox.kubernetes.control_planes import ClusterKey  # noqa: PLC0415 (heavy, often unused)

    return ClusterKey(record["project"], record["location"], record["cluster"]["name"])


def node_spec_factory(pool: PoolRecord) -> Callable[[str, str], Any]:
    """Return a factory of a pool's NodeSpecs from name and zone."""
    from sandbox.kubernetes.control_planes import NodeSpec  # noqa: PLC0415

    machine = nodes.machine_of(pool["pool"])
    disk = int(pool["pool"]["config"]["diskSizeGb"])
    ssds = nodes.local_ssds(pool["pool"]["config"])
    total = capacity.capacity(machine, disk_gb=disk, local_ssds=ssds)
    free = capacity.allocatable(machine, disk_gb=disk, local_ssds=ssds)
    taints = nodes.taints(pool["pool"])

    def spec(name: str, zone: str) -> Any:
        return NodeSpec(
            name=name,
            zone=zone,
            region=region_of(zone),
            machine_type=machine.name,
            cpu=total.cpu,
            memory=total.memory,
            ephemeral_storage=total.ephemeral_storage,
            allocatable_cpu=free.cpu,
            allocatable_memory=free.memory,
            allocatable_ephemeral_storage=free.ephemeral_storage,
            labels=nodes.labels(pool["pool"], name=name, zone=zone, machine=machine),
            taints=taints,
            accelerators=nodes.gpus(pool["pool"]["config"]),
            tpus=machine.tpus,
            pods=int(pool["pool"]["maxPodsConstraint"]["maxPodsPerNode"]),
        )

    return spec


def node_specs(record: ClusterRecord, pool: PoolRecord) -> list[Any]:
    """Return the NodeSpecs of a pool."""
    make = node_spec_factory(pool)
    return [make(name, zone) for name, zone in nodes.names_by_zone(groups_of(record, pool))]


def scaling_pool(record: ClusterRecord, pool: PoolRecord) -> Any:
    """Return a pool's ScalingPool for the autoscaler; None if it does not autoscale."""
    from sandbox.kubernetes.control_planes import ScalingGroup, ScalingPool  # noqa: PLC0415

    limits: Json = pool["pool"].get("autoscaling") or {}
    queued = (pool["pool"].get("queuedProvisioning") or {}).get("enabled")
    if not limits.get("enabled") or queued:  # queued nodes are provisioned by request only
        return None
    make = node_spec_factory(pool)
    is_slice = bool((pool["pool"].get("placementPolicy") or {}).get("tpuTopology"))
    # https://docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus: from 0 to all nodes.
    step = int(limits.get("totalMaxNodeCount") or limits["maxNodeCount"]) if is_slice else 1
    scaling_groups = tuple(
        ScalingGroup(
            path=group.path("instanceGroupManagers").partition("/")[2].partition("/")[2]
            + f"/{group.name}",
            zone=group.zone,
            size=group.size,
            last_node=group.nodes[-1] if group.nodes else "",
            template=make(names.node(group.base, group.size), group.zone),
            step=step,
        )
        for group in groups_of(record, pool)
    )
    is_total = bool(limits.get("totalMaxNodeCount"))
    return ScalingPool(
        name=pool["pool"]["name"],
        groups=scaling_groups,
        min=int(limits.get("totalMinNodeCount" if is_total else "minNodeCount") or 0),
        max=int(limits.get("totalMaxNodeCount" if is_total else "maxNodeCount") or 0),
        is_total=is_total,
        is_auto=bool(limits.get("autoprovisioned")),
    )


async def boot(state: State, record: ClusterRecord) -> None:
    """Create or restart the control plane, and store its address."""
    if state.control_planes is None:
        _mark_as_not_booted(state, record)
        return
    endpoint = await state.control_planes.create(
        _key(record),
        version=record["cluster"]["currentMasterVersion"],
        pod_cidr=record["cluster"]["clusterIpv4Cidr"],
        service_cidr=record["cluster"]["servicesIpv4Cidr"],
    )

    def addressed(fresh: ClusterRecord) -> None:
        cluster = fresh["cluster"]
        cluster["endpoint"] = endpoint.address
        cluster["masterAuth"]["clusterCaCertificate"] = endpoint.ca_certificate
        private = cluster["privateClusterConfig"]
        kind = "privateEndpoint" if private.get("enablePrivateEndpoint") else "publicEndpoint"
        private[kind] = endpoint.address
        cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"][kind] = endpoint.address

    records.change(state.store, place(record), record["cluster"]["name"], addressed)


def _mark_as_not_booted(state: State, record: ClusterRecord) -> None:
    """Set a placeholder CA certificate for a cluster without a control plane."""
    note = base64.b64encode(b"no control plane was booted").decode()

    def marked(fresh: ClusterRecord) -> None:
        fresh["cluster"]["masterAuth"]["clusterCaCertificate"] = note

    records.change(state.store, place(record), record["cluster"]["name"], marked)


async def sync_pool(state: State, record: ClusterRecord, name: str) -> None:
    """Reconcile a pool's nodes and instance groups with its record."""
    pool = find_pool(record, name)
    if pool is None:
        return
    compute_resources.sync_pool(state.store, record, pool)
    if state.control_planes is not None:
        # Before set_nodes, so that the autoscaler waits for the nodes instead of adding more.
        state.control_planes.set_scaling(_key(record), name, scaling_pool(record, pool))
        await state.control_planes.set_nodes(_key(record), name, node_specs(record, pool))


async def remove_pool(state: State, record: ClusterRecord, name: str) -> None:
    """Delete a pool's nodes and instance groups."""
    if state.control_planes is not None:
        state.control_planes.set_scaling(_key(record), name, None)
        await state.control_planes.set_nodes(_key(record), name, [])
    pool = find_pool(record, name)
    if pool is not None:
        compute_resources.remove_groups(state.store, groups_of(record, pool))


async def start_controllers(state: State, record: ClusterRecord, provisioner: Any) -> None:
    """Start GKE's own controllers. `provisioner` is the cluster's AutoProvisioner."""
    if state.control_planes is not None:
        cluster = record["cluster"]
        network = cluster["networkConfig"]
        await state.control_planes.start_controllers(
            _key(record),
            network=network["network"],
            subnetwork=network["subnetwork"],
            node_tag=names.network_tag(cluster["name"], cluster["id"]),
            features=features(record),
            provisioner=provisioner,
        )


def features(record: ClusterRecord) -> Any:
    """The `sandbox.kubernetes.features.Features` that the cluster's settings turn on."""
    from sandbox.gcp.services.container.versions import defines_inference_pools  # noqa: PLC0415
    from sandbox.kubernetes.features import Features  # noqa: PLC0415

    cluster = record["cluster"]
    version = str(cluster.get("currentMasterVersion") or "")
    gateways = cluster["networkConfig"].get("gatewayApiConfig") or {}
    filestore = cluster["addonsConfig"].get("gcpFilestoreCsiDriverConfig") or {}
    prometheus = (cluster.get("monitoringConfig") or {}).get("managedPrometheusConfig") or {}
    gateway_api = gateways.get("channel") in ("CHANNEL_STANDARD", "CHANNEL_EXPERIMENTAL")
    return Features(
        gateway_api=gateway_api,
        inference_pools=gateway_api and bool(version) and defines_inference_pools(version),
        secret_sync=bool((cluster.get("secretSyncConfig") or {}).get("enabled")),
        managed_prometheus=bool(prometheus.get("enabled")),
        filestore=bool(filestore.get("enabled")),
    )


async def reconcile_controllers(state: State, record: ClusterRecord, provisioner: Any) -> None:
    """Restart the controllers if the cluster's settings changed."""
    planes, key = state.control_planes, _key(record)
    if planes is not None and planes.features(key) != features(record):
        await start_controllers(state, record, provisioner)


async def contents(state: State, record: ClusterRecord) -> dict[str, dict[str, int]]:
    """Return the number of objects in the cluster by namespace and kind."""
    if state.control_planes is None:
        return {}
    found: dict[str, dict[str, int]] = await state.control_planes.contents(_key(record))
    return found


async def remove_cluster(state: State, record: ClusterRecord) -> None:
    """Delete the control plane and all resources of the cluster."""
    if state.control_planes is not None:
        key = _key(record)
        await state.control_planes.stop_controllers(key)
        await state.control_planes.delete(key)
    compute_resources.remove_all(state.store, record)
