"""Checks of the cluster's configuration against its environment and `facts`."""

import pulumi

from gkeplatform.config import suggestion
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.cluster import capacity, compute_classes, machines
from infra.cluster.addresses import RESERVED, block_of, network, smallest
from infra.cluster.config import ClusterConfig
from infra.cluster.encryption_settings import refuse_foreign_key
from infra.cluster.gke_cluster import AUTO_PROVISIONED
from infra.cluster.identity import account_id
from infra.cluster.pool_settings import NodePoolArgs

DEFAULT_PODS = 110
"""Pods of a node whose pool GKE creates, at most."""


def fits(config: ClusterConfig, naming: Naming) -> None:
    """Refuses zones, keys, names, machines and address ranges that do not fit each other."""
    region = naming.environment.region
    _refuse_foreign_zones(config, region)
    if encryption := config.cluster.secrets_encryption:
        key = "gke-cluster:cluster.secrets_encryption.key"
        refuse_foreign_key(key, encryption.key, region)
    if backup := config.cluster.backup:
        key = "gke-cluster:cluster.backup.key"
        refuse_foreign_key(key, backup.key, backup.region or region)
    for index, pool in enumerate(config.node_pools):
        key = f"gke-cluster:node_pools[{index}]"
        try:
            account_id(pool.name, naming)
        except PlatformError as error:
            raise PlatformError(f"{key}.name: {error}") from None
        if pool.name == AUTO_PROVISIONED and config.cluster.auto_provisioning:
            raise PlatformError(
                f'{key}.name: "{pool.name}" is the name of pools that auto_provisioning creates; '
                "rename it"
            )
        disk_key = f"{key}.boot_disk_kms_key"
        refuse_foreign_key(disk_key, pool.boot_disk_kms_key, region, wider=True)
        zones = pool.zones or config.cluster.zones
        machines.check(key, pool, zones)
    for key, args in compute_classes.created(config.compute_classes):
        zones = args.zones or config.cluster.zones
        machines.check(f"gke-cluster:{key}", args.pool(key), zones)
    _refuse_small_ranges(config)
    for warning in machines.unknown(config):
        pulumi.log.warn(warning)


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
    own = config.cluster.control_plane_zone
    if own is not None and own not in config.cluster.zones:
        raise PlatformError(
            f"gke-cluster:cluster.control_plane_zone: {own} is not one of cluster.zones "
            f"({', '.join(config.cluster.zones)}): GKE counts the zone of the control plane among "
            "the cluster's; add it to zones, or choose one of them"
        )
    for index, pool in enumerate(config.node_pools):
        for zone in pool.zones:
            if zone not in config.cluster.zones:
                raise PlatformError(
                    f'gke-cluster:node_pools[{index}].zones: "{zone}" is not one of cluster.zones; '
                    f"{suggestion(zone, config.cluster.zones)}"
                )


def _refuse_small_ranges(config: ClusterConfig) -> None:
    zones = len(config.cluster.zones)
    sizes = {
        pool.name: pool.max_nodes * (len(pool.zones) or zones) + extra(pool)
        for pool in config.node_pools
    }
    made = [one for class_ in capacity.classes(config, "") for one in class_.created]
    sizes |= {one.nodes.name: one.nodes.max_total or 0 for one in made}
    nodes, plan = sum(sizes.values()), config.network
    pools = " + ".join(f"{name} {size}" for name, size in sizes.items())
    room = network("nodes_cidr", plan.nodes_cidr).num_addresses - RESERVED
    if nodes > room:
        raise PlatformError(
            f"gke-cluster:network.nodes_cidr: {plan.nodes_cidr} has {room} addresses for nodes "
            f"({room + RESERVED} - {RESERVED} of Google's), and the pools may grow to {nodes} "
            f"nodes with those of an upgrade ({pools}); a /{smallest(nodes + RESERVED)} would do"
        )
    pods_of = {pool.name: pool.max_pods_per_node for pool in config.node_pools}
    pods_of |= {one.nodes.name: DEFAULT_PODS for one in made}
    needed = sum(sizes[name] * block_of(pods) for name, pods in pods_of.items())
    pods = network("pods_cidr", plan.pods_cidr).num_addresses
    if needed > pods:
        parts = " + ".join(
            f"{name} {sizes[name]} x {block_of(count)}" for name, count in pods_of.items()
        )
        raise PlatformError(
            f"gke-cluster:network.pods_cidr: {plan.pods_cidr} has {pods} addresses, and the pools "
            f"may take {needed} ({parts}: GKE gives a node twice as many as max_pods_per_node, "
            f"rounded up to a power of two); a /{smallest(needed)} would do, or fewer max_nodes or "
            "max_pods_per_node"
        )


def extra(pool: NodePoolArgs) -> int:
    """Nodes that an upgrade adds temporarily: a second set (blue-green), or the surge."""
    return pool.max_nodes if pool.blue_green else pool.max_surge
