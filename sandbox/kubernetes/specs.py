"""The words that the emulated container API and this package have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

POD_CIDR = "10.8.0.0/14"
SERVICE_CIDR = "34.118.224.0/20"  # what GKE takes where nobody names a range


class ControlPlaneError(Exception):
    """A control plane could not be brought up, reached or ended; the message is one line."""


@dataclass(frozen=True, slots=True, order=True)
class ClusterKey:
    """Names one GKE cluster of the sandbox."""

    project: str
    location: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}.{self.location}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> ClusterKey:
        """Read what `str` wrote. A project may bear a domain and a dot; the other two have none."""
        project, location, name = text.rsplit(".", 2)
        return cls(project, location, name)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a cluster's API server answers."""

    address: str
    """host:port, as `Cluster.endpoint` of the container API shows it here."""
    ca_certificate: str
    """PEM in base64, as `masterAuth.clusterCaCertificate` holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node, as its node pool and machine type make it. Amounts are Kubernetes quantities."""

    name: str
    """Also the name of the compute instance."""
    zone: str
    region: str
    machine_type: str
    cpu: str
    memory: str
    ephemeral_storage: str = "98831908Ki"
    pods: int = 110
    allocatable_cpu: str | None = None
    """What is left to pods; without it all of the capacity."""
    allocatable_memory: str | None = None
    allocatable_ephemeral_storage: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    """{"key", "value", "effect"}, the effect spelled as Kubernetes does (NoSchedule)."""
    accelerators: int = 0
    """GPUs, offered to pods as nvidia.com/gpu."""
    tpus: int = 0
    """TPU chips, offered to pods as google.com/tpu."""
    internal_ip: str = "127.0.0.1"
    pod_cidr: str | None = None
    """Without it the node gets the next free /24 of the cluster's pod range."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScalingGroup:
    """One managed instance group of a node pool that autoscales."""

    path: str
    """Below the project: zones/Z/instanceGroupManagers/NAME."""
    zone: str
    size: int
    last_node: str
    """The node that goes when the group shrinks by one; empty in an empty group."""
    template: NodeSpec
    """What its next node will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPool:
    """A node pool that autoscales."""

    name: str
    groups: tuple[ScalingGroup, ...]
    min: int
    max: int
    is_total: bool
    """Whether the limits are those of the whole pool, and not of each zone."""
    is_auto: bool = False
    """Whether it was made for pods that fitted no other, and goes when it is empty."""


class Provisioner(Protocol):
    """Makes pools for pods that fit none. What it cannot do now, it leaves to the next look."""

    def candidates(self) -> Sequence[ScalingPool]:
        """Pools that could be made."""

    def make(self, name: str) -> None:
        """Begin to make one of them."""

    def drop(self, name: str) -> None:
        """Begin to take an empty one away."""
