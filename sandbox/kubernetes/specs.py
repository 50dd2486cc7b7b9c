"""Data types shared by the emulated container API and this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

POD_CIDR = "10.8.0.0/14"
SERVICE_CIDR = "34.118.224.0/20"  # GKE's default range for Services


class ControlPlaneError(Exception):
    """A control plane could not be started, reached or stopped. The message is one line."""


@dataclass(frozen=True, slots=True, order=True)
class ClusterKey:
    """Identifies a GKE cluster of the sandbox."""

    project: str
    location: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}.{self.location}.{self.name}"

    @classmethod
    def parse(cls, text: str) -> ClusterKey:
        """Parse the result of `str`. Only a project (domain-scoped) may contain dots."""
        project, location, name = text.rsplit(".", 2)
        return cls(project, location, name)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and CA certificate of a cluster's API server."""

    address: str
    """host:port, as in `Cluster.endpoint` of the emulated container API."""
    ca_certificate: str
    """Base64-encoded PEM, as in `masterAuth.clusterCaCertificate`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node of a node pool. Amounts are Kubernetes quantities."""

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
    """Allocatable to pods. Default: the whole capacity."""
    allocatable_memory: str | None = None
    allocatable_ephemeral_storage: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    """{"key", "value", "effect"}, with Kubernetes' effect names (NoSchedule)."""
    accelerators: int = 0
    """GPUs, offered to pods as nvidia.com/gpu."""
    tpus: int = 0
    """TPU chips, offered to pods as google.com/tpu."""
    internal_ip: str = "127.0.0.1"
    pod_cidr: str | None = None
    """Default: the next free /24 of the cluster's pod range."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScalingGroup:
    """One managed instance group of an autoscaled node pool."""

    path: str
    """Path without the project: zones/Z/instanceGroupManagers/NAME."""
    zone: str
    size: int
    last_node: str
    """The node removed when the group shrinks by one; empty if the group is empty."""
    template: NodeSpec
    """The next node of the group."""
    step: int = 1
    """Nodes that are added or removed at once: all of a TPU slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingPool:
    """An autoscaled node pool."""

    name: str
    groups: tuple[ScalingGroup, ...]
    min: int
    max: int
    is_total: bool
    """Whether the limits are for the whole pool rather than per zone."""
    is_auto: bool = False
    """Whether the pool is auto-provisioned and so deleted when empty."""
    exists: bool = True
    """False for one that could be created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRule:
    """A rule of a compute class that pools may be created for."""

    class_name: str
    rule: Mapping[str, Any]
    """As the class has it, with the defaults of its rules."""
    nodes: Mapping[str, Any]
    """The class's `nodePoolConfig`."""


class Provisioner(Protocol):
    """Auto-provisions node pools. What it cannot do now is retried at the next iteration."""

    def candidates(self, rules: Sequence[ClassRule]) -> Sequence[ScalingPool]:
        """Return the pools that could be created, for these rules and for pods of no class."""

    def make(self, name: str) -> None:
        """Start creating one of them."""

    def drop(self, name: str) -> None:
        """Start deleting an empty one."""
