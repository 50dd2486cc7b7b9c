"""Postgres clusters, with the operator that runs them and the bucket that they are backed up to."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_gcp import serviceaccount, storage
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.buckets import kept
from gkeplatform.contracts import ClusterContract
from gkeplatform.labels import Labels
from gkeplatform.naming import SERVICE_ACCOUNT, Naming
from infra.serving import postgres_fit, postgres_objects
from infra.serving.config import ServingConfig
from infra.serving.manifest import Manifest
from infra.serving.namespace import ModelsNamespace
from infra.serving.postgres import Postgres, PostgresCluster
from infra.serving.postgres_objects import POD_ACCOUNT
from infra.serving.postgres_operator import API, PostgresOperator

WRITER = "roles/storage.objectUser"
PATIENCE = "900"
"""Seconds until a cluster must run: disks, images, and the replicas' first copy of the primary."""


class BackupStore(pulumi.ComponentResource):
    """A private bucket, and the Google account that the clusters' pods write to it as; no key."""

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
            **kept(args.backups_bucket),
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


class PostgresClusters(pulumi.ComponentResource):
    """The `postgresql` objects: whatever runs of them, the operator makes."""

    def __init__(
        self,
        name: str,
        clusters: Sequence[PostgresCluster],
        config: ServingConfig,
        *,
        namespace: str,
        bucket: str,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:PostgresClusters", name, None, opts)
        for cluster in clusters:
            CustomResource(
                cluster.name,
                api_version=API,
                kind="postgresql",
                metadata=described(cluster, namespace, labels),
                spec=postgres_objects.cluster(cluster, config, bucket=bucket),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def databases(
    name: str,
    config: ServingConfig,
    *,
    cluster: ClusterContract,
    homes: Mapping[str, ModelsNamespace],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """All of it, for whatever comes after; nothing where no cluster is asked for."""
    args = config.postgres
    if args is None:
        return []
    bucket = backups_bucket(naming)
    store = BackupStore(
        name, args, workload_pool=cluster.workload_pool, naming=naming, labels=labels, opts=opts
    )
    operator = PostgresOperator(
        name,
        config,
        namespace=args.namespace,
        configuration=postgres_objects.configuration(
            namespace=args.namespace,
            bucket=bucket,
            is_crowded=postgres_fit.is_crowded(config, cluster.node_pools),
        ),
        instances=store.account.email,
        labels=labels,
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(depends_on=list(homes.values()))
        ),
    )
    return [
        PostgresClusters(
            name,
            args.clusters,
            config,
            namespace=args.namespace,
            bucket=bucket,
            labels=labels,
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(depends_on=[operator, store])
            ),
        )
    ]


def backups_bucket(naming: Naming) -> str:
    """The name of the bucket of backups."""
    return naming.of("postgres-backups")


def described(cluster: PostgresCluster, namespace: str, labels: Labels) -> Manifest:
    """The metadata of a `postgresql` object. An update ends when the cluster runs."""
    return {
        "name": cluster.name,
        "namespace": namespace,
        "labels": labels.kubernetes(name=cluster.name, component="postgres"),
        "annotations": {
            "pulumi.com/waitFor": "jsonpath={.status.PostgresClusterStatus}=Running",
            "pulumi.com/timeoutSeconds": PATIENCE,
        },
    }
