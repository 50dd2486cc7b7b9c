"""The contracts between layers: what each layer publishes, as types. A field is an output.

The publisher passes outputs to `publish`; the reader gets a checked instance with plain values,
before it registers any resource. `gkeplatform.stack` does both; no other code names an output.
"""

import hashlib
import re
from typing import TYPE_CHECKING, ClassVar, Literal

from msgspec import field

from gkeplatform import layers
from gkeplatform.layers import Layer
from gkeplatform.struct import Frozen

if TYPE_CHECKING:
    import pulumi

COMPUTE_CLASS = "cloud.google.com/compute-class"
"""Label and taint of the nodes of a compute class, and label by which pods select it."""
_AUTHORITY = re.compile(r"certificate-authority-data[\"']?:\s*[\"']?([A-Za-z0-9+/=]+)")


class SecretText:
    """Secret text. It leaves this class only as a secret output."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def output(self) -> "pulumi.Output[str]":
        """The text as a secret output, encrypted in the state."""
        import pulumi  # noqa: PLC0415 (the command line reads contracts without the SDK)

        return pulumi.Output.secret(self._text)

    def authority_digest(self) -> str:
        """A digest of the certificate authority in a kubeconfig, which is no secret; else empty."""
        found = _AUTHORITY.search(self._text)
        return hashlib.sha256(found[1].encode()).hexdigest()[:8] if found else ""

    def __repr__(self) -> str:
        return "SecretText(…)"


class Part(Frozen):
    """A part of a contract. Unknown fields are accepted: the publisher may be newer."""


class Contract(Part):
    """The base of the contracts. `layer` is the publisher; it is not an output."""

    layer: ClassVar[Layer]


class InstanceGroup(Part):
    """The instance group of one node pool in one zone."""

    pool: str
    zone: str
    url: str


class NodeTaint(Part):
    """A taint of a pool's nodes, as Kubernetes spells it."""

    key: str
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePool(Part):
    """A node pool, for scheduling. Amounts are per node."""

    name: str
    zones: tuple[str, ...]
    machine_type: str
    min_nodes: int
    """Per zone."""
    max_nodes: int
    """Per zone."""
    max_total: int | None = None
    """In all zones together; None: `max_nodes` in each."""
    cpu_millis: int | None = None
    """Allocatable CPU in millicores; None for an unknown machine type."""
    memory_bytes: int | None = None
    """Allocatable memory; None for an unknown machine type."""
    ephemeral_bytes: int | None = None
    """Allocatable ephemeral storage; None if the publisher does not know it."""
    accelerator: str = ""
    """GPU type; empty without GPUs."""
    gpus: int = 0
    """Allocatable `nvidia.com/gpu`: whole GPUs, partitions, or shares of them."""
    gpu_sharing: str = ""
    """GPU sharing strategy, `TIME_SHARING` or `MPS`; empty if pods do not share GPUs."""
    gpu_clients: int = 0
    """Maximum pods per shared GPU."""
    gpu_partition: str = ""
    """Partition size, such as `1g.5gb`; empty for whole GPUs."""
    tpu: str = ""
    """TPU type as GKE labels nodes, such as `tpu-v6e-slice`; empty without TPUs."""
    tpus: int = 0
    """Allocatable `google.com/tpu`: chips of one node."""
    tpu_topology: str = ""
    """Topology of the slice, which may span nodes; empty without TPUs."""
    compact: bool = False
    """Whether its nodes are close to each other, in one zone."""
    spot: bool = False
    flex_start: bool = False
    queued: bool = False
    """Its nodes are created by a ProvisioningRequest only."""
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[NodeTaint, ...] = ()
    """The configured ones; GKE adds `nvidia.com/gpu` and `google.com/tpu`."""
    fixed: dict[str, str] = field(default_factory=dict)
    """Settings that Google cannot change in place, by key; empty if the publisher does not say
    them."""

    @property
    def compute_class(self) -> str:
        """The compute class that its nodes belong to; empty if to none."""
        return self.labels.get(COMPUTE_CLASS, "")


