"""The GKE cluster, without its node pools."""

import pulumi
from pulumi_gcp import container

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster import features, notifications
from infra.cluster.cluster_settings import AuthorizedNetwork, ClusterArgs
from infra.cluster.encryption import SecretsKey, database_encryption
from infra.cluster.identity import NodeIdentity, account_id
from infra.cluster.network import PODS, SERVICES, Network

AUTO_PROVISIONED = "auto"
"""The pool name in the service account of auto-provisioned nodes."""


class GkeCluster(pulumi.ComponentResource):
    """A VPC-native cluster with private nodes, on a release channel; regional or zonal."""

    cluster: container.Cluster
    name: pulumi.Output[str]
    location: pulumi.Output[str]
    workload_pool: str

    def __init__(
        self,
        name: str,
        args: ClusterArgs,
        *,
        network: Network,
        naming: Naming,
        labels: Labels,
        keeps_zones: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:GkeCluster", name, None, opts)
        environment = naming.environment
        self.workload_pool = f"{environment.project}.svc.id.goog"
        provisioning, grants = self._provisioning(args, naming)
        encryption = self._encryption(args, naming, labels)
        topic = notifications.topic(
            "cluster-events",
            args.notifications,
            naming=naming,
            labels=labels,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.cluster = container.Cluster(
            name,
            name=naming.cluster,
            location=args.control_plane_zone or environment.region,
            node_locations=additional_zones(args),
            network=network.vpc.self_link,
            subnetwork=network.subnet.self_link,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={
                "cluster_secondary_range_name": PODS,
                "services_secondary_range_name": SERVICES,
            },
            datapath_provider="ADVANCED_DATAPATH",
            private_cluster_config={
                "enable_private_nodes": True,
                "enable_private_endpoint": args.private_endpoint,
                "master_ipv4_cidr_block": args.control_plane_cidr,
            },
            master_authorized_networks_config=authorized_networks(args),
            release_channel={"channel": args.release_channel.upper()},
            workload_identity_config={"workload_pool": self.workload_pool},
            enable_shielded_nodes=True,
            cluster_autoscaling=provisioning,
            notification_config=notifications.notification_config(args.notifications, topic),
            database_encryption=database_encryption(encryption.key if encryption else None),
            **features.features(args),
            # The default pool cannot be left out; the provider creates and removes it.
            initial_node_count=1,
            remove_default_node_pool=True,
            deletion_protection=args.deletion_protection,
            resource_labels=labels.google(),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*grants, *(encryption.grants if encryption else ())],
                ignore_changes=["nodeLocations"] if keeps_zones else None,
            ),
        )
        self.name = self.cluster.name
        self.location = self.cluster.location
        self.register_outputs({"name": self.name, "location": self.location})

    def _provisioning(
        self, args: ClusterArgs, naming: Naming
    ) -> tuple[container.ClusterClusterAutoscalingArgsDict, list[pulumi.Resource]]:
        """Node auto-provisioning, and the grants that its nodes depend on.

        Off is explicit: leaving it out would change nothing.
        """
        if args.auto_provisioning is None:
            return {"enabled": False}, []
        nodes = NodeIdentity(
            AUTO_PROVISIONED,
            naming=naming,
            project=naming.environment.project,
            opts=pulumi.ResourceOptions(parent=self),
        )
        made = features.auto_provisioning(args.auto_provisioning, email=nodes.email)
        return made, nodes.grants

    def _encryption(self, args: ClusterArgs, naming: Naming, labels: Labels) -> SecretsKey | None:
        """The key of the cluster's Secrets, where configured."""
        if args.secrets_encryption is None:
            return None
        return SecretsKey(
            "secrets",
            args.secrets_encryption,
            naming=naming,
            labels=labels,
            opts=pulumi.ResourceOptions(parent=self),
        )


def auto_account(naming: Naming) -> str:
    """Email of the service account of auto-provisioned nodes, whether or not there are any."""
    project = naming.environment.project
    return f"{account_id(AUTO_PROVISIONED, naming)}@{project}.iam.gserviceaccount.com"


def additional_zones(args: ClusterArgs) -> list[str]:
    """The zones of the nodes, without that of a zonal control plane.

    The provider adds that zone itself; a list with it would differ from what it reads.
    """
    return [zone for zone in args.zones if zone != args.control_plane_zone]


EVERYONE = AuthorizedNetwork(name="everyone", cidr="0.0.0.0/0")
"""Says that every network may reach the API server.

The provider keeps the former networks where the list is left out, and an empty list admits none.
"""


def authorized_networks(
    args: ClusterArgs,
) -> container.ClusterMasterAuthorizedNetworksConfigArgsDict:
    """Networks that may reach the API server; without any in the configuration, all."""
    return {
        "cidr_blocks": [
            {"display_name": network.name, "cidr_block": network.cidr}
            for network in args.authorized_networks or (EVERYONE,)
        ]
    }
