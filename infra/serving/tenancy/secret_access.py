"""The component of models' read access to secrets of Secret Manager."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_gcp import secretmanager

from infra.serving.models import secrets
from infra.serving.models.workload import Workload
from infra.serving.tenancy.namespaces import ModelsNamespace

ACCESSOR = "roles/secretmanager.secretAccessor"


class SecretAccess(pulumi.ComponentResource):
    """The account of each namespace may read the secrets that its models name, and no others.

    The secrets are managed elsewhere. A grant on one that does not exist fails, before any model
    that needs it is changed.
    """

    def __init__(
        self,
        name: str,
        workloads: Sequence[Workload],
        *,
        namespaces: Mapping[str, ModelsNamespace],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:SecretAccess", name, None, opts)
        for namespace, secret in readers(workloads):
            secretmanager.SecretIamMember(
                f"{namespace}-{secret}",
                secret_id=secret,
                role=ACCESSOR,
                member=namespaces[namespace].google_account.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def readers(workloads: Sequence[Workload]) -> list[tuple[str, str]]:
    """The namespaces and the ids of the secrets that their models read, each pair once."""
    return sorted(
        {
            (workload.namespace, secret.id)
            for workload in workloads
            for secret in secrets.synced(workload.references)
        }
    )


def secret_access(
    name: str,
    workloads: Sequence[Workload],
    *,
    namespaces: Mapping[str, ModelsNamespace],
    opts: pulumi.ResourceOptions | None = None,
) -> list[pulumi.Resource]:
    """The grants, for models to depend on; none if no model reads a secret."""
    if not readers(workloads):
        return []
    return [SecretAccess(name, workloads, namespaces=namespaces, opts=opts)]
