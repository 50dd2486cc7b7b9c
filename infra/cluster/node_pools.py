"""The cluster's node pools and what they are known by further on: their instance groups."""

import re
from collections.abc import Sequence

import pulumi
from pulumi_gcp import container

from gkeplatform.contracts import InstanceGroup
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.config import NodePoolArgs
from infra.cluster.gke_cluster import GkeCluster
from infra.cluster.identity import NodeIdentity

_GROUP = re.compile(r"/zones/(?P<zone>[^/]+)/instanceGroup(Manager)?s/")


class NodePool(pulumi.ComponentResource):
    """A node pool with its own least-privilege service account."""

    pool: container.NodePool
    service_account_email: pulumi.Output[str]
    instance_groups: pulumi.Output[list[InstanceGroup]]

    def __init__(
        self,
        name: str,
        args: NodePoolArgs,
        *,
        cluster: GkeCluster,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:NodePool", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        project = naming.environment.project
        identity = NodeIdentity(name, naming=naming, project=project, opts=child)
        self.service_account_email = identity.email
        self.pool = container.NodePool(
            name,
            name=args.name,
            cluster=cluster.name,
            location=cluster.location,
            initial_node_count=args.min_nodes,
            autoscaling={"min_node_count": args.min_nodes, "max_node_count": args.max_nodes},
            management={"auto_repair": True, "auto_upgrade": True},
            upgrade_settings={
                "max_surge": args.max_surge,
                "max_unavailable": args.max_unavailable,
            },
            node_config=node_config(
                args, email=identity.email, tag=node_tag(naming), labels=labels
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # A node that starts without its roles never writes a log line of its start.
                depends_on=identity.grants,
                # The autoscaler's matter after the first day; a change would replace the pool.
                ignore_changes=["initialNodeCount"],
                # The pool's name is its own in the cluster: the old one must make room.
                delete_before_replace=True,
            ),
        )
        self.instance_groups = self.pool.instance_group_urls.apply(
            lambda urls: instance_groups(args.name, urls)
        )
        self.register_outputs({"service_account_email": self.service_account_email})


class NodePools(pulumi.ComponentResource):
    """All node pools of the cluster."""

    names: list[pulumi.Output[str]]
    instance_groups: pulumi.Output[list[InstanceGroup]]
    node_tag: str

    def __init__(
        self,
        name: str,
        args: tuple[NodePoolArgs, ...],
        *,
        cluster: GkeCluster,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:NodePools", name, None, opts)
        pools = [
            NodePool(
                pool.name,
                pool,
                cluster=cluster,
                naming=naming,
                labels=labels,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for pool in args
        ]
        self.names = [pool.pool.name for pool in pools]
        self.node_tag = node_tag(naming)
        self.instance_groups = pulumi.Output.all(*(pool.instance_groups for pool in pools)).apply(
            lambda lists: [group for groups in lists for group in groups]
        )
        self.register_outputs({})


def node_tag(naming: Naming) -> str:
    """The network tag of every node of the cluster."""
    return naming.of("node")


def node_config(
    args: NodePoolArgs, *, email: pulumi.Input[str], tag: str, labels: Labels
) -> container.NodePoolNodeConfigArgsDict:
    """How a node of the pool is made: shielded, without legacy metadata, as `email`."""
    config: container.NodePoolNodeConfigArgsDict = {
        "machine_type": args.machine_type,
        "disk_size_gb": args.disk_size_gb,
        "disk_type": args.disk_type,
        "image_type": "COS_CONTAINERD",
        "spot": args.spot,
        "service_account": email,
        "oauth_scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "labels": args.labels,
        "resource_labels": labels.google(pool=args.name),
        "tags": [tag],
        "metadata": {"disable-legacy-endpoints": "true"},
        "shielded_instance_config": {
            "enable_secure_boot": True,
            "enable_integrity_monitoring": True,
        },
        "workload_metadata_config": {"mode": "GKE_METADATA"},
        "taints": [
            {"key": taint.key, "value": taint.value, "effect": taint.effect}
            for taint in args.taints
        ],
    }
    if args.accelerator:
        config["guest_accelerators"] = [
            {
                "type": args.accelerator.type,
                "count": args.accelerator.count,
                "gpu_driver_installation_config": {"gpu_driver_version": "DEFAULT"},
            }
        ]
    return config


def instance_groups(pool: str, urls: Sequence[str]) -> list[InstanceGroup]:
    """The pool's instance groups, one a zone, in the order of the zones.

    GKE lists the *managers* of the groups; a backend service takes the groups, which bear their
    managers' names.
    """
    groups = [
        InstanceGroup(
            pool=pool,
            zone=match["zone"],
            url=url.replace("/instanceGroupManagers/", "/instanceGroups/"),
        )
        for url in urls
        if (match := _GROUP.search(url))
    ]
    return sorted(groups, key=lambda group: group.url)
