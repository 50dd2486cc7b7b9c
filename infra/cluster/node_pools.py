"""The cluster's node pools and their instance groups."""

import re
from collections.abc import Collection, Sequence

import pulumi
from pulumi_gcp import container

from gkeplatform.contracts import InstanceGroup
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.encryption import grant_key
from infra.cluster.fixed_settings import spans_nodes
from infra.cluster.gke_cluster import GkeCluster
from infra.cluster.identity import NodeIdentity
from infra.cluster.pool_settings import Accelerator, NodePoolArgs

COMPUTE_ENGINE = "compute-system"
"""The domain of the agent that encrypts boot disks."""
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
        zones: tuple[str, ...],
        cluster: GkeCluster,
        naming: Naming,
        labels: Labels,
        disk_grants: Sequence[pulumi.Resource] = (),
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
            autoscaling=autoscaling(args),
            # GKE refuses auto-repair for flex-start and queued nodes.
            management={"auto_repair": not args.is_scarce, "auto_upgrade": True},
            # Explicit: a pool keeps its zones when they are left out.
            node_locations=list(args.zones or zones),
            max_pods_per_node=args.max_pods_per_node,
            queued_provisioning={"enabled": True} if args.queued else None,
            placement_policy=placement_policy(args),
            upgrade_settings=upgrade(args),
            node_config=node_config(
                args, email=identity.email, tag=node_tag(naming), labels=labels
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Without its roles a node cannot write the logs of its own start, and without
                # its disk's key it cannot start.
                depends_on=[*identity.grants, *disk_grants],
                # The autoscaler owns the size; a change here would replace the pool.
                ignore_changes=["initialNodeCount"],
            ),
        )
        placed = args.zones or zones
        self.instance_groups = self.pool.instance_group_urls.apply(
            lambda urls: instance_groups(args.name, placed, urls)
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
        zones: tuple[str, ...],
        cluster: GkeCluster,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:NodePools", name, None, opts)
        grants = self._disk_grants(args, naming)
        pools = [
            NodePool(
                pool.name,
                pool,
                zones=zones,
                cluster=cluster,
                naming=naming,
                labels=labels,
                disk_grants=grants.get(pool.boot_disk_kms_key, []),
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

    def _disk_grants(
        self, args: Sequence[NodePoolArgs], naming: Naming
    ) -> dict[str | None, list[pulumi.Resource]]:
        """Compute Engine's access to the keys of boot disks, by key: pools may share one."""
        keys = {pool.boot_disk_kms_key for pool in args if pool.boot_disk_kms_grant} - {None}
        return {
            key: [grant_key(disks_name(key), key, agent=COMPUTE_ENGINE, naming=naming, parent=self)]
            for key in sorted(filter(None, keys))
        }


def disks_name(key: str) -> str:
    """The name of the resource that grants a key of boot disks; `key` is the full name."""
    return "-".join(["disks", *key.split("/")[1::2]])


def node_tag(naming: Naming) -> str:
    """The network tag of every node of the cluster."""
    return naming.of("node")


def autoscaling(args: NodePoolArgs) -> container.NodePoolAutoscalingArgsDict:
    """Size limits of the pool, per zone."""
    return {
        "min_node_count": args.min_nodes,
        "max_node_count": args.max_nodes,
        # ANY: wherever capacity is available.
        "location_policy": "ANY" if args.spot or args.is_scarce else "BALANCED",
    }


def placement_policy(args: NodePoolArgs) -> container.NodePoolPlacementPolicyArgsDict | None:
    """How close to each other the nodes are; None leaves it to Google."""
    if args.tpu_topology and spans_nodes(args):
        return {"type": "COMPACT", "tpu_topology": args.tpu_topology}
    return {"type": "COMPACT"} if args.compact else None


def upgrade(args: NodePoolArgs) -> container.NodePoolUpgradeSettingsArgsDict:
    """The upgrade strategy of the pool."""
    if args.blue_green is None:
        return {
            "strategy": "SURGE",
            "max_surge": args.max_surge,
            "max_unavailable": args.max_unavailable,
        }
    blue_green = args.blue_green
    return {
        "strategy": "BLUE_GREEN",
        "blue_green_settings": {
            "standard_rollout_policy": {
                "batch_percentage": blue_green.batch_percent / 100,
                "batch_soak_duration": f"{blue_green.batch_soak_seconds}s",
            },
            "node_pool_soak_duration": f"{blue_green.pool_soak_seconds}s",
        },
    }


def node_config(
    args: NodePoolArgs, *, email: pulumi.Input[str], tag: str, labels: Labels
) -> container.NodePoolNodeConfigArgsDict:
    """The nodes' configuration: shielded, without legacy metadata, as service account `email`."""
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
        config["guest_accelerators"] = [gpus(args.accelerator)]
    if args.boot_disk_kms_key:
        config["boot_disk_kms_key"] = args.boot_disk_kms_key
    if args.flex_start:
        config["flex_start"] = True
    if args.local_ssd_count:
        config["ephemeral_storage_local_ssd_config"] = {"local_ssd_count": args.local_ssd_count}
    config["gcfs_config"] = {"enabled": args.image_streaming}
    config["reservation_affinity"] = reservation(args)
    return {key: value for key, value in config.items() if value is not None}  # type: ignore[return-value]  # the same keys


def reservation(
    args: NodePoolArgs,
) -> container.NodePoolNodeConfigReservationAffinityArgsDict | None:
    """The reservation that the nodes use; None leaves it to Google."""
    if args.reservation:
        return {
            "consume_reservation_type": "SPECIFIC_RESERVATION",
            "key": "compute.googleapis.com/reservation-name",
            "values": [args.reservation],
        }
    return {"consume_reservation_type": "NO_RESERVATION"} if args.is_scarce else None


def gpus(accelerator: Accelerator) -> container.NodePoolNodeConfigGuestAcceleratorArgsDict:
    """GPUs per node, with the driver that GKE installs."""
    made: container.NodePoolNodeConfigGuestAcceleratorArgsDict = {
        "type": accelerator.type,
        "count": accelerator.count,
        "gpu_driver_installation_config": {"gpu_driver_version": accelerator.driver.upper()},
    }
    if accelerator.partition:
        made["gpu_partition_size"] = accelerator.partition
    if accelerator.sharing:
        made["gpu_sharing_config"] = {
            "gpu_sharing_strategy": accelerator.sharing.strategy,
            "max_shared_clients_per_gpu": accelerator.sharing.clients,
        }
    return made


def instance_groups(pool: str, zones: Collection[str], urls: Sequence[str]) -> list[InstanceGroup]:
    """The pool's instance groups in its declared zones, one per zone, in the order of the zones.

    The provider may have read the list before the last change of the zones. GKE lists the managers
    of the groups; a backend service takes the groups, which have the same names.
    """
    groups = [
        InstanceGroup(
            pool=pool,
            zone=match["zone"],
            url=url.replace("/instanceGroupManagers/", "/instanceGroups/"),
        )
        for url in urls
        if (match := _GROUP.search(url)) and match["zone"] in zones
    ]
    return sorted(groups, key=lambda group: group.url)
