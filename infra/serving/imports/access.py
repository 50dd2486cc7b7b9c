"""The component of the identity by which a namespace's imports read secrets and write files."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import secretmanager, serviceaccount, storage
from pulumi_kubernetes.core import v1 as core

from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving.imports import jobs
from infra.serving.manifest import Manifest, sdk
from infra.serving.models.imports import Imported
from infra.serving.tenancy.bucket import READER
from infra.serving.tenancy.namespaces import ModelsNamespace
from infra.serving.tenancy.secret_access import ACCESSOR

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
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace.namespace])
        team = namespace.team
        account = serviceaccount.Account(
            name,
            account_id=naming.of(
                f"{team.name}-import" if team else "import", longest=SERVICE_ACCOUNT
            ),
            display_name=f"Imports of models ({naming.environment.name}"
            f"{f', team {team.name}' if team else ''})",
            opts=child,
        )
        metadata: Manifest = {
            "name": jobs.COMPONENT,
            "namespace": namespace.name,
            "labels": labels.kubernetes(name=jobs.COMPONENT, component=jobs.COMPONENT),
        }
        identity = {"iam.gke.io/gcp-service-account": account.email}
        member = f"serviceAccount:{workload_pool}[{namespace.name}/{jobs.COMPONENT}]"
        self.grants = [
            core.ServiceAccount(
                name,
                metadata=sdk({**metadata, "annotations": identity}),
                automount_service_account_token=False,
                opts=inside,
            ),
            core.ConfigMap(name, metadata=sdk(metadata), data=jobs.config_map(), opts=inside),
            serviceaccount.IAMMember(
                f"{name}-workload-identity",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=member,
                opts=child,
            ),
            storage.BucketIAMMember(
                f"{name}-reads", bucket=bucket, role=READER, member=account.member, opts=child
            ),
            *(
                storage.BucketIAMMember(
                    f"{name}-{prefix.removeprefix('gs://').partition('/')[2]}",
                    bucket=bucket,
                    role=WRITER,
                    member=account.member,
                    condition=sdk(jobs.write_condition(prefix)),
                    opts=child,
                )
                for prefix in sorted({one.prefix for one in imports})
            ),
            *(
                secretmanager.SecretIamMember(
                    f"{name}-{secret}",
                    secret_id=secret,
                    role=ACCESSOR,
                    member=account.member,
                    opts=child,
                )
                for secret in sorted({one.token.id for one in imports if one.token})
            ),
        ]
        self.register_outputs({})
