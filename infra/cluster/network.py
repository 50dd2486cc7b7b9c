"""The VPC of the cluster: a subnet, one for load balancers, Cloud NAT for private nodes.

The networking layer has the firewall rules for ingress.
"""

import pulumi
from pulumi_gcp import compute

from gkeplatform.naming import Naming
from infra.cluster.config import NetworkArgs

PODS = "pods"
SERVICES = "services"


class Network(pulumi.ComponentResource):
    """A VPC with one subnet (secondary ranges for pods and Services), a router and its NAT."""

    vpc: compute.Network
    subnet: compute.Subnetwork
    self_link: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: NetworkArgs,
        *,
        naming: Naming,
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:cluster:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.vpc = compute.Network(
            name,
            name=naming.of("network"),
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=child,
        )
        self.subnet = compute.Subnetwork(
            "nodes",
            name=naming.of("nodes"),
            network=self.vpc.self_link,
            region=region,
            ip_cidr_range=args.nodes_cidr,
            secondary_ip_ranges=[
                {"range_name": PODS, "ip_cidr_range": args.pods_cidr},
                {"range_name": SERVICES, "ip_cidr_range": args.services_cidr},
            ],
            private_ip_google_access=True,
            log_config=flow_logs(args),
            opts=child,
        )
        if args.proxies_cidr:
            # Regional Application Load Balancers need it in each region; it holds their proxies.
            compute.Subnetwork(
                "proxies",
                name=naming.of("proxies"),
                network=self.vpc.self_link,
                region=region,
                ip_cidr_range=args.proxies_cidr,
                purpose="REGIONAL_MANAGED_PROXY",
                role="ACTIVE",
                opts=child,
            )
        router = compute.Router(
            name, name=naming.of("router"), network=self.vpc.self_link, region=region, opts=child
        )
        compute.RouterNat(
            name,
            name=naming.of("nat"),
            router=router.name,
            region=region,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=child,
        )
        self.self_link = self.vpc.self_link
        self.register_outputs({"self_link": self.self_link})


def flow_logs(args: NetworkArgs) -> compute.SubnetworkLogConfigArgsDict | None:
    """The subnet's flow logs; None turns them off."""
    if not args.flow_logs:
        return None
    return {
        "aggregation_interval": "INTERVAL_10_MIN",
        "flow_sampling": args.flow_logs,
        "metadata": "INCLUDE_ALL_METADATA",
    }
