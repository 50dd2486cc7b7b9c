"""The component of the bucket for backups and of the identity that writes to it."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import serviceaccount, storage

from gkeplatform.buckets import protection
from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving.postgres.manifests import POD_ACCOUNT
from infra.serving.postgres.settings import Postgres

WRITER = "roles/storage.objectUser"


class BackupStore(pulumi.ComponentResource):
    """A private bucket, and the Google service account by which the clusters' pods write to it."""

    account: serviceaccount.Account
    grants: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        args: Postgres,
        *,
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:BackupStore", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = storage.Bucket(
            name,
            name=backups_bucket(naming),
            location=naming.environment.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            labels=labels.google(),
            opts=child,
            **protection(args.backups_bucket),
        )
        self.account = serviceaccount.Account(
            name,
            account_id=naming.of("postgres", longest=SERVICE_ACCOUNT),
            display_name=f"Postgres clusters ({naming.environment.name})",
            opts=child,
        )
        self.grants = [
            serviceaccount.IAMMember(
                f"{name}-workload-identity",
                service_account_id=self.account.name,
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{workload_pool}[{args.namespace}/{POD_ACCOUNT}]",
                opts=child,
            ),
            storage.BucketIAMMember(
                name, bucket=bucket.name, role=WRITER, member=self.account.member, opts=child
            ),
        ]
        self.register_outputs({})


def backups_bucket(naming: Naming) -> str:
    """The name of the bucket."""
    return naming.of("postgres-backups")
