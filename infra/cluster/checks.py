"""What the configuration alone cannot tell: whether it fits the environment that it is for."""

from math import prod

from gkeplatform import machines
from gkeplatform.config import suggestion
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.cluster.addresses import RESERVED, block_of, network, smallest
from infra.cluster.config import ClusterConfig
from infra.cluster.encryption_settings import refuse_foreign_key
from infra.cluster.gke_cluster import AUTO_PROVISIONED
from infra.cluster.identity import account_id
from infra.cluster.pool_settings import NodePoolArgs


def fits(config: ClusterConfig, naming: Naming) -> None:
    """Refuses places, names, machines and address ranges that do not fit each other."""
    region = naming.environment.region
    _refuse_foreign_zones(config, region)
    if encryption := config.cluster.secrets_encryption:
        key = "gke-cluster:cluster.secrets_encryption.key"
        refuse_foreign_key(key, encryption.key, region)
    if backup := config.cluster.backup:
        key = "gke-cluster:cluster.backup.key"
        refuse_foreign_key(key, backup.key, backup.region or region)
    if config.cluster.auto_provisioning:
        known = machines.catalogue()
        for kind in config.cluster.auto_provisioning.gpus:
            if kind not in known.accelerators:
                raise PlatformError(
                    f'gke-cluster:cluster.auto_provisioning.gpus: there is no accelerator "{kind}" '
                    f"(catalogue of {known.date}); {suggestion(kind, known.accelerators)}"
                )
    for index, pool in enumerate(config.node_pools):
        key = f"gke-cluster:node_pools[{index}]"
        try:
            account_id(pool.name, naming)
        except PlatformError as error:
            raise PlatformError(f"{key}.name: {error}") from None
        if pool.name == AUTO_PROVISIONED and config.cluster.auto_provisioning:
            raise PlatformError(
                f'{key}.name: "{pool.name}" is the name of what auto_provisioning makes; rename it'
            )
        disk_key = f"{key}.boot_disk_kms_key"
        refuse_foreign_key(disk_key, pool.boot_disk_kms_key, region, wider=True)
        zones = pool.zones or config.cluster.zones
        _refuse_missing_machine(key, pool, zones)
        _refuse_missing_accelerator(key, pool, zones)
        _refuse_odd_slice(key, pool, zones)
    _refuse_small_ranges(config)


def _refuse_foreign_zones(config: ClusterConfig, region: str) -> None:
    places = [(f"zones[{i}]", zone) for i, zone in enumerate(config.cluster.zones)]
    if config.cluster.control_plane_zone:
        places.append(("control_plane_zone", config.cluster.control_plane_zone))
    for key, zone in places:
        if zone.rpartition("-")[0] != region:
            raise PlatformError(
                f"gke-cluster:cluster.{key}: {zone} is not in gcp:region {region}; the zones of a "
                "cluster are in its region"
            )
    for index, pool in enumerate(config.node_pools):
        for zone in pool.zones:
            if zone not in config.cluster.zones:
                raise PlatformError(
                    f'gke-cluster:node_pools[{index}].zones: "{zone}" is not one of cluster.zones; '
                    f"{suggestion(zone, config.cluster.zones)}"
                )


def _refuse_missing_machine(key: str, pool: NodePoolArgs, zones: tuple[str, ...]) -> None:
    known = machines.catalogue()
    machine = known.machines.get(pool.machine_type)
    if machine is None:
        # It may be newer than the catalogue; a misspelt one looks like another.
        family = pool.machine_type.partition("-")[0]
        if any(name.startswith(f"{family}-") for name in known.machines):
            return
        raise PlatformError(
            f'{key}.machine_type: no machine type of family "{family}" is known '
            f"(catalogue of {known.date}); {suggestion(pool.machine_type, known.machines)}"
        )
    if missing := [zone for zone in zones if zone not in machine.zones]:
        near = [zone for zone in sorted(machine.zones) if zone[:-1] == zones[0][:-1]]
        instead = f"zones of the region that have it: {', '.join(near) or 'none'}"
        raise PlatformError(
            f"{key}.machine_type: {', '.join(missing)} has no {pool.machine_type} "
            f"(catalogue of {known.date}); {instead}"
        )


