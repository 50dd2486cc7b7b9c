"""Settings: GPUs and TPUs of a replica, and how GKE labels the nodes that have them."""

from math import prod
from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import Manifest

GPU_RESOURCE, TPU_RESOURCE = "nvidia.com/gpu", "google.com/tpu"
GPU_LABEL = "cloud.google.com/gke-accelerator"
SHARING_LABEL = "cloud.google.com/gke-gpu-sharing-strategy"
CLIENTS_LABEL = "cloud.google.com/gke-max-shared-clients-per-gpu"
PARTITION_LABEL = "cloud.google.com/gke-gpu-partition-size"
TPU_LABEL = "cloud.google.com/gke-tpu-accelerator"
TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"

# https://docs.cloud.google.com/kubernetes-engine/docs/how-to/timesharing-gpus
_STRATEGY_LABELS = {"TIME_SHARING": "time-sharing", "MPS": "mps"}


class GpuSharing(Settings):
    """A share of a GPU in place of a whole one, from a node pool with the same `sharing`."""

    strategy: Annotated[
        Literal["TIME_SHARING", "MPS"],
        Meta(description="The node pool's strategy. MPS needs host IPC, which pods here lack."),
    ] = "TIME_SHARING"
    clients: Annotated[
        Annotated[int, Meta(ge=2, le=48)] | None,
        Meta(description="Maximum pods per GPU, as the pool has it. Default: any."),
    ] = None

    def __post_init__(self) -> None:
        # https://docs.cloud.google.com/kubernetes-engine/docs/how-to/nvidia-mps-gpus
        if self.strategy == "MPS":
            raise ValueError(
                "strategy: MPS needs hostIPC, which the restricted Pod Security Standard of the "
                "models' namespaces forbids; use TIME_SHARING, or a partition of a GPU"
            )


class Gpu(Settings):
    """GPUs of each replica: whole ones unless `sharing` or `partition` is set."""

    type: Annotated[
        str,
        Meta(
            description="GPU type as GCP spells it, for example `nvidia-l4`. Only a model with a "
            "`compute_class` has none: it takes those of the class."
        ),
    ] = ""
    count: Annotated[int, Meta(ge=1, le=16, description="GPUs per replica.")] = 1
    sharing: Annotated[
        GpuSharing | None, Meta(description="A share of a GPU. Default: not shared.")
    ] = None
    partition: Annotated[
        Annotated[str, Meta(pattern=r"^\d+g\.\d+gb$")] | None,
        Meta(description="A Multi-Instance GPU partition of this size: `1g.5gb`."),
    ] = None

    def __post_init__(self) -> None:
        # GKE's device plugin rejects a pod with more than one share, and CUDA uses one partition.
        if self.count > 1 and self.part:
            raise ValueError(
                f"count {self.count}: a pod can have one {self.part} only; set count: 1, or remove "
                f"{'sharing' if self.sharing else 'partition'} to get whole GPUs"
            )

    @property
    def part(self) -> str:
        """What it asks for in place of whole GPUs; empty if it asks for whole ones."""
        if self.sharing:
            return f"{self.sharing.strategy} share" + (
                f" of a {self.partition} partition" if self.partition else ""
            )
        return f"{self.partition} partition" if self.partition else ""

    @property
    def selector(self) -> dict[str, str]:
        """Labels of the nodes that have such GPUs."""
        labels = {GPU_LABEL: self.type}
        if self.partition:
            labels[PARTITION_LABEL] = self.partition
        if self.sharing:
            labels[SHARING_LABEL] = _STRATEGY_LABELS[self.sharing.strategy]
            if self.sharing.clients:
                labels[CLIENTS_LABEL] = str(self.sharing.clients)
        return labels

    @property
    def affinity(self) -> Manifest:
        """Node affinity that keeps the pod off GPUs that are shared or partitioned otherwise."""
        absent = [
            label
            for label, wanted in ((SHARING_LABEL, self.sharing), (PARTITION_LABEL, self.partition))
            if wanted is None
        ]
        if not absent:
            return {}
        terms = [{"key": label, "operator": "DoesNotExist"} for label in absent]
        required = {"nodeSelectorTerms": [{"matchExpressions": terms}]}
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


class Tpu(Settings):
    """The TPU chips of a replica: a slice of one node, or with `hosts` of as many nodes."""

    type: Annotated[
        str, Meta(description="TPU type as GKE labels nodes, for example `tpu-v6e-slice`.")
    ]
    topology: Annotated[
        str,
        Meta(pattern=r"^\d+x\d+(x\d+)?$", description="Topology of the slice, for example `2x2`."),
    ]
    chips: Annotated[
        int | None, Meta(description="Chips per replica. Default: all of the topology.")
    ] = None

    def __post_init__(self) -> None:
        if self.chips is not None and self.chips != self.total:
            raise ValueError(
                f"chips {self.chips}: a slice of {self.topology} has {self.total} chips, and a "
                f"pod gets all of them; set {self.total}, or another topology"
            )

    @property
    def total(self) -> int:
        """Chips of the slice."""
        return prod(int(side) for side in self.topology.split("x"))

    @property
    def selector(self) -> dict[str, str]:
        """Labels of the nodes that have such a slice."""
        return {TPU_LABEL: self.type, TOPOLOGY_LABEL: self.topology}
