"""The component of the priority classes that models may have."""

import pulumi
from pulumi_kubernetes.scheduling import v1 as scheduling

from gkeplatform.labels import Labels


class PriorityClasses(pulumi.ComponentResource):
    """One class per priority. Priority classes are not namespaced."""

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
                # Below zero: low-priority work, which waits for free nodes.
                preemption_policy="PreemptLowerPriority" if value >= 0 else "Never",
                description="Priority of model servers.",
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
