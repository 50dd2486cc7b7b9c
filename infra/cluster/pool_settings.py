"""What a stack file says of a node pool: one of `gke-cluster:node_pools`."""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.cluster.addresses import Zone
from infra.cluster.encryption_settings import KmsKey


class Sharing(Settings):
    """How several pods share one GPU."""

    strategy: Annotated[
        Literal["TIME_SHARING", "MPS"], Meta(description="In turns, or side by side by CUDA's MPS.")
    ] = "TIME_SHARING"
    clients: Annotated[int, Meta(ge=2, le=48, description="Pods that may share one GPU.")] = 2


class Accelerator(Settings):
    """GPUs of each node of a pool."""

    type: Annotated[str, Meta(description="GPU type as GCP spells it, for example `nvidia-l4`.")]
    count: Annotated[int, Meta(ge=1, le=16, description="GPUs a node.")] = 1
    driver: Annotated[
        Literal["default", "latest"], Meta(description="Version of the driver that GKE installs.")
    ] = "default"
    partition: Annotated[
        Annotated[str, Meta(pattern=r"^\d+g\.\d+gb$")] | None,
        Meta(description="Size of a slice of a GPU that can be divided: `1g.5gb`."),
    ] = None
    sharing: Annotated[
        Sharing | None, Meta(description="How pods share a GPU; none: each has its own.")
    ] = None


class Taint(Settings):
    """Keeps pods off a pool's nodes, save those that tolerate it."""

    key: Annotated[str, Meta(min_length=1, description="Key of the taint.")]
    value: Annotated[str, Meta(description="Value of the taint.")] = "true"
    effect: Annotated[
        Literal["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"],
        Meta(description="What happens to pods that do not tolerate it."),
    ] = "NO_SCHEDULE"


class BlueGreen(Settings):
    """An upgrade that makes all new nodes beside the old ones, and can go back."""

    batch_percent: Annotated[
        int, Meta(ge=1, le=100, description="Share of the old nodes that is drained at a time.")
    ] = 34
    batch_soak_seconds: Annotated[
        int, Meta(ge=0, description="Pause after each batch, in seconds.")
    ] = 60
    pool_soak_seconds: Annotated[
        int, Meta(ge=0, le=604800, description="Time to go back before the old nodes go, seconds.")
    ] = 3600


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
    flex_start: Annotated[
        bool,
        Meta(description="Nodes of Dynamic Workload Scheduler, which come when there are some."),
    ] = False
    queued: Annotated[
        bool, Meta(description="Nodes come by ProvisioningRequest alone, all at once.")
    ] = False
    reservation: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Name of the reservation that the nodes use."),
    ] = None
    tpu_topology: Annotated[
        Annotated[str, Meta(pattern=r"^\d+x\d+(x\d+)?$")] | None,
        Meta(description="Topology of a slice of TPUs over several nodes: `2x4`."),
    ] = None
    local_ssd_count: Annotated[
        int, Meta(ge=0, le=32, description="Local SSDs for pods' ephemeral storage.")
    ] = 0
    image_streaming: Annotated[
        bool, Meta(description="Begin to run images before they are fetched whole.")
    ] = True
    boot_disk_kms_key: Annotated[
        KmsKey | None,
        Meta(description="Key of Cloud KMS that encrypts the boot disks; none: Google's."),
    ] = None
    max_pods_per_node: Annotated[
        int, Meta(ge=8, le=256, description="Pods a node at most; sizes the node's address range.")
    ] = 110
    zones: Annotated[
        tuple[Zone, ...], Meta(description="Zones of the pool, of the cluster's; none: all.")
    ] = ()
    labels: Annotated[
        dict[str, str], Meta(description="Kubernetes labels of the pool's nodes.")
    ] = field(default_factory=dict)
    taints: Annotated[tuple[Taint, ...], Meta(description="Taints of the pool's nodes.")] = ()
    blue_green: Annotated[
        BlueGreen | None,
        Meta(description="Upgrade all nodes at once, beside the old; none: by turns."),
    ] = None
    max_surge: Annotated[
        int, Meta(ge=0, description="Extra nodes an upgrade may use at a time.")
    ] = 1
    max_unavailable: Annotated[
        int, Meta(ge=0, description="Nodes an upgrade may take away at a time.")
    ] = 0

    @property
    def is_scarce(self) -> bool:
        """Whether nodes come when there are some, and none is kept."""
        return self.flex_start or self.queued

    def __post_init__(self) -> None:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes {self.min_nodes} exceeds max_nodes {self.max_nodes}")
        ways = [name for name in ("spot", "flex_start", "reservation") if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"{ways[1]}: a pool with {ways[0]} cannot have it; choose one of them")
        if self.queued and not (self.flex_start or self.accelerator or self.tpu_topology):
            raise ValueError("queued: nodes are queued for accelerators alone; set accelerator")
        if self.queued and self.reservation:
            raise ValueError(
                "reservation: queued nodes are of no reservation; leave one of them out"
            )
        if self.is_scarce and self.min_nodes:
            raise ValueError(
                f"min_nodes {self.min_nodes}: nodes that come when there are some cannot be kept; "
                "set 0"
            )
        if self.tpu_topology and not self.machine_type.startswith(("ct", "tpu")):
            raise ValueError(
                f"tpu_topology: {self.machine_type} has no TPUs; choose a machine type that does, "
                "such as ct5lp-hightpu-4t"
            )
        if self.max_surge + self.max_unavailable == 0:
            raise ValueError("max_surge and max_unavailable are both 0: no node could be upgraded")
