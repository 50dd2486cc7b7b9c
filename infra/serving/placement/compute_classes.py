"""The component of the cluster's compute classes."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.contracts import ComputeClass, CreatedPool
from gkeplatform.labels import Labels
from infra.serving.manifest import Manifest


class ComputeClasses(pulumi.ComponentResource):
    """One object per class. Classes are not namespaced; GKE installs their kind."""

    def __init__(
        self,
        name: str,
        classes: Sequence[ComputeClass],
        *,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ComputeClasses", name, None, opts)
        for one in classes:
            CustomResource(
                one.name,
                api_version="cloud.google.com/v1",
                kind="ComputeClass",
                metadata={
                    "name": one.name,
                    "labels": labels.kubernetes(name=one.name, component="compute-class"),
                },
                spec=spec(one),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def compute_classes(
    name: str, classes: Sequence[ComputeClass], *, labels: Labels, opts: pulumi.ResourceOptions
) -> ComputeClasses | None:
    """The component; None if the cluster has no classes."""
    return ComputeClasses(name, classes, labels=labels, opts=opts) if classes else None


def spec(one: ComputeClass) -> Manifest:
    """The class for GKE. It is never satisfied by other nodes than those of its choices."""
    created = {choice.priority: choice for choice in one.created}
    rules = [
        _rule(created[place]) if place in created else {"nodepools": list(pools)}
        for place, pools in enumerate(one.priorities)
    ]
    # As the declared pools have it: infra/cluster/node_pools.py.
    nodes = {"imageType": "cos_containerd", "serviceAccount": one.account}
    return {
        "priorities": rules,
        "activeMigration": {"optimizeRulePriority": one.active_migration},
        "nodePoolAutoCreation": {"enabled": bool(created)},
        **({"nodePoolConfig": nodes} if created else {}),
        # Explicit: GKE before 1.33 adds nodes without GPUs by default.
        "whenUnsatisfiable": "DoNotScaleUp",
    }


def _rule(choice: CreatedPool) -> Manifest:
    """The rule for nodes that GKE creates pools for.

    https://docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass
    """
    nodes = choice.nodes
    gpu = {"type": nodes.accelerator, "count": nodes.gpus, "driverVersion": choice.gpu_driver}
    specific = {"affinity": "Specific", "specific": [{"name": choice.reservation}]}
    ssds = {"localSSDCount": choice.local_ssds} if choice.local_ssds else {}
    return {
        "machineType": nodes.machine_type,
        **({"gpu": gpu} if nodes.accelerator else {}),
        "spot": nodes.spot,
        **({"flexStart": {"enabled": True}} if nodes.flex_start else {}),
        **({"reservations": specific} if choice.reservation else {}),
        **({"location": {"zones": list(choice.zones)}} if choice.zones else {}),
        "storage": {
            "bootDiskType": choice.disk_type,
            "bootDiskSize": choice.disk_size_gb,
            **ssds,
        },
        **(
            {"maxRunDurationSeconds": choice.max_run_seconds}
            if choice.max_run_seconds is not None
            else {}
        ),
    }
