"""The priority classes that models may have."""

import pulumi
from pulumi_kubernetes.scheduling import v1 as scheduling

from gkeplatform.labels import Labels


class PriorityClasses(pulumi.ComponentResource):
    """A class of each priority. They are the cluster's: all namespaces share their names."""

    def __init__(
        self,
        name: str,
        priorities: dict[str, int],
        *,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:PriorityClasses", name, None, opts)
        for role, value in priorities.items():
            scheduling.PriorityClass(
                role,
                metadata={
                    "name": role,
                    "labels": labels.kubernetes(name=role, component="priority"),
                },
                value=value,
                # Below zero is work that waits for room rather than take another's.
                preemption_policy="PreemptLowerPriority" if value >= 0 else "Never",
                description="Priority of model servers.",
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
