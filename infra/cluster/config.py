"""Configuration of the cluster layer (namespace `gke-cluster`)."""

from ipaddress import IPv4Network
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from gkeplatform.instance_groups import DeclaredPools
from infra.cluster.addresses import Cidr, network, refuse_overlaps
from infra.cluster.cluster_settings import ClusterArgs
from infra.cluster.compute_classes import ComputeClassArgs
from infra.cluster.compute_classes import check as check_classes
from infra.cluster.fixed_settings import fixed
from infra.cluster.pool_settings import NodePoolArgs

RANGES = ("nodes_cidr", "pods_cidr", "services_cidr")
SMALLEST = 26
"""Prefix length: https://docs.cloud.google.com/load-balancing/docs/proxy-only-subnets."""


class NetworkArgs(Settings):
    """Address ranges of the VPC. They must not overlap."""

    nodes_cidr: Annotated[Cidr, Meta(description="Primary range of the subnet, for nodes.")]
    pods_cidr: Annotated[Cidr, Meta(description="Secondary range of the subnet, for pods.")]
    services_cidr: Annotated[Cidr, Meta(description="Secondary range, for Services.")]
    flow_logs: Annotated[
        Annotated[float, Meta(ge=0, le=1)],
        Meta(description="Sampling rate of VPC flow logs; 0: off."),
    ] = 0
    proxies_cidr: Annotated[
        Cidr | None,
        Meta(
            description="Range of the proxy-only subnet, at least a /26, for models of "
            "`kind: inference-gateway`. Default: no such subnet."
        ),
    ] = None

    def __post_init__(self) -> None:
        refuse_overlaps(self.ranges())
        if self.proxies_cidr and network("proxies_cidr", self.proxies_cidr).prefixlen > SMALLEST:
            raise ValueError(
                f"proxies_cidr {self.proxies_cidr} is smaller than a /{SMALLEST}, the smallest "
                "proxy-only subnet; Google recommends a /23"
            )

    def ranges(self, prefix: str = "") -> dict[str, IPv4Network]:
        """The configured ranges by key."""
        given = {name: getattr(self, name) for name in (*RANGES, "proxies_cidr")}
        return {
            f"{prefix}{name}": network(f"{prefix}{name}", value)
            for name, value in given.items()
            if value is not None
        }


class ClusterConfig(Settings):
    """The cluster layer of one environment."""

    network: Annotated[NetworkArgs, Meta(description="Address ranges of the VPC.")]
    cluster: Annotated[ClusterArgs, Meta(description="The GKE cluster.")]
    node_pools: Annotated[
        tuple[NodePoolArgs, ...],
        Meta(min_length=1, description="Node pools, each with its own service account."),
    ]
    compute_classes: Annotated[
        tuple[ComputeClassArgs, ...],
        Meta(description="Compute classes: nodes in an order of preference, for models."),
    ] = ()

    def __post_init__(self) -> None:
        names = [pool.name for pool in self.node_pools]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f'node_pools: two pools are named "{twice[0]}"; rename one')
        check_classes(self.compute_classes, self.node_pools, self.cluster)
        ranges = self.network.ranges("network.")
        plane = "cluster.control_plane_cidr"
        refuse_overlaps(ranges | {plane: network(plane, self.cluster.control_plane_cidr)})

    def pools(self, region: str) -> DeclaredPools:
        """Where the cluster and its nodes are to be."""
        return DeclaredPools(
            location=self.cluster.control_plane_zone or region,
            control_plane_cidr=self.cluster.control_plane_cidr,
            zones={pool.name: pool.zones or self.cluster.zones for pool in self.node_pools},
            fixed={pool.name: fixed(pool) for pool in self.node_pools},
        )
