"""The GKE cluster itself, without nodes: those are the node pools' matter."""

import pulumi
from pulumi_gcp import container

from gkeplatform.labels import Labels
from gkeplatform.naming import CLUSTER, Naming
from infra.cluster.config import ClusterArgs
from infra.cluster.network import PODS, SERVICES, Network


class GkeCluster(pulumi.ComponentResource):
    """A regional, VPC-native cluster with private nodes, on a release channel."""

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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:GkeCluster", name, None, opts)
        environment = naming.environment
        self.workload_pool = f"{environment.project}.svc.id.goog"
        self.cluster = container.Cluster(
            name,
            name=naming.of("cluster", longest=CLUSTER),
            location=environment.region,
            node_locations=list(args.zones),
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
            # The provider makes a default pool, which cannot be left out, and removes it again.
            initial_node_count=1,
            remove_default_node_pool=True,
            deletion_protection=args.deletion_protection,
            resource_labels=labels.google(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = self.cluster.name
        self.location = self.cluster.location
        self.register_outputs({"name": self.name, "location": self.location})


def authorized_networks(
    args: ClusterArgs,
) -> container.ClusterMasterAuthorizedNetworksConfigArgsDict | None:
    """The API server's allow list; None leaves it open to every network."""
    if not args.authorized_networks:
        return None
    return {
        "cidr_blocks": [
            {"display_name": network.name, "cidr_block": network.cidr}
            for network in args.authorized_networks
        ]
    }
