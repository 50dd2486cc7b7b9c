"""Configuration of a node pool: an entry of `gke-cluster:node_pools`."""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.cluster.encryption_settings import KmsKey
from infra.cluster.node_settings import Gpus, Nodes


class Sharing(Settings):
    """GPU sharing between pods."""

    strategy: Annotated[
        Literal["TIME_SHARING", "MPS"], Meta(description="Time-sharing, or NVIDIA MPS.")
    ] = "TIME_SHARING"
    clients: Annotated[int, Meta(ge=2, le=48, description="Maximum pods per GPU.")] = 2


class Accelerator(Gpus):
    """GPUs of a node pool, and how pods share them."""

    partition: Annotated[
        Annotated[str, Meta(pattern=r"^\d+g\.\d+gb$")] | None,
        Meta(description="Multi-Instance GPU partition size: `1g.5gb`."),
    ] = None
    sharing: Annotated[
        Sharing | None, Meta(description="GPU sharing. Default: one pod per GPU.")
    ] = None


class Taint(Settings):
    """A taint of the pool's nodes."""

    key: Annotated[str, Meta(min_length=1, description="Key of the taint.")]
    value: Annotated[str, Meta(description="Value of the taint.")] = "true"
    effect: Annotated[
        Literal["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"],
        Meta(description="Effect on pods that do not tolerate it."),
    ] = "NO_SCHEDULE"


class BlueGreen(Settings):
    """A blue-green upgrade: all new nodes beside the old ones, with rollback."""

    batch_percent: Annotated[
        int, Meta(ge=1, le=100, description="Percentage of the old nodes to drain per batch.")
    ] = 34
    batch_soak_seconds: Annotated[
        int, Meta(ge=0, description="Soak time after each batch, in seconds.")
    ] = 60
    pool_soak_seconds: Annotated[
        int,
        Meta(
            ge=0, le=604800, description="Soak time before the old nodes are deleted, in seconds."
        ),
    ] = 3600


class NodePoolArgs(Nodes, kw_only=True):
    """A node pool. Sizes are node counts per zone."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]([-a-z0-9]{0,13}[a-z0-9])?$",
            description="Name of the pool. Changing it creates a new pool.",
        ),
    ]
    max_nodes: Annotated[
        int, Meta(ge=1, le=1000, description="Maximum nodes per zone; limits the cost.")
    ]
    min_nodes: Annotated[int, Meta(ge=0, description="Minimum nodes per zone, also when idle.")] = 0
    accelerator: Annotated[Accelerator | None, Meta(description="GPUs per node.")] = None
    queued: Annotated[
        bool,
        Meta(description="Queued provisioning: nodes only by ProvisioningRequest, all at once."),
    ] = False
    tpu_topology: Annotated[
        Annotated[str, Meta(pattern=r"^\d+x\d+(x\d+)?$")] | None,
        Meta(description="Topology of a TPU slice of several nodes: `2x4`."),
    ] = None
    compact: Annotated[
        bool,
        Meta(description="Compact placement: nodes close to each other, in one zone."),
    ] = False
    image_streaming: Annotated[bool, Meta(description="Image streaming.")] = True
    boot_disk_kms_key: Annotated[
        KmsKey | None,
        Meta(description="Cloud KMS key of the boot disks. Default: a Google-managed key."),
    ] = None
    boot_disk_kms_grant: Annotated[
        bool,
        Meta(
            description="Grant Compute Engine the use of `boot_disk_kms_key`; false if it has been "
            "granted elsewhere."
        ),
    ] = True
    max_pods_per_node: Annotated[
        int, Meta(ge=8, le=256, description="Maximum pods per node; sets the node's pod range.")
    ] = 110
    labels: Annotated[dict[str, str], Meta(description="Kubernetes labels of the nodes.")] = field(
        default_factory=dict
    )
    taints: Annotated[tuple[Taint, ...], Meta(description="Taints of the nodes.")] = ()
    blue_green: Annotated[
        BlueGreen | None,
        Meta(description="Blue-green upgrades. Default: surge upgrades."),
    ] = None
    max_surge: Annotated[int, Meta(ge=0, description="Extra nodes during an upgrade.")] = 1
    max_unavailable: Annotated[
        int, Meta(ge=0, description="Unavailable nodes during an upgrade.")
    ] = 0

    @property
    def is_scarce(self) -> bool:
        """Whether nodes are created only when capacity is available, and none are kept."""
        return self.flex_start or self.queued

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"min_nodes {self.min_nodes} exceeds max_nodes {self.max_nodes}")
        if self.queued and not (self.flex_start or self.accelerator or self.tpu_topology):
            raise ValueError("queued: only for pools with accelerators; set accelerator")
        if self.queued and self.reservation:
            raise ValueError(
                "reservation: queued nodes cannot use a reservation; remove one of them"
            )
        if self.is_scarce and self.min_nodes:
            raise ValueError(
                f"min_nodes {self.min_nodes}: flex-start and queued nodes cannot be kept; set 0"
            )
        if self.tpu_topology and not self.may_have_tpus:
            raise ValueError(
                f"tpu_topology: {self.machine_type} has no TPUs; choose a machine type that does, "
                "such as ct5lp-hightpu-4t"
            )
        if self.boot_disk_kms_key is None and not self.boot_disk_kms_grant:
            raise ValueError("boot_disk_kms_grant applies only to boot_disk_kms_key; remove it")
        if self.compact and self.tpu_topology:
            raise ValueError("compact: the nodes of a TPU slice are always close; remove compact")
        if self.max_surge + self.max_unavailable == 0:
            raise ValueError("max_surge and max_unavailable are both 0: no node could be upgraded")
