"""The component of the identity by which a namespace's imports read secrets and write files."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import storage
from pulumi_kubernetes.core import v1 as core

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.imports import jobs
from infra.serving.manifest import sdk
from infra.serving.models.imports import Imported
from infra.serving.tenancy.bucket import READER
from infra.serving.tenancy.namespaces import ModelsNamespace
from infra.serving.tenancy.workload_identity import Role, workload_identity

WRITER = "roles/storage.objectUser"


class ImportAccess(pulumi.ComponentResource):
    """A Kubernetes account that acts as a Google one, which may write below the imports' folders.

    It may read the bucket too: without the right to list, Cloud Storage answers 403 for an object
    that is missing. Model servers cannot use it, nor read the hub's tokens by their own.
    """

    grants: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        imports: Sequence[Imported],
        *,
        namespace: ModelsNamespace,
        bucket: pulumi.Input[str],
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ImportAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        identity = workload_identity(
            name,
            Role(
                account=jobs.COMPONENT,
                component=jobs.COMPONENT,
                name="import",
                title="Imports of models",
                secrets=[one.token.id for one in imports if one.token],
            ),
            namespace=namespace,
            workload_pool=workload_pool,
            naming=naming,
            labels=labels,
            parent=self,
        )
        member = identity.google_account.member
        self.grants = [
            *identity.grants,
            core.ConfigMap(
                name,
                metadata=sdk(identity.metadata),
                data=jobs.config_map(),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace.namespace]),
            ),
            storage.BucketIAMMember(
                f"{name}-reads", bucket=bucket, role=READER, member=member, opts=child
            ),
            *(
                storage.BucketIAMMember(
                    f"{name}-{prefix.removeprefix('gs://').partition('/')[2]}",
                    bucket=bucket,
                    role=WRITER,
                    member=member,
                    condition=sdk(jobs.write_condition(prefix)),
                    opts=child,
                )
                for prefix in sorted({one.prefix for one in imports})
            ),
        ]
        self.register_outputs({})
