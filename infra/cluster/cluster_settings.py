"""What a stack file says of the GKE cluster itself: `gke-cluster:cluster`."""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.cluster.addresses import Cidr, Zone, network
from infra.cluster.backup_settings import Backup
from infra.cluster.encryption_settings import SecretsEncryption
from infra.cluster.maintenance_settings import Maintenance


class AuthorizedNetwork(Settings):
    """A network from which the cluster's API server may be reached."""

    name: Annotated[str, Meta(min_length=1, description="What the network is, for people.")]
    cidr: Annotated[Cidr, Meta(description="Its range.")]

    def __post_init__(self) -> None:
        network("cidr", self.cidr)


class AutoProvisioning(Settings):
    """Node pools that GKE makes for pods that fit no other, up to these limits."""

    cpu: Annotated[int, Meta(ge=1, description="Cores of all nodes of the cluster at most.")]
    memory_gb: Annotated[int, Meta(ge=1, description="GB of memory of all nodes at most.")]
    gpus: Annotated[
        dict[str, Annotated[int, Meta(ge=1)]],
        Meta(description="GPUs at most, by type: `nvidia-l4: 4`."),
    ] = field(default_factory=dict)


class Notifications(Settings):
    """What the cluster tells a topic of Pub/Sub about itself."""

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
        Meta(min_length=1, description="What is told."),
    ] = ("UPGRADE_AVAILABLE_EVENT", "UPGRADE_EVENT", "SECURITY_BULLETIN_EVENT")
    retain_days: Annotated[
        Annotated[int, Meta(ge=1, le=31)],
        Meta(description="Days that the topic keeps what was told, for who subscribes later."),
    ] = 7


class ClusterArgs(Settings):
    """The GKE cluster: VPC-native, with private nodes and workload identity."""

    zones: Annotated[
        tuple[Zone, ...],
        Meta(min_length=1, description="Zones of the nodes, all of them in `gcp:region`."),
    ]
    control_plane_cidr: Annotated[
        Cidr, Meta(description="Range of the control plane's private endpoint, a /28.")
    ]
    control_plane_zone: Annotated[
        Zone | None,
        Meta(description="The one zone of the control plane; none: it is in all of the region."),
    ] = None
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
    security_group: Annotated[
        Annotated[str, Meta(pattern=r"^gke-security-groups@[a-z0-9.-]+$")] | None,
        Meta(description="Google Group whose members' groups RBAC knows; none: it knows none."),
    ] = None
    maintenance: Annotated[
        Maintenance | None, Meta(description="When it is upgraded; none: whenever GKE likes.")
    ] = None
    secrets_encryption: Annotated[
        SecretsEncryption | None,
        Meta(description="Key of Cloud KMS for the cluster's Secrets; none: Google's alone."),
    ] = None
    backup: Annotated[
        Backup | None, Meta(description="Backups of all that it holds; none: none are made.")
    ] = None
    notifications: Annotated[
        Notifications | None,
        Meta(description="Tell a topic of upgrades and security bulletins; none: nobody is told."),
    ] = None
    binary_authorization: Annotated[
        bool, Meta(description="Admit images by the project's policy of Binary Authorization.")
    ] = False
    security_posture: Annotated[
        bool, Meta(description="Look for weaknesses in the configuration of workloads.")
    ] = True
    vulnerability_scanning: Annotated[
        bool, Meta(description="Scan the images of running workloads.")
    ] = False
    intranode_visibility: Annotated[
        bool, Meta(description="Let the network see traffic between pods of one node.")
    ] = False
    cost_allocation: Annotated[bool, Meta(description="Split the bill by namespace and label.")] = (
        True
    )
    dns_cache: Annotated[bool, Meta(description="Cache DNS answers on each node.")] = True
    internal_load_balancer_subsetting: Annotated[
        bool,
        Meta(description="Let internal load balancers lead to the nodes that they need alone."),
    ] = True
    managed_prometheus: Annotated[
        bool, Meta(description="Collect metrics by Google's managed Prometheus.")
    ] = True
    gateway_api: Annotated[
        bool, Meta(description="Bring the Gateway API, for models of `kind: gateway`.")
    ] = True
    logs: Annotated[
        tuple[
            Literal[
                "SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"
            ],
            ...,
        ],
        Meta(description="Whose logs are collected."),
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
        Meta(description="Whose metrics are collected."),
    ] = ("SYSTEM_COMPONENTS", "HPA", "POD", "DEPLOYMENT", "CADVISOR", "KUBELET")
    auto_provisioning: Annotated[
        AutoProvisioning | None, Meta(description="Node pools that make themselves; none: none do.")
    ] = None
    deletion_protection: Annotated[
        bool, Meta(description="Refuse to delete the cluster until this is set to false.")
    ] = True

    def __post_init__(self) -> None:
        if network("control_plane_cidr", self.control_plane_cidr).prefixlen != 28:
            raise ValueError(f"control_plane_cidr {self.control_plane_cidr} is not a /28")
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones names a zone twice: {', '.join(self.zones)}")
        if self.private_endpoint and not self.authorized_networks:
            raise ValueError(
                "private_endpoint: nobody but the nodes would reach the API server; list the "
                "networks that may in authorized_networks"
            )
