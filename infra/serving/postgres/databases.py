"""The components of the Postgres clusters, and all that they need, in order."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.contracts import ClusterContract
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.manifest import Manifest, sdk
from infra.serving.postgres import fit, manifests
from infra.serving.postgres.bucket import BackupStore, backups_bucket
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.operator import API, PostgresOperator
from infra.serving.postgres.settings import Postgres

TIMEOUT_SECONDS = "900"
"""Until a new cluster runs: disks, images, and the replicas' first copy of the primary."""


class PostgresClusters(pulumi.ComponentResource):
    """The `postgresql` objects, from which the operator creates everything else."""

    def __init__(
        self,
        name: str,
        clusters: Sequence[Cluster],
        *,
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
                metadata=sdk(metadata(cluster, labels)),
                spec=manifests.postgresql(cluster, bucket=bucket),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def databases(
    name: str,
    args: Postgres | None,
    clusters: Sequence[Cluster],
    *,
    cluster: ClusterContract,
    namespaces: Sequence[pulumi.Resource],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Bucket, operator and clusters; nothing without settings. Models depend on the result.

    `namespaces` are those of the models, which must exist before the operator.
    """
    if args is None:
        return []
    bucket = backups_bucket(naming)
    store = BackupStore(
        name, args, workload_pool=cluster.workload_pool, naming=naming, labels=labels, opts=opts
    )
    operator = PostgresOperator(
        name,
        clusters,
        namespace=args.namespace,
        configuration=manifests.configuration(
            namespace=args.namespace,
            bucket=bucket,
            may_share_zones=fit.must_share_zones(clusters, cluster.node_pools),
        ),
        instance_account=store.account.email,
        labels=labels,
        opts=_after(opts, namespaces),
    )
    return [
        PostgresClusters(
            name, clusters, bucket=bucket, labels=labels, opts=_after(opts, [operator, store])
        )
    ]


def metadata(cluster: Cluster, labels: Labels) -> Manifest:
    """The metadata of a `postgresql` object; Pulumi waits until the cluster runs."""
    return {
        "name": cluster.name,
        "namespace": cluster.namespace,
        "labels": labels.kubernetes(name=cluster.name, component="postgres"),
        "annotations": {
            "pulumi.com/waitFor": "jsonpath={.status.PostgresClusterStatus}=Running",
            "pulumi.com/timeoutSeconds": TIMEOUT_SECONDS,
        },
    }


def _after(
    opts: pulumi.ResourceOptions, resources: Sequence[pulumi.Resource]
) -> pulumi.ResourceOptions:
    wait = pulumi.ResourceOptions(depends_on=list(resources))
    return pulumi.ResourceOptions.merge(opts, wait)
