"""Identities in a namespace of models, beside the one that its model servers have."""

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_gcp import secretmanager, serviceaccount
from pulumi_kubernetes.core import v1 as core

from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving.manifest import Manifest, sdk
from infra.serving.tenancy.namespaces import ModelsNamespace
from infra.serving.tenancy.secret_access import ACCESSOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What an identity is for."""

    account: str
    """Name of the Kubernetes account."""
    component: str
    """Component of its labels."""
    name: str
    """Ends the id of the Google account."""
    title: str
    """Begins its display name."""
    secrets: Iterable[str]
    """Ids of the secrets in Secret Manager that it may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadIdentity:
    """A Kubernetes account that acts as a Google one, without a key."""

    google_account: serviceaccount.Account
    metadata: Manifest
    """Of the Kubernetes account, for the objects that belong to it."""
    grants: tuple[pulumi.Resource, ...]
    """What a pod of the account waits for."""


def workload_identity(
    name: str,
    role: Role,
    *,
    namespace: ModelsNamespace,
    workload_pool: str,
    naming: Naming,
    labels: Labels,
    parent: pulumi.Resource,
) -> WorkloadIdentity:
    """Declare both accounts, and that the secrets may be read."""
    child = pulumi.ResourceOptions(parent=parent)
    team = namespace.team
    account = serviceaccount.Account(
        name,
        account_id=naming.of(
            f"{team.name}-{role.name}" if team else role.name, longest=SERVICE_ACCOUNT
        ),
        display_name=f"{role.title} ({naming.environment.name}"
        f"{f', team {team.name}' if team else ''})",
        opts=child,
    )
    metadata: Manifest = {
        "name": role.account,
        "namespace": namespace.name,
        "labels": labels.kubernetes(name=role.account, component=role.component),
    }
    annotations = {"iam.gke.io/gcp-service-account": account.email}
    grants = (
        core.ServiceAccount(
            name,
            metadata=sdk({**metadata, "annotations": annotations}),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[namespace.namespace]),
        ),
        serviceaccount.IAMMember(
            f"{name}-workload-identity",
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=f"serviceAccount:{workload_pool}[{namespace.name}/{role.account}]",
            opts=child,
        ),
        *(
            secretmanager.SecretIamMember(
                f"{name}-{secret}",
                secret_id=secret,
                role=ACCESSOR,
                member=account.member,
                opts=child,
            )
            for secret in sorted(set(role.secrets))
        ),
    )
    return WorkloadIdentity(google_account=account, metadata=metadata, grants=grants)
