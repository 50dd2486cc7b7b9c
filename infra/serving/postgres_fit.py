"""Where the instances of Postgres clusters can run: their requests against the node pools.

Instances go to pools that are open to every pod. That one of their nodes is free is the scheduler's
matter; what no node could ever take is refused here, before anything is touched.
"""

from collections.abc import Sequence

from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig
from infra.serving.demand import MILLI, cores, gibibytes
from infra.serving.fit import hard_taints
from infra.serving.postgres import PostgresCluster
from infra.serving.quantity import amount


def check(config: ServingConfig, pools: Sequence[NodePool]) -> None:
    """Refuses a cluster whose instances fit no node; `PlatformError` with the nearest pool."""
    for index, cluster in enumerate(config.postgres.clusters if config.postgres else ()):
        if fitting(cluster, pools):
            continue
        key = f"gke-serving:postgres.clusters[{index}].resources"
        asked = cluster.resources.requests
        said = f"{key}: an instance asks for {asked.cpu} cores and {asked.memory}, and "
        if not (free := _open(pools)):
            raise PlatformError(
                f"{said}every node pool has GPUs or taints; add a pool without to "
                "gke-cluster:node_pools"
            )
        near = max(free, key=lambda pool: (pool.memory_bytes or 0, pool.cpu_millis or 0))
        raise PlatformError(
            f"{said}a node of {near.name}, the nearest pool, has {cores(near.cpu_millis or 0)} "
            f"cores and {gibibytes(near.memory_bytes or 0)} for pods; ask for less, or give it "
            "larger nodes in gke-cluster:node_pools"
        )


def is_crowded(config: ServingConfig, pools: Sequence[NodePool]) -> bool:
    """Whether a cluster has more instances than there are zones with nodes for them."""
    return any(
        cluster.instances > len({zone for pool in fitting(cluster, pools) for zone in pool.zones})
        for cluster in (config.postgres.clusters if config.postgres else ())
    )


def fitting(cluster: PostgresCluster, pools: Sequence[NodePool]) -> list[NodePool]:
    """The pools that can take an instance."""
    asked = cluster.resources.requests
    cpu, memory = int(amount(asked.cpu) * MILLI), int(amount(asked.memory))
    return [
        pool
        for pool in _open(pools)
        if (pool.cpu_millis is None or pool.cpu_millis >= cpu)
        and (pool.memory_bytes is None or pool.memory_bytes >= memory)
    ]


def _open(pools: Sequence[NodePool]) -> list[NodePool]:
    return [pool for pool in pools if not pool.accelerator and not hard_taints(pool)]
