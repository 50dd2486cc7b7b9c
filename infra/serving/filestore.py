"""Filestore for volumes that replicas share: its StorageClasses, and what they need of the cluster.

GKE's own classes (`standard-rwx` and others) make instances in the network `default`, which a
project need not have and whose instances the nodes of another network do not reach. The classes
here name the cluster's network. Filestore peers it with its own (connect mode DIRECT_PEERING), so
nothing else has to be prepared; nodes reach the instance since the VPC denies no egress.
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/persistent-volumes/filestore-csi-driver
"""

from collections.abc import Iterable, Sequence

import pulumi
from pulumi_kubernetes.storage import v1 as storage

from facts.filestore import DRIVER
from gkeplatform.contracts import ClusterContract
from gkeplatform.errors import PlatformError
from gkeplatform.labels import Labels
from infra.serving.manifest import Manifest, sdk
from infra.serving.models import Workload
from infra.serving.models.shared_cache import SharedCache, class_of


def tiers(workloads: Iterable[Workload]) -> list[str]:
    """The tiers of the instances that models have, each once."""
    used = {
        one.files.filestore_tier: one for one in workloads if isinstance(one.files, SharedCache)
    }
    return sorted(tier for tier in used if tier)


def check(workloads: Iterable[Workload], cluster: ClusterContract) -> None:
    """`PlatformError` for a model whose volume the cluster as deployed would never make."""
    if cluster.filestore_csi_driver:
        return
    for one in workloads:
        if isinstance(one.files, SharedCache) and one.files.filestore_tier:
            raise PlatformError(
                f"{one.key}.files: via cache needs the Filestore CSI driver, and cluster "
                f"{cluster.name} was deployed without it; set "
                "gke-cluster:cluster.filestore_csi_driver to true and deploy the cluster layer "
                "first, or name a storage_class of your own"
            )


class FilestoreClasses(pulumi.ComponentResource):
    """One StorageClass per tier. Storage classes are not namespaced."""

    def __init__(
        self,
        name: str,
        tiers: Sequence[str],
        *,
        network: str,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`network` is the VPC's self link."""
        super().__init__("gkeplatform:serving:FilestoreClasses", name, None, opts)
        for tier in tiers:
            named = class_of(tier)
            storage.StorageClass(
                named,
                metadata={
                    "name": named,
                    "labels": labels.kubernetes(name=named, component="storage-class"),
                },
                provisioner=DRIVER,
                parameters=sdk(parameters(tier, network)),
                # In the zone of the first pod; pods of other zones reach it, too.
                volume_binding_mode="WaitForFirstConsumer",
                allow_volume_expansion=True,
                # What it holds are copies.
                reclaim_policy="Delete",
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def parameters(tier: str, network: str) -> Manifest:
    """The driver's parameters for an instance in the VPC with the self link `network`."""
    return {"tier": tier.lower(), "network": network.rpartition("/")[2]}


def filestore_classes(
    name: str,
    workloads: Iterable[Workload],
    *,
    network: str,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> list[FilestoreClasses]:
    """The component, in a list that is empty if no model has a Filestore instance."""
    needed = tiers(workloads)
    if not needed:
        return []
    return [FilestoreClasses(name, needed, network=network, labels=labels, opts=opts)]
