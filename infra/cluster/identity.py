"""The service account of a node pool, with the roles that a node needs.

Workloads do not use it; they have their own identities through Workload Identity.
"""

import pulumi
from pulumi_gcp import projects, serviceaccount

from gkeplatform.naming import SERVICE_ACCOUNT, Naming

NODE_ROLES = (
    "roles/artifactregistry.reader",
    "roles/logging.logWriter",
    "roles/monitoring.metricWriter",
    "roles/monitoring.viewer",
    "roles/stackdriver.resourceMetadata.writer",
)
"""Roles of a GKE node: pull images, write logs, metrics and their metadata."""


class NodeIdentity(pulumi.ComponentResource):
    """A node pool's service account and its roles on the project."""

    email: pulumi.Output[str]
    grants: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        naming: Naming,
        project: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:NodeIdentity", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = serviceaccount.Account(
            name,
            account_id=account_id(name, naming),
            display_name=f"Nodes of pool {name} ({naming.environment.name})",
            opts=child,
        )
        self.email = account.email
        self.grants = [
            projects.IAMMember(
                f"{name}-{role.removeprefix('roles/')}",
                project=project,
                role=role,
                member=account.member,
                opts=child,
            )
            for role in NODE_ROLES
        ]
        self.register_outputs({"email": self.email})


def account_id(pool: str, naming: Naming) -> str:
    """The id of the pool's service account; `PlatformError` if the pool's name is too long."""
    return naming.of(f"{pool}-nodes", longest=SERVICE_ACCOUNT)