class CreatedPool(Part):
    """A choice of a compute class that GKE creates node pools for."""

    priority: int
    """Its place among the class's priorities, from 0."""
    nodes: NodePool
    """What such a pool has. Its name, `class/priority`, is none of a node pool."""
    gpu_driver: str = ""
    """Driver version that GKE installs; empty without GPUs."""
    reservation: str = ""
    zones: tuple[str, ...] = ()
    """Empty for those of the cluster."""
    disk_size_gb: int = 100
    disk_type: str = "pd-balanced"
    local_ssds: int = 0
    max_run_seconds: int | None = None
    """A node ends after this time."""


class ComputeClass(Part):
    """A compute class: nodes in the order of preference, for pods that select it."""

    name: str
    priorities: tuple[tuple[str, ...], ...]
    """Names of node pools; those of one choice are equal. Empty for a choice in `created`."""
    active_migration: bool = True
    """Whether pods return to a preferred choice once it has nodes again."""
    created: tuple[CreatedPool, ...] = ()
    account: str = ""
    """Email of the service account of nodes that GKE creates; empty without such choices."""


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
    """Network tag of every node, the target of firewall rules."""
    instance_groups: tuple[InstanceGroup, ...]
    managed_prometheus: bool = True
    """Whether the cluster collects what PodMonitorings select."""
    gpu_metrics: bool = False
    """Whether GKE collects the metrics of GPUs (DCGM); false if the publisher does not say it."""
    filestore_csi_driver: bool = False
    """Whether claims of Filestore's classes get volumes; false if the publisher omits it."""
    nodes_cidr: str = ""
    """Primary range of the subnet. The ranges are empty if the publisher does not say them."""
    pods_cidr: str = ""
    services_cidr: str = ""
    control_plane_cidr: str = ""
    proxies_cidr: str = ""
    """Range of the proxy-only subnet; empty without one."""
    version: str = ""
    """Version of the control plane, `1.36.3-gke.1237000`; empty if the publisher omits it."""
    compute_classes: tuple[ComputeClass, ...] = ()

    @property
    def all_nodes(self) -> tuple[NodePool, ...]:
        """The node pools, and the nodes that GKE may create pools for."""
        made = (one.nodes for class_ in self.compute_classes for one in class_.created)
        return (*self.node_pools, *made)

    @property
    def generation(self) -> str:
        """Differs between a cluster and one that replaced it under the same name.

        A digest of the certificate authority: each cluster has its own. Rotating a cluster's
        credentials changes it too. Empty where the kubeconfig has none.
        """
        return self.kubeconfig.authority_digest()


class NegBackend(Part, tag_field="kind", tag="network-endpoint-groups"):
    """Pods behind zonal network endpoint groups, which GKE manages."""

    name: str
    zones: tuple[str, ...]
    port: int


class InstanceGroupBackend(Part, tag_field="kind", tag="instance-groups"):
    """Pods behind a node port of every node."""

    node_port: int


class CanaryRoute(Part):
    """The second version of a model, which gets a share of its requests."""

    name: str
    """Name of its objects and backend service; callers and the server use the model's name."""
    weight: int
    """Percent of the requests."""
    backend: NegBackend | InstanceGroupBackend
    mirror: int = 0
    """Percent of the requests that are mirrored to it; its responses are dropped."""


class RouteRetries(Part):
    """Retries of failed requests."""

    attempts: int
    conditions: tuple[str, ...]
    """Retry conditions of the URL map, such as `gateway-error`."""
    attempt_seconds: int | None = None


class RouteTest(Part):
    """A test of a model's route, which the URL map carries."""

    host: str
    """Empty: any host."""
    path: str
    model: str | None = None
    """The model that gets the request; None for the default backend."""
    forwarded: str | None = None
    """The path that the model's server gets; None: any."""


