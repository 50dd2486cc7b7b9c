"""What a stack file says about the cluster layer (namespace `gke-cluster`)."""

import ipaddress
from itertools import combinations
from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings

Cidr = Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]
Zone = Annotated[str, Meta(pattern=r"^[a-z]+-[a-z]+[0-9]+-[a-z]$")]


class NetworkArgs(Settings):
    """The VPC's address plan. No two of the ranges may overlap."""

    nodes_cidr: Annotated[Cidr, Meta(description="Primary range of the subnet: the nodes.")]
    pods_cidr: Annotated[Cidr, Meta(description="Secondary range of the subnet: the pods.")]
    services_cidr: Annotated[Cidr, Meta(description="Secondary range: the cluster's Services.")]

    def __post_init__(self) -> None:
        ranges = {name: network(name, getattr(self, name)) for name in self.__struct_fields__}
        refuse_overlaps(ranges)


class AuthorizedNetwork(Settings):
    """A network from which the cluster's API server may be reached."""

    name: Annotated[str, Meta(min_length=1, description="What the network is, for people.")]
    cidr: Annotated[Cidr, Meta(description="Its range.")]

    def __post_init__(self) -> None:
        network("cidr", self.cidr)


class ClusterArgs(Settings):
    """The GKE cluster: regional, VPC-native, with private nodes and workload identity."""

    zones: Annotated[
        tuple[Zone, ...],
        Meta(min_length=1, description="Zones of the nodes, all of them in `gcp:region`."),
    ]
    control_plane_cidr: Annotated[
        Cidr, Meta(description="Range of the control plane's private endpoint, a /28.")
    ]
    release_channel: Annotated[
        Literal["rapid", "regular", "stable", "extended"],
        Meta(description="Release channel that upgrades the control plane and the nodes."),
    ] = "regular"
    private_endpoint: Annotated[
        bool, Meta(description="Whether the API server has a private address only.")
    ] = False
    authorized_networks: Annotated[
        tuple[AuthorizedNetwork, ...],
        Meta(description="Networks that may reach the API server; none listed: every network."),
    ] = ()
    deletion_protection: Annotated[
        bool, Meta(description="Refuse to delete the cluster until this is set to false.")
    ] = True

    def __post_init__(self) -> None:
        if network("control_plane_cidr", self.control_plane_cidr).prefixlen != 28:
            raise ValueError(f"control_plane_cidr {self.control_plane_cidr} is not a /28")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones names a zone twice: {', '.join(self.zones)}")


class Accelerator(Settings):
    """GPUs of each node of a pool."""

    type: Annotated[str, Meta(description="GPU type as GCP spells it, for example `nvidia-l4`.")]
    count: Annotated[int, Meta(ge=1, le=16, description="GPUs a node.")] = 1


class Taint(Settings):
    """Keeps pods off a pool's nodes, save those that tolerate it."""

    key: Annotated[str, Meta(min_length=1, description="Key of the taint.")]
    value: Annotated[str, Meta(description="Value of the taint.")] = "true"
    effect: Annotated[
        Literal["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"],
        Meta(description="What happens to pods that do not tolerate it."),
    ] = "NO_SCHEDULE"


class NodePoolArgs(Settings):
    """One node pool. Sizes are counts per zone."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$",
            description="Name of the pool; a new name is a new pool.",
        ),
    ]
    machine_type: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$",
            description="Machine type; a change makes the nodes anew, by turns.",
        ),
    ]
    max_nodes: Annotated[
        int, Meta(ge=1, le=1000, description="Nodes per zone at most; the ceiling of its cost.")
    ]
    min_nodes: Annotated[int, Meta(ge=0, description="Nodes per zone kept when idle.")] = 0
    disk_size_gb: Annotated[int, Meta(ge=20, description="Boot disk of each node, in GB.")] = 100
    disk_type: Annotated[
        Literal["pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"],
        Meta(description="Kind of the boot disk."),
    ] = "pd-balanced"
    spot: Annotated[
        bool, Meta(description="Spot machines: cheaper, and taken away at 30 seconds' notice.")
    ] = False
    accelerator: Annotated[Accelerator | None, Meta(description="GPUs of each node.")] = None
    labels: Annotated[
        dict[str, str], Meta(description="Kubernetes labels of the pool's nodes.")
    ] = field(default_factory=dict)
    taints: Annotated[tuple[Taint, ...], Meta(description="Taints of the pool's nodes.")] = ()
    max_surge: Annotated[
        int, Meta(ge=0, description="Extra nodes an upgrade may use at a time.")
    ] = 1
    max_unavailable: Annotated[
        int, Meta(ge=0, description="Nodes an upgrade may take away at a time.")
    ] = 0

    def __post_init__(self) -> None:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes {self.min_nodes} exceeds max_nodes {self.max_nodes}")
        if self.max_surge + self.max_unavailable == 0:
            raise ValueError("max_surge and max_unavailable are both 0: no node could be upgraded")


class ClusterConfig(Settings):
    """The cluster layer of one environment."""

    network: Annotated[NetworkArgs, Meta(description="Address plan of the VPC.")]
    cluster: Annotated[ClusterArgs, Meta(description="The GKE cluster.")]
    node_pools: Annotated[
        tuple[NodePoolArgs, ...],
        Meta(min_length=1, description="Node pools, each with its own service account."),
    ]

    def __post_init__(self) -> None:
        names = [pool.name for pool in self.node_pools]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f'node_pools: two pools are named "{twice[0]}"; rename one')
        ranges = {
            f"network.{name}": network(name, getattr(self.network, name))
            for name in self.network.__struct_fields__
        }
        plane = "cluster.control_plane_cidr"
        refuse_overlaps(ranges | {plane: network(plane, self.cluster.control_plane_cidr)})


def network(key: str, cidr: str) -> ipaddress.IPv4Network:
    """The network that `cidr` writes; `ValueError` says what is wrong with it."""
    try:
        return ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def refuse_overlaps(ranges: dict[str, ipaddress.IPv4Network]) -> None:
    """`ValueError` names the first two ranges that share an address."""
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        if first.overlaps(second):
            raise ValueError(f"{one} {first} overlaps {other} {second}; move one of them")
