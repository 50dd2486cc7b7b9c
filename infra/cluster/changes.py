"""What an edit would do to the deployed cluster: what is refused, and what it loses.

The former values are the layer's own outputs, which it published at the end of its last update.
Google would refuse the same edits, some of them after other resources have been deleted.
"""

from collections.abc import Collection, Iterator

from gkeplatform.contracts import ClusterContract, NetworkingContract
from gkeplatform.environment import Environment
from gkeplatform.errors import LET_GO_FIRST, PlatformError
from infra.cluster.addresses import network
from infra.cluster.config import ClusterConfig

IMMUTABLE = ("pods_cidr", "services_cidr")


def refuse(
    config: ClusterConfig,
    environment: Environment,
    before: ClusterContract | None,
    served: NetworkingContract | None,
) -> None:
    """Refuses edits that the deployed cluster cannot take; `before` is None on the first run."""
    if before is None:
        return
    for problem in _ranges(config, environment, before):
        raise PlatformError(problem)
    for problem in _accelerators(config, before):
        raise PlatformError(problem)
    used = {group for model in served.models for group in model.groups} if served else set()
    for problem in _groups(config, environment, before, used):
        raise PlatformError(problem)


def _ranges(
    config: ClusterConfig, environment: Environment, before: ClusterContract
) -> Iterator[str]:
    anew = (
        f"restore it; for another range destroy the environment (`platformctl down "
        f"{environment.name}`) and deploy it anew"
    )
    old, new = before.nodes_cidr, config.network.nodes_cidr
    if old and not network("nodes_cidr", new).supernet_of(network("nodes_cidr", old)):
        yield (
            f"gke-cluster:network.nodes_cidr: {new} does not contain {old}, which the subnet has, "
            f"and the range of a subnet can only grow; {anew}"
        )
    for key in IMMUTABLE:
        old, new = getattr(before, key), getattr(config.network, key)
        if old and network(key, old) != network(key, new):
            yield (
                f"gke-cluster:network.{key}: the cluster uses {old}, and a range in use cannot "
                f"change to {new}; {anew}"
            )


def _accelerators(config: ClusterConfig, before: ClusterContract) -> Iterator[str]:
    """The provider leaves a pool's GPUs alone where they are left out."""
    had = {pool.name: pool.accelerator for pool in before.node_pools}
    for index, pool in enumerate(config.node_pools):
        if had.get(pool.name) and pool.accelerator is None:
            yield (
                f'gke-cluster:node_pools[{index}].accelerator: pool "{pool.name}" has '
                f"{had[pool.name]}, and GPUs cannot be taken from a pool; give the pool another "
                "name, which creates a new one"
            )


def _groups(
    config: ClusterConfig, environment: Environment, before: ClusterContract, used: Collection[str]
) -> Iterator[str]:
    """Google does not delete an instance group that a backend service uses."""
    wanted = config.pools(environment.region)
    remaining = wanted.kept(before)
    held = [g for g in before.instance_groups if g not in remaining and g.url in used]
    if not held:
        return
    pools = sorted({group.pool for group in held})
    zones = sorted({group.zone for group in held})
    name = environment.name
    first = (
        f"first run `pulumi up -s {name}` in infra/networking (or `platformctl up {name} --layer "
        f"networking`), which {LET_GO_FIRST}; then deploy all layers"
        if remaining or wanted.replaces(before)
        else "first declare the new pool beside the old one and deploy all layers; then remove the "
        f"old one and run `platformctl up {name} --layer networking`, and then all layers"
    )
    yield (
        f"gke-cluster:node_pools: instance groups of {_all(pools)} in {_all(zones)} are behind the "
        f"load balancer, and Google does not delete a group in use\nhint: {first}"
    )


def losses(
    config: ClusterConfig, environment: Environment, before: ClusterContract | None
) -> Iterator[str]:
    """Warnings about what an edit takes away or leaves behind."""
    if before is None:
        return
    wanted = config.pools(environment.region)
    if wanted.replaces(before):
        cause = (
            f"gke-cluster:cluster.control_plane_zone: the cluster moves from {before.location} to "
            f"{wanted.location}"
            if before.location != wanted.location
            else "gke-cluster:cluster.control_plane_cidr: the control plane has "
            f"{before.control_plane_cidr}, which cannot change in place"
        )
        yield (
            f"{cause}. The cluster is deleted and created again: its pods, Secrets and volumes "
            "are lost (databases too; restore them from their backups), and no model answers until "
            "the serving and networking layers are deployed again"
        )
        return
    places = {pool.name: index for index, pool in enumerate(config.node_pools)}
    for name, keys in wanted.replaced_pools(before).items():
        yield (
            f'gke-cluster:node_pools[{places[name]}]: "{name}" is deleted and created again, '
            f"since {_all(keys)} cannot change in place; its pods wait for other nodes meanwhile. "
            "To avoid that, add a pool of another name first, and remove this one afterwards"
        )
    moves = set(before.zones) != set(config.cluster.zones)
    if moves and keeps_zones(config, environment, before) and config.cluster.auto_provisioning:
        yield (
            "gke-cluster:cluster.zones: the cluster keeps its zones, since changing them would "
            "move pools that have zones of their own; auto-provisioned pools keep them too"
        )


def keeps_zones(
    config: ClusterConfig, environment: Environment, before: ClusterContract | None
) -> bool:
    """Whether the cluster's own list of zones stays as it is; the pools state their zones.

    When that list changes, GKE moves all pools to it, those with zones of their own too, and their
    nodes are gone before the provider could move them back.
    """
    if before is None or config.pools(environment.region).replaces(before):
        return False
    return any(pool.zones for pool in config.node_pools)


def _all(names: Collection[str]) -> str:
    return " and ".join(names)