def _refuse_missing_accelerator(key: str, pool: NodePoolArgs, zones: tuple[str, ...]) -> None:
    if pool.accelerator is None:
        return
    known = machines.catalogue()
    kind = pool.accelerator.type
    places = known.accelerators.get(kind)
    if places is None:
        raise PlatformError(
            f'{key}.accelerator.type: there is no accelerator "{kind}" '
            f"(catalogue of {known.date}); {suggestion(kind, known.accelerators)}"
        )
    if missing := [zone for zone in zones if zone not in places]:
        region = zones[0].rpartition("-")[0]
        here = sorted(one for one, where in known.accelerators.items() if zones[0] in where)
        near = [zone for zone in sorted(places) if zone.rpartition("-")[0] == region]
        raise PlatformError(
            f"{key}.accelerator.type: {', '.join(missing)} has no {kind} (catalogue of "
            f"{known.date}); zones of {region} that have it: {', '.join(near) or 'none'}; "
            f"accelerators of {zones[0]}: {', '.join(here) or 'none'}"
        )
    machine = known.machines.get(pool.machine_type)
    built_in = machine.built_in_gpus if machine else None
    if built_in and built_in != (kind, pool.accelerator.count):
        raise PlatformError(
            f"{key}.accelerator: {pool.machine_type} comes with {built_in[1]} x {built_in[0]}, "
            f"not {pool.accelerator.count} x {kind}; say the same"
        )


def _refuse_odd_slice(key: str, pool: NodePoolArgs, zones: tuple[str, ...]) -> None:
    """A slice of TPUs is all of its nodes, in one zone."""
    machine = machines.catalogue().machines.get(pool.machine_type)
    if pool.tpu_topology is None or machine is None or not machine.tpus:
        return
    chips = prod(int(side) for side in pool.tpu_topology.split("x"))
    size, rest = divmod(chips, machine.tpus)
    if rest:
        raise PlatformError(
            f'{key}.tpu_topology: "{pool.tpu_topology}" is {chips} chips, and {pool.machine_type} '
            f"has {machine.tpus}: choose a topology of a multiple of {machine.tpus}"
        )
    if len(zones) != 1:
        raise PlatformError(
            f"{key}.zones: a slice of TPUs is in one zone, not in {', '.join(zones)}; set zones: "
            f"[{zones[0]}]"
        )
    if pool.max_nodes != size:
        raise PlatformError(
            f"{key}.max_nodes: {pool.max_nodes}, and a slice of {pool.tpu_topology} is {size} "
            f"nodes ({chips} chips, {machine.tpus} in each {pool.machine_type}), all or none; "
            f"set {size}"
        )


def _refuse_small_ranges(config: ClusterConfig) -> None:
    zones = len(config.cluster.zones)
    sizes = {
        pool.name: pool.max_nodes * (len(pool.zones) or zones) + extra(pool)
        for pool in config.node_pools
    }
    nodes, plan = sum(sizes.values()), config.network
    said = " + ".join(f"{name} {size}" for name, size in sizes.items())
    room = network("nodes_cidr", plan.nodes_cidr).num_addresses - RESERVED
    if nodes > room:
        raise PlatformError(
            f"gke-cluster:network.nodes_cidr: {plan.nodes_cidr} has {room} addresses for nodes "
            f"({room + RESERVED} - {RESERVED} of Google's), and the pools may grow to {nodes} "
            f"nodes with those of an upgrade ({said}); a /{smallest(nodes + RESERVED)} would do"
        )
    blocks = {
        pool.name: sizes[pool.name] * block_of(pool.max_pods_per_node) for pool in config.node_pools
    }
    needed = sum(blocks.values())
    pods = network("pods_cidr", plan.pods_cidr).num_addresses
    if needed > pods:
        parts = " + ".join(
            f"{pool.name} {sizes[pool.name]} x {block_of(pool.max_pods_per_node)}"
            for pool in config.node_pools
        )
        raise PlatformError(
            f"gke-cluster:network.pods_cidr: {plan.pods_cidr} has {pods} addresses, and the pools "
            f"may take {needed} ({parts}: GKE gives a node twice as many as max_pods_per_node, "
            f"rounded up to a power of two); a /{smallest(needed)} would do, or fewer max_nodes or "
            "max_pods_per_node"
        )


def extra(pool: NodePoolArgs) -> int:
    """Nodes that an upgrade adds for a while: all of them anew, or the surge."""
    return pool.max_nodes if pool.blue_green else pool.max_surge
