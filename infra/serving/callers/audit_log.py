"""The component of the audit log's place: a log bucket, and the sink that routes its lines there.

The gateways write the lines to their standard output (`envoy.audit`), and GKE's agent sends them to
Cloud Logging: https://cloud.google.com/logging/docs/routing/overview.
"""

from collections.abc import Iterable, Sequence

import pulumi
from pulumi_gcp import logging

from gkeplatform.contracts import ClusterContract
from gkeplatform.naming import Naming
from infra.serving.callers.envoy import AUDIT
from infra.serving.callers.gateway import CONTAINER
from infra.serving.callers.settings import Audit, CallersArgs
from infra.serving.models import Workload

_DESTINATION = "logging.googleapis.com"


def lines(*, cluster: str, location: str, namespaces: Iterable[str]) -> str:
    """The filter, in the Logging query language, that selects the lines of a cluster's gateways."""
    listed = " OR ".join(f'"{one}"' for one in sorted(set(namespaces)))
    labels = "resource.labels"
    return "\n".join(
        (
            'resource.type="k8s_container"',
            f'{labels}.cluster_name="{cluster}"',
            f'{labels}.location="{location}"',
            f"{labels}.namespace_name=({listed})",
            f'{labels}.container_name="{CONTAINER}"',
            f'jsonPayload.audit="{AUDIT}"',
        )
    )


class AuditLog(pulumi.ComponentResource):
    """A log bucket for the lines, which are then no longer in `_Default`.

    The bucket stays when it is no longer declared: its lines are kept for as long as they should
    be, and Google would keep its name for seven days, in which it cannot be made again. The
    provider takes over a bucket that exists. The sink has no identity and needs no role, since the
    bucket is in its project.
    """

    bucket: logging.ProjectBucketConfig

    def __init__(
        self,
        name: str,
        args: Audit,
        *,
        namespaces: Iterable[str],
        cluster: ClusterContract,
        naming: Naming,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:AuditLog", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        environment, physical = naming.environment, naming.of(name)
        self.bucket = logging.ProjectBucketConfig(
            name,
            project=environment.project,
            location=args.location or environment.region,
            bucket_id=physical,
            description="Audit log of callers: who asked which model, when, with how many tokens.",
            retention_days=args.retention_days,
            locked=args.locked,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        named = sorted(set(namespaces))
        selected = pulumi.Output.all(cluster=cluster.name, location=cluster.location).apply(
            lambda found: lines(namespaces=named, **found)
        )
        sink = logging.ProjectSink(
            name,
            name=physical,
            description="Routes the audit log of callers to its own bucket.",
            destination=pulumi.Output.concat(_DESTINATION, "/", self.bucket.id),
            filter=selected,
            opts=child,
        )
        logging.ProjectExclusion(
            name,
            name=physical,
            description="The audit log of callers has a bucket of its own.",
            filter=selected,
            # Without the sink, a line would be nowhere.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[sink]),
        )
        self.register_outputs({})


def audit_log(
    name: str,
    callers: CallersArgs | None,
    workloads: Sequence[Workload],
    *,
    staying: Iterable[str] = (),
    cluster: ClusterContract,
    naming: Naming,
    opts: pulumi.ResourceOptions,
) -> AuditLog | None:
    """The audit log's place; None without callers, or where the lines stay in `_Default`.

    `staying` are the namespaces of gateways that have left the catalogue and stay for a while.
    """
    namespaces = {*(one.namespace for one in workloads if one.callers), *staying}
    if callers is None or callers.audit is None or not namespaces:
        return None
    return AuditLog(
        name, callers.audit, namespaces=namespaces, cluster=cluster, naming=naming, opts=opts
    )
