"""Which node pools can run instances of Postgres clusters.

Instances go to pools without GPUs, TPUs and taints. Whether a node is free is left to the
scheduler; an instance that no node could ever take is refused before anything is touched.
"""

from collections.abc import Sequence

from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.serving.placement.demand import cores, gibibytes
from infra.serving.placement.fit import is_reserved
from infra.serving.postgres.clusters import Cluster
from infra.serving.quantity import amount, millis


def check(clusters: Sequence[Cluster], pools: Sequence[NodePool]) -> None:
    """`PlatformError`, with the nearest pool, for a cluster whose instances fit no node."""
    for index, cluster in enumerate(clusters):
        if fitting(cluster, pools):
            continue
        requests = cluster.settings.resources.requests
        problem = (
            f"gke-serving:postgres.clusters[{index}].resources: an instance requests "
            f"{requests.cpu} cores and {requests.memory}, and "
        )
        if not (free := _open(pools)):
            raise PlatformError(
                f"{problem}every node pool has accelerators or taints; add a pool without to "
                "gke-cluster:node_pools"
            )
        near = max(free, key=lambda pool: (pool.memory_bytes or 0, pool.cpu_millis or 0))
        raise PlatformError(
            f"{problem}a node of {near.name}, the nearest pool, has {cores(near.cpu_millis or 0)} "
            f"cores and {gibibytes(near.memory_bytes or 0)} for pods; request less, or give it "
            "larger nodes in gke-cluster:node_pools"
        )


def must_share_zones(clusters: Sequence[Cluster], pools: Sequence[NodePool]) -> bool:
    """Whether a cluster has more instances than there are zones with nodes for them."""
    return any(
        cluster.settings.instances
        > len({zone for pool in fitting(cluster, pools) for zone in pool.zones})
        for cluster in clusters
    )


def fitting(cluster: Cluster, pools: Sequence[NodePool]) -> list[NodePool]:
    """The pools that can take an instance."""
    requests = cluster.settings.resources.requests
    cpu, memory = millis(requests.cpu), int(amount(requests.memory))
    return [
        pool
        for pool in _open(pools)
        if (pool.cpu_millis is None or pool.cpu_millis >= cpu)
        and (pool.memory_bytes is None or pool.memory_bytes >= memory)
    ]


def _open(pools: Sequence[NodePool]) -> list[NodePool]:
    return [pool for pool in pools if not is_reserved(pool)]
