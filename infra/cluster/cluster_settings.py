"""Configuration of the GKE cluster: `gke-cluster:cluster`."""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.cluster.addresses import Cidr, Zone, network
from infra.cluster.backup_settings import Backup
from infra.cluster.encryption_settings import SecretsEncryption
from infra.cluster.maintenance_settings import Maintenance


class AuthorizedNetwork(Settings):
    """A network that may reach the cluster's API server."""

    name: Annotated[str, Meta(min_length=1, description="Display name of the network.")]
    cidr: Annotated[Cidr, Meta(description="CIDR range of the network.")]

    def __post_init__(self) -> None:
        network("cidr", self.cidr)


class AutoProvisioning(Settings):
    """Limits of the node pools that GKE adds for pods that fit no other pool."""

    cpu: Annotated[int, Meta(ge=1, description="Maximum cores of all nodes of the cluster.")]
    memory_gb: Annotated[int, Meta(ge=1, description="Maximum GB of memory of all nodes.")]
    gpus: Annotated[
        dict[str, Annotated[int, Meta(ge=1)]],
        Meta(description="Maximum GPUs by type: `nvidia-l4: 4`."),
    ] = field(default_factory=dict)


class Notifications(Settings):
    """Cluster notifications, published to a Pub/Sub topic."""

    events: Annotated[
        tuple[
            Literal[
                "UPGRADE_AVAILABLE_EVENT",
                "UPGRADE_EVENT",
                "SECURITY_BULLETIN_EVENT",
                "UPGRADE_INFO_EVENT",
            ],
            ...,
        ],
        Meta(min_length=1, description="Types of events to publish."),
    ] = ("UPGRADE_AVAILABLE_EVENT", "UPGRADE_EVENT", "SECURITY_BULLETIN_EVENT")
    retain_days: Annotated[
        Annotated[int, Meta(ge=1, le=31)],
        Meta(description="Message retention of the topic, in days."),
    ] = 7


class ClusterArgs(Settings):
    """The GKE cluster: VPC-native, with private nodes and workload identity."""

    zones: Annotated[
        tuple[Zone, ...],
        Meta(min_length=1, description="Zones of the nodes, in `gcp:region`."),
    ]
    control_plane_cidr: Annotated[Cidr, Meta(description="CIDR range of the control plane, a /28.")]
    control_plane_zone: Annotated[
        Zone | None,
        Meta(description="Zone of a zonal control plane. Default: a regional one."),
    ] = None
    release_channel: Annotated[
        Literal["rapid", "regular", "stable", "extended"],
        Meta(description="Release channel of the control plane and the nodes."),
    ] = "regular"
    private_endpoint: Annotated[
        bool, Meta(description="Whether the API server has only a private address.")
    ] = False
    authorized_networks: Annotated[
        tuple[AuthorizedNetwork, ...],
        Meta(description="Networks that may reach the API server. Empty allows all."),
    ] = ()
    security_group: Annotated[
        Annotated[str, Meta(pattern=r"^(gke-security-groups@[a-z0-9.-]+)?$")] | None,
        Meta(
            description='Google Groups for RBAC: the parent group. `""` turns it off; without the '
            "key a cluster keeps its group."
        ),
    ] = None
    maintenance: Annotated[
        Maintenance | None,
        Meta(description="Maintenance window. Default: none, upgrades at any time."),
    ] = None
    secrets_encryption: Annotated[
        SecretsEncryption | None,
        Meta(description="Encryption of Secrets with a Cloud KMS key. Default: off."),
    ] = None
    backup: Annotated[Backup | None, Meta(description="Backup for GKE. Default: no backups.")] = (
        None
    )
    notifications: Annotated[
        Notifications | None,
        Meta(description="Publish upgrades and security bulletins to a topic. Default: off."),
    ] = None
    binary_authorization: Annotated[
        bool, Meta(description="Enforce the project's Binary Authorization policy.")
    ] = False
    security_posture: Annotated[
        bool, Meta(description="Scan workload configuration for security issues.")
    ] = True
    vulnerability_scanning: Annotated[
        bool, Meta(description="Scan the images of running workloads.")
    ] = False
    intranode_visibility: Annotated[
        bool, Meta(description="Make traffic between pods of one node visible to the VPC.")
    ] = False
    cost_allocation: Annotated[
        bool, Meta(description="Break down costs by namespace and label.")
    ] = True
    dns_cache: Annotated[bool, Meta(description="NodeLocal DNSCache.")] = True
    internal_load_balancer_subsetting: Annotated[
        bool,
        Meta(description="Subsetting of the nodes behind internal load balancers."),
    ] = True
    managed_prometheus: Annotated[
        bool, Meta(description="Google Cloud Managed Service for Prometheus.")
    ] = True
    gateway_api: Annotated[
        bool, Meta(description="Gateway API, for models of `kind: gateway`.")
    ] = True
    secret_sync: Annotated[
        bool,
        Meta(description="Copy secrets of Secret Manager into Secrets, for models that read them."),
    ] = False
    filestore_csi_driver: Annotated[
        bool,
        Meta(description="Filestore CSI driver, for models with `files: {via: cache}`."),
    ] = False
    logs: Annotated[
        tuple[
            Literal[
                "SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"
            ],
            ...,
        ],
        Meta(description="Components whose logs are collected."),
    ] = ("SYSTEM_COMPONENTS", "WORKLOADS")
    metrics: Annotated[
        tuple[
            Literal[
                "SYSTEM_COMPONENTS",
                "APISERVER",
                "SCHEDULER",
                "CONTROLLER_MANAGER",
                "STORAGE",
                "HPA",
                "POD",
                "DAEMONSET",
                "DEPLOYMENT",
                "STATEFULSET",
                "CADVISOR",
                "KUBELET",
                "DCGM",
            ],
            ...,
        ],
        Meta(
            description="Components whose metrics are collected; `DCGM` is GPUs, and needs "
            "`managed_prometheus`."
        ),
    ] = ("SYSTEM_COMPONENTS", "HPA", "POD", "DEPLOYMENT", "CADVISOR", "KUBELET", "DCGM")
    auto_provisioning: Annotated[
        AutoProvisioning | None, Meta(description="Node auto-provisioning. Default: off.")
    ] = None
    deletion_protection: Annotated[
        bool, Meta(description="Refuse to delete the cluster while true.")
    ] = True

    @property
    def collects_gpu_metrics(self) -> bool:
        """Whether GKE installs NVIDIA's DCGM exporter on GPU nodes, and collects from it.

        From GKE 1.30.1-gke.1204000 on, on nodes whose driver GKE installs, which all pools have:
        https://docs.cloud.google.com/kubernetes-engine/docs/how-to/dcgm-metrics.
        """
        return "DCGM" in self.metrics

    def __post_init__(self) -> None:
        if network("control_plane_cidr", self.control_plane_cidr).prefixlen != 28:
            raise ValueError(f"control_plane_cidr {self.control_plane_cidr} is not a /28")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones lists a zone twice: {', '.join(self.zones)}")
        if self.private_endpoint and not self.authorized_networks:
            raise ValueError(
                "private_endpoint: only the nodes could reach the API server; list the networks "
                "that may reach it in authorized_networks"
            )
        # https://docs.cloud.google.com/kubernetes-engine/docs/how-to/dcgm-metrics: a requirement.
        if "DCGM" in self.metrics and not self.managed_prometheus:
            raise ValueError(
                "metrics: DCGM is collected by Managed Service for Prometheus, which is off, so "
                "that nothing of the GPUs would be measured; set managed_prometheus: true, or list "
                "metrics without DCGM"
            )
