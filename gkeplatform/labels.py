"""Labels of Google Cloud resources and Kubernetes objects: owner, environment, layer, manager.

Selectors are not made here: what a Service selects must not change with its owner.
"""

from dataclasses import dataclass

from gkeplatform.environment import Environment

MANAGER = "pulumi"


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one layer of one environment."""

    environment: Environment
    layer: str

    def google(self, **extra: str) -> dict[str, str]:
        """Labels of a Google Cloud resource. The platform's own override the stack file's."""
        return {
            **self.environment.labels,
            **extra,
            "system": self.environment.system,
            "environment": self.environment.name,
            "layer": self.layer,
            "managed-by": MANAGER,
        }

    def kubernetes(self, *, name: str, component: str) -> dict[str, str]:
        """Labels of a Kubernetes object: the recommended set overrides the stack file's."""
        return {
            **self.environment.labels,
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": self.environment.system,
            "app.kubernetes.io/managed-by": MANAGER,
            "environment": self.environment.name,
        }
