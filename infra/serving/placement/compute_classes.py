"""The component of the cluster's compute classes."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.contracts import ComputeClass
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
    """The class for GKE. It is never satisfied by other nodes than those of its pools."""
    return {
        "priorities": [{"nodepools": list(pools)} for pools in one.priorities],
        "activeMigration": {"optimizeRulePriority": one.active_migration},
        "nodePoolAutoCreation": {"enabled": False},
        # Explicit: GKE before 1.33 adds nodes without GPUs by default.
        "whenUnsatisfiable": "DoNotScaleUp",
    }