class Route(Part):
    """How the load balancer exposes a model."""

    hosts: tuple[str, ...]
    """Empty means every host."""
    paths: tuple[str, ...]
    """The model's own paths. Everything below a path, and its verbs, belong to the model too."""
    verbs: tuple[str, ...]
    """Verbs of the model server, such as `predict` in `<path>:predict`."""
    backend: NegBackend | InstanceGroupBackend
    probe_path: str | None = None
    """Path of the health check, which answers 200 when the model can serve.

    None: the health check is gRPC's.
    """
    probe_port: int | None = None
    """Port of the health check; None: the backend's."""
    protocol: Literal["http", "http2", "grpc"] = "http"
    """What the pods speak; HTTP/2 and gRPC without TLS."""
    takes_free_text: bool = False
    """Whether requests contain prompts, code or documents, which look like attacks to a WAF."""
    canary: CanaryRoute | None = None
    rewrites: dict[str, str] = field(default_factory=dict)
    """Of `paths`, the path that the server knows instead."""
    members: tuple[str, ...] = ()
    """Principals that Identity-Aware Proxy admits; empty for the networking layer's default."""
    retries: RouteRetries | None = None
    timeout_seconds: int | None = None
    """Timeout with all retries; None for the backend service's."""
    get_paths: tuple[str, ...] = ()
    """Paths of the server that answer a GET with 200 while it serves the model, the best first.

    Empty for gRPC, and for a model that may have no replicas.
    """
    drain_seconds: int = 0
    """How long a pod that stops keeps serving; its backend service drains at least as long."""
    tests: tuple[RouteTest, ...] = ()
    """Tests of its entry."""


class TokenMetrics(Part):
    """Where Managed Service for Prometheus has what a language model's server measures."""

    server: Literal["vllm"]
    """Whose names the metrics have."""
    jobs: tuple[str, ...]
    """Names of the PodMonitorings: the model's, then its canary's."""
    gpus: int = 0
    """GPUs of one replica, over all its hosts."""
    pools: tuple[str, ...] = ()
    """Node pools that its pods may run on."""
    hosts: int = 1
    """Pods of one replica."""
    max_loras: int = 0
    """LoRA adapters that one pod has in a batch at most; 0 if it takes none."""


class ServedModel(Part):
    """One model of the catalog."""

    name: str
    namespace: str
    path: str
    """URL path of the model's status."""
    exposure: str
    url: str | None = None
    """Its URL; None where the networking layer decides it."""
    route: Route | None = None
    address: str = ""
    """Address of its own front end; empty where its URL or the networking layer has it."""
    hosts: tuple[str, ...] = ()
    """Host names whose DNS records must name `address`."""
    tokens: TokenMetrics | None = None
    """None for a model that produces no tokens, or whose metrics are not collected."""
    ports: dict[str, int] = field(default_factory=dict)
    """Ports of its server by name; empty if the publisher does not say them."""
    kinds: dict[str, str] | None = None
    """Kinds of its pods' volumes, probes, hooks and variables, by place, without the usual ones;
    None if the publisher does not say them."""


class DomainProof(Part):
    """A record that must be in DNS before Google issues a certificate for a domain."""

    domain: str
    name: str
    """With the trailing dot."""
    type: str
    data: str


class OwnObject(Part):
    """A Kubernetes object of one version of a model, as the engine knows it."""

    type: str
    """Type token, such as `kubernetes:apps/v1:Deployment`."""
    name: str
    """Logical name."""
    owner: str
    """Type token of its component, which has the name of the version."""


class Outlasting(Part):
    """What stays of a version that has left the catalogue, and what that needs around it."""

    name: str
    objects: tuple[OwnObject, ...]
    is_guarded: bool = False
    """Whether callers reach it by a gateway that asks for keys."""
    group_port: str = ""
    """Of a version on several hosts, the name of the port that callers use; empty for others."""


class Disk(Part):
    """A persistent volume, or those of the instances of a Postgres cluster."""

    kind: Literal["files", "postgres"]
    """What it is of: the files that the replicas of a model share, or a Postgres cluster."""
    owner: str
    """Name of the version of a model, or of the cluster."""
    namespace: str
    size: str
    storage_class: str


