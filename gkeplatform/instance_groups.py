"""Which instance groups of a deployed cluster stay, judged by what the stack file declares.

Google does not delete a group that a backend service uses. The networking layer therefore leaves
out the groups that are to go, and the cluster layer refuses to delete a group before that.
"""

import msgspec

from gkeplatform.contracts import ClusterContract, InstanceGroup
from gkeplatform.struct import Frozen


class DeclaredPools(Frozen):
    """Where the stack file wants the cluster and its nodes."""

    location: str
    """Region or zone of the control plane. Another one replaces the cluster."""
    control_plane_cidr: str
    """Another one replaces the cluster too."""
    zones: dict[str, tuple[str, ...]]
    """The zones of each pool."""
    fixed: dict[str, dict[str, str]]
    """Of each pool, the settings that cannot change in place. Others replace the pool."""

    def replaces(self, cluster: ClusterContract) -> bool:
        """Whether the deployed cluster is to be deleted, with everything in it."""
        return self.location != cluster.location or (
            cluster.control_plane_cidr not in {"", self.control_plane_cidr}
        )

    def replaced_pools(self, cluster: ClusterContract) -> dict[str, tuple[str, ...]]:
        """The pools that are to be deleted and created again, and the settings that cause it."""
        found = {}
        for pool in cluster.node_pools:
            wanted = self.fixed.get(pool.name)
            if wanted is None or not pool.fixed:
                continue
            keys = sorted(pool.fixed.keys() | wanted.keys())
            if changed := tuple(key for key in keys if pool.fixed.get(key) != wanted.get(key)):
                found[pool.name] = changed
        return found

    def kept(self, cluster: ClusterContract) -> tuple[InstanceGroup, ...]:
        """The groups of the deployed cluster that stay: pool and zone are still declared."""
        if self.replaces(cluster):
            return ()
        going = self.replaced_pools(cluster)
        return tuple(
            group
            for group in cluster.instance_groups
            if group.zone in self.zones.get(group.pool, ()) and group.pool not in going
        )


def used_groups(cluster: ClusterContract, declared: DeclaredPools | None) -> ClusterContract:
    """The cluster with the instance groups for backend services: those that stay.

    Where none would stay of a cluster that stays, all of them: a backend service without groups
    answers nothing. `declared` is None where the stack file does not say.
    """
    kept = declared.kept(cluster) if declared else ()
    if declared is None or not (kept or declared.replaces(cluster)):
        return cluster
    return msgspec.structs.replace(cluster, instance_groups=kept)
