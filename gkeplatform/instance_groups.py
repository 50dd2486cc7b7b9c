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
    zones: dict[str, tuple[str, ...]]
    """The zones of each pool."""

    def replaces(self, cluster: ClusterContract) -> bool:
        """Whether the deployed cluster is to be deleted, with everything in it."""
        return cluster.location != self.location

    def kept(self, cluster: ClusterContract) -> tuple[InstanceGroup, ...]:
        """The groups of the deployed cluster whose pool and zone are still declared."""
        if self.replaces(cluster):
            return ()
        return tuple(g for g in cluster.instance_groups if g.zone in self.zones.get(g.pool, ()))


def used_groups(cluster: ClusterContract, declared: DeclaredPools | None) -> ClusterContract:
    """The cluster with the instance groups for backend services: those that stay.

    Where none would stay of a cluster that stays, all of them: a backend service without groups
    answers nothing. `declared` is None where the stack file does not say.
    """
    kept = declared.kept(cluster) if declared else ()
    if declared is None or not (kept or declared.replaces(cluster)):
        return cluster
    return msgspec.structs.replace(cluster, instance_groups=kept)
