"""Making a cluster's control plane, nodes and instance groups what its record says.

Every step may be repeated: an operation that a crash interrupted is carried on by doing it again.
Without control planes (`State.control_planes` is None) only the documents are made.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from facts.zones import region_of
from sandbox.gcp.service import State
from sandbox.gcp.services.container import capacity, compute_side, names, nodes, records
from sandbox.gcp.services.container.form import Json
from sandbox.gcp.services.container.render import (
    ClusterRecord,
    PoolRecord,
    find_pool,
    groups_of,
    place,
)


def _key(record: ClusterRecord) -> Any:
    from sandbox.kubernetes.control_planes import ClusterKey  # noqa: PLC0415 (heavy, often unused)

    return ClusterKey(record["project"], record["location"], record["cluster"]["name"])


def node_maker(pool: PoolRecord) -> Callable[[str, str], Any]:
    """Return what makes a node of a pool, given its name and zone."""
    from sandbox.kubernetes.control_planes import NodeSpec  # noqa: PLC0415

    machine = nodes.machine_of(pool["pool"])
    disk = int(pool["pool"]["config"]["diskSizeGb"])
    ssds = nodes.local_ssds(pool["pool"]["config"])
    whole = capacity.capacity(machine, disk_gb=disk, local_ssds=ssds)
    free = capacity.allocatable(machine, disk_gb=disk, local_ssds=ssds)
    taints = nodes.taints(pool["pool"])

    def spec(name: str, zone: str) -> Any:
        return NodeSpec(
            name=name,
            zone=zone,
            region=region_of(zone),
            machine_type=machine.name,
            cpu=whole.cpu,
            memory=whole.memory,
            ephemeral_storage=whole.ephemeral_storage,
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
    """Return the nodes of a pool in the form that the control plane takes them."""
    make = node_maker(pool)
    return [make(name, zone) for name, zone in nodes.names_by_zone(groups_of(record, pool))]


def scaling_of(record: ClusterRecord, pool: PoolRecord) -> Any:
    """Return a pool's limits and groups for the autoscaler; None where it keeps its size."""
    from sandbox.kubernetes.control_planes import ScalingGroup, ScalingPool  # noqa: PLC0415

    limits: Json = pool["pool"].get("autoscaling") or {}
    queued = (pool["pool"].get("queuedProvisioning") or {}).get("enabled")
    if not limits.get("enabled") or queued:  # nodes that are queued for come by request alone
        return None
    make = node_maker(pool)
    scaling_groups = tuple(
        ScalingGroup(
            path=group.path("instanceGroupManagers").partition("/")[2].partition("/")[2]
            + f"/{group.name}",
            zone=group.zone,
            size=group.size,
            last_node=group.nodes[-1] if group.nodes else "",
            template=make(names.node(group.base, group.size), group.zone),
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
    """Make the control plane, or revive the one that is there, and write down its address."""
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
    """Without control planes a cluster is a record alone, and its certificate says so."""
    note = base64.b64encode(b"no control plane was booted").decode()

    def marked(fresh: ClusterRecord) -> None:
        fresh["cluster"]["masterAuth"]["clusterCaCertificate"] = note

    records.change(state.store, place(record), record["cluster"]["name"], marked)


async def sync_pool(state: State, record: ClusterRecord, name: str) -> None:
    """Make a pool's nodes and instance groups what its record says."""
    pool = find_pool(record, name)
    if pool is None:
        return
    compute_side.sync_pool(state.store, record, pool)
    if state.control_planes is not None:
        # First: the autoscaler then waits for the nodes, and does not ask for them again.
        state.control_planes.set_scaling(_key(record), name, scaling_of(record, pool))
        await state.control_planes.set_nodes(_key(record), name, node_specs(record, pool))


async def remove_pool(state: State, record: ClusterRecord, name: str) -> None:
    """Take a pool's nodes and instance groups away."""
    if state.control_planes is not None:
        state.control_planes.set_scaling(_key(record), name, None)
        await state.control_planes.set_nodes(_key(record), name, [])
    pool = find_pool(record, name)
    if pool is not None:
        compute_side.remove_groups(state.store, groups_of(record, pool))


async def start_controllers(state: State, record: ClusterRecord, provisioner: Any) -> None:
    """Start what GKE runs beside the control plane; `provisioner` makes pools that are lacking."""
    if state.control_planes is not None:
        network = record["cluster"]["networkConfig"]
        await state.control_planes.start_controllers(
            _key(record),
            network=network["network"],
            subnetwork=network["subnetwork"],
            gateway_api=has_gateway_api(record),
            provisioner=provisioner,
        )


def has_gateway_api(record: ClusterRecord) -> bool:
    """Whether the cluster has a channel of the Gateway API."""
    said = record["cluster"]["networkConfig"].get("gatewayApiConfig") or {}
    return said.get("channel") in ("CHANNEL_STANDARD", "CHANNEL_EXPERIMENTAL")


async def settle_controllers(state: State, record: ClusterRecord, provisioner: Any) -> None:
    """Start the controllers anew where the cluster's settings ask for others."""
    planes = state.control_planes
    if planes is not None and planes.has_gateways(_key(record)) != has_gateway_api(record):
        await start_controllers(state, record, provisioner)


async def contents(state: State, record: ClusterRecord) -> dict[str, dict[str, int]]:
    """What the cluster holds: numbers by namespace and kind."""
    if state.control_planes is None:
        return {}
    found: dict[str, dict[str, int]] = await state.control_planes.contents(_key(record))
    return found


async def remove_cluster(state: State, record: ClusterRecord) -> None:
    """End the control plane and take away all that was made for the cluster."""
    if state.control_planes is not None:
        key = _key(record)
        await state.control_planes.stop_controllers(key)
        await state.control_planes.delete(key)
    compute_side.remove_all(state.store, record)