class LockedLog(Part):
    """A log bucket whose retention nobody can change any more."""

    bucket: str
    location: str
    retention_days: int


class ServingContract(Contract):
    """Published by `infra/serving`; read by networking and environment."""

    layer: ClassVar[Layer] = layers.SERVING

    cluster: str
    """Name of the models' cluster."""
    namespace: str
    models_bucket: str
    models: tuple[ServedModel, ...]
    generation: str = ""
    """Generation of the cluster; empty if the publisher did not know it."""
    kept: tuple[str, ...] = ()
    """Versions of models with a former way, or with pods that have left the catalogue, which the
    load balancer used then. The next deployment after networking's removes it."""
    outlasts: tuple[Outlasting, ...] = ()
    """Versions of models that can stay for a while after they left the catalogue."""
    disks: tuple[Disk, ...] = ()
    """Persistent volumes; none if the publisher does not say them."""
    locked_logs: tuple[LockedLog, ...] = ()
    """Log buckets that were locked once; they stay, also without callers."""
    proofs: tuple[DomainProof, ...] = ()
    """Of the hosts that have a front end and certificates of their own."""


class RoutedVersion(Part):
    """What the load balancer sends requests to: a model, or its canary."""

    name: str
    namespace: str
    backend: NegBackend | InstanceGroupBackend
    cluster: str = ""
    """Generation of the cluster; empty if the publisher did not know it."""
    service: str = ""
    """Physical name of its backend service; empty if the publisher did not say it."""


class RoutedModel(Part):
    """One model behind the load balancer."""

    name: str
    namespace: str
    url: str
    backend_service: str
    groups: tuple[str, ...]
    """Self links of the groups behind its backend services."""
    check_url: str | None = None
    """URL that answers a GET with 200 while the model is served; None if none is routed."""
    uses_iap: bool = False
    """Whether callers must sign in to Identity-Aware Proxy."""
    canary_service: str | None = None
    """Backend service of its canary; None without one, or if it only gets mirrored requests."""
    versions: tuple[RoutedVersion, ...] = ()
    """What is behind its backend services. Empty: deployed by a program that did not say it."""


class DnsRecord(Part):
    """A record that must be in DNS."""

    name: str
    """With the trailing dot."""
    type: str
    data: str


class ServedCertificate(Part):
    """A classic certificate of the load balancer's target proxy."""

    name: str
    """In the stack file."""
    resource: str
    """Its resource's name in the program."""
    physical: str
    """In Google Cloud."""
    domains: tuple[str, ...]
    is_managed: bool
    """Whether Google issues it."""


class NetworkingContract(Contract):
    """Published by `infra/networking`; read by environment."""

    layer: ClassVar[Layer] = layers.NETWORKING

    cluster: str
    """Name of the cluster behind the load balancer."""
    address: str
    url: str
    """URL of the load balancer: `https://` and the domain, or `http://` and the address."""
    url_map: str
    static_bucket: str
    models: tuple[RoutedModel, ...]
    domain: str | None = None
    """Domain of models without hosts; None without HTTPS."""
    records: tuple[DnsRecord, ...] = ()
    """Required DNS records, whether or not the layer manages them."""
    name_servers: tuple[str, ...] = ()
    """Name servers of the layer's own zone, for delegation."""
    certificates: tuple[ServedCertificate, ...] = ()
    """Those of the target proxy; none where a certificate map has them."""
    issuing: tuple[str, ...] = ()
    """Ids of certificates of which Google must issue each before its former one is removed."""
    mapped: tuple[str, ...] = ()
    """Domains that a certificate map serves; none without a map, or if the publisher does not say
    it."""


class ModelUrl(Part):
    """A model and its URL."""

    name: str
    url: str
    address: str = ""
    """Address of its own front end, where the URL has a host; else empty."""


class EnvironmentSummary(Contract):
    """Published by `infra/environment`; read by users and by `platformctl`."""

    layer: ClassVar[Layer] = layers.ENVIRONMENT

    environment: str
    address: str
    url: str
    """URL of the load balancer."""
    models: tuple[ModelUrl, ...]
