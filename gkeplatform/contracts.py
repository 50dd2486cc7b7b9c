"""What a layer publishes for the layers after it, as types. Field name = output name.

A contract is published with values that are not known yet and read with values that are: the
publisher hands outputs to `publish`, the reader gets a checked instance with plain values before
it registers any resource. `gkeplatform.stack` does both; nothing else spells an output's name.
"""

from typing import ClassVar, Literal

import pulumi
from msgspec import field

from gkeplatform import layers
from gkeplatform.layers import Layer
from gkeplatform.struct import Frozen


class SecretText:
    """Text that must not be shown. It leaves this class only as a secret output."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def output(self) -> pulumi.Output[str]:
        """The text, secret for the engine and so in the state."""
        return pulumi.Output.secret(self._text)

    def __repr__(self) -> str:
        return "SecretText(…)"


class Part(Frozen):
    """A piece of a contract. Unknown fields are let pass: a publisher may be newer."""


class Contract(Part):
    """The base of the contracts. `layer` is who publishes it; it is not an output."""

    layer: ClassVar[Layer]


class InstanceGroup(Part):
    """The instances of one node pool in one zone."""

    pool: str
    zone: str
    url: str


class NodeTaint(Part):
    """What keeps pods off a pool's nodes, in Kubernetes' spelling."""

    key: str
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePool(Part):
    """A node pool as those see it who want to run something there. Amounts are a node's."""

    name: str
    zones: tuple[str, ...]
    machine_type: str
    min_nodes: int
    """In each zone."""
    max_nodes: int
    """In each zone."""
    cpu_millis: int | None = None
    """Thousandths of a core left to pods; None: the machine type is not in the catalogue."""
    memory_bytes: int | None = None
    """Memory left to pods; None as above."""
    accelerator: str = ""
    """GPU type; empty: none."""
    gpus: int = 0
    """What a pod sees as `nvidia.com/gpu`: whole ones, slices, or places where pods share."""
    tpu_topology: str = ""
    spot: bool = False
    flex_start: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[NodeTaint, ...] = ()
    """Those of the configuration; GKE adds `nvidia.com/gpu` to nodes with GPUs."""


class ClusterContract(Contract):
    """Published by `infra/cluster`; read by serving, networking and environment."""

    layer: ClassVar[Layer] = layers.CLUSTER

    name: str
    location: str
    zones: tuple[str, ...]
    kubeconfig: SecretText
    network: str
    """Self link of the VPC."""
    workload_pool: str
    node_pools: tuple[NodePool, ...]
    node_tag: str
    """Network tag that every node bears; firewall rules aim at it."""
    instance_groups: tuple[InstanceGroup, ...]


class NegBackend(Part, tag_field="kind", tag="network-endpoint-groups"):
    """Pods behind zonal network endpoint groups, which GKE makes and keeps."""

    name: str
    zones: tuple[str, ...]
    port: int


class InstanceGroupBackend(Part, tag_field="kind", tag="instance-groups"):
    """Pods behind a node port of every node."""

    node_port: int


class CanaryRoute(Part):
    """The second version of a model, which gets a share of the model's requests."""

    name: str
    """Of its objects and its backend service; callers and the server know the model's."""
    weight: int
    """Percent of the requests; the others are the model's own."""
    backend: NegBackend | InstanceGroupBackend
    mirror: int = 0
    """Percent of the requests that it gets a copy of; its answers are dropped."""


class RouteRetries(Part):
    """When a request is sent to another pod."""

    attempts: int
    conditions: tuple[str, ...]
    """As Google spells them, such as `gateway-error`."""
    attempt_seconds: int | None = None


class Route(Part):
    """What the load balancer needs to know of a model that it exposes."""

    hosts: tuple[str, ...]
    """Empty: every host."""
    paths: tuple[str, ...]
    """The model's own paths. Everything below a path, and its verbs, belong to the model too."""
    verbs: tuple[str, ...]
    """Verbs of the model server, such as `predict` in `<path>:predict`."""
    probe_path: str
    """A URL path of the model that answers 200 when it can serve."""
    backend: NegBackend | InstanceGroupBackend
    canary: CanaryRoute | None = None
    rewrites: dict[str, str] = field(default_factory=dict)
    """Of `paths`, the path that the server knows instead."""
    members: tuple[str, ...] = ()
    """Who comes through Identity-Aware Proxy; empty: it is not on, and everybody may call."""
    retries: RouteRetries | None = None
    timeout_seconds: int | None = None
    """For a response with all retries; None: the backend service's."""


class ServedModel(Part):
    """One model of the catalogue as it is served."""

    name: str
    namespace: str
    path: str
    """The URL path of the model's own status."""
    exposure: str
    url: str | None = None
    """Where it answers, when serving alone knows; None when the load balancer decides."""
    route: Route | None = None


class ServingContract(Contract):
    """Published by `infra/serving`; read by networking and environment."""

    layer: ClassVar[Layer] = layers.SERVING

    cluster: str
    """Name of the cluster that the models run in."""
    namespace: str
    models_bucket: str
    models: tuple[ServedModel, ...]


class RoutedModel(Part):
    """One model as the load balancer routes it."""

    name: str
    namespace: str
    url: str
    backend_service: str
    groups: tuple[str, ...]
    """Self links of the groups behind its backend services."""
    uses_iap: bool = False
    """Whether callers must sign in to Identity-Aware Proxy."""
    canary_service: str | None = None
    """The backend service of its second version; None where none answers callers."""


class DnsRecord(Part):
    """A record that must be in DNS for the domains to work."""

    name: str
    """With the last dot, as in a zone file."""
    type: str
    data: str


class NetworkingContract(Contract):
    """Published by `infra/networking`; read by environment."""

    layer: ClassVar[Layer] = layers.NETWORKING

    cluster: str
    """Name of the cluster whose groups stand behind the load balancer."""
    address: str
    url: str
    """Where the load balancer answers: `https://` and the domain, or `http://` and the address."""
    url_map: str
    static_bucket: str
    models: tuple[RoutedModel, ...]
    domain: str | None = None
    """The domain at which models without a host answer over HTTPS; None: HTTP, by address."""
    records: tuple[DnsRecord, ...] = ()
    """What must be in DNS, whether or not the layer keeps it."""
    name_servers: tuple[str, ...] = ()
    """Where the zone that the layer made must be delegated to."""


class ModelUrl(Part):
    """A model and where it answers."""

    name: str
    url: str


class EnvironmentSummary(Contract):
    """Published by `infra/environment`; read by people and by `platformctl`."""

    layer: ClassVar[Layer] = layers.ENVIRONMENT

    environment: str
    address: str
    url: str
    """Where the load balancer answers."""
    models: tuple[ModelUrl, ...]
