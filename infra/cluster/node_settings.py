"""Settings of nodes, of a declared node pool as of one that GKE creates for a compute class."""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings
from infra.cluster.addresses import Zone


class Gpus(Settings):
    """GPUs of each node."""

    type: Annotated[str, Meta(description="Accelerator type, such as `nvidia-l4`.")]
    count: Annotated[int, Meta(ge=1, le=16, description="GPUs per node.")] = 1
    driver: Annotated[
        Literal["default", "latest"], Meta(description="Driver version that GKE installs.")
    ] = "default"


class Nodes(Settings):
    """The virtual machines of a pool, however it is made."""

    machine_type: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)+$",
            description="Machine type. Another one recreates the nodes of a declared pool "
            "(rolling).",
        ),
    ]
    accelerator: Annotated[Gpus | None, Meta(description="GPUs per node.")] = None
    spot: Annotated[
        bool, Meta(description="Spot VMs: cheaper, preempted at 30 seconds' notice.")
    ] = False
    flex_start: Annotated[
        bool, Meta(description="Flex-start nodes, created when capacity is available.")
    ] = False
    reservation: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Name of a reservation of the project, which the nodes use."),
    ] = None
    zones: Annotated[
        tuple[Zone, ...], Meta(description="Zones, among the cluster's. Empty uses all.")
    ] = ()
    disk_size_gb: Annotated[int, Meta(ge=20, description="Boot disk size, in GB.")] = 100
    disk_type: Annotated[
        Literal["pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"],
        Meta(description="Boot disk type."),
    ] = "pd-balanced"
    local_ssd_count: Annotated[
        int, Meta(ge=0, le=32, description="Local SSDs per node, for ephemeral storage.")
    ] = 0

    @property
    def may_have_tpus(self) -> bool:
        """Whether the machine type is of a series with TPUs."""
        return self.machine_type.startswith(("ct", "tpu"))

    def __post_init__(self) -> None:
        options = [name for name in ("spot", "flex_start", "reservation") if getattr(self, name)]
        if len(options) > 1:
            raise ValueError(
                f"{options[1]} and {options[0]} exclude each other; choose one of them"
            )
