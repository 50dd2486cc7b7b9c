"""What a replica asks of its node, as an entry says it."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.quantity import Quantity, amount


class Amounts(Settings):
    """CPU and memory, as Kubernetes quantities."""

    cpu: Annotated[Quantity, Meta(description="Cores: `500m`, `2`.")]
    memory: Annotated[Quantity, Meta(description="Bytes: `512Mi`, `2Gi`.")]


class Gpu(Settings):
    """GPUs of each replica, whole ones."""

    type: Annotated[str, Meta(description="GPU type as GCP spells it, for example `nvidia-l4`.")]
    count: Annotated[int, Meta(ge=1, le=16, description="GPUs a replica.")] = 1


class Resources(Settings):
    """What a replica asks for, and what it may use."""

    requests: Annotated[
        Amounts, Meta(description="Reserved on the node; CPU autoscaling counts in it.")
    ]
    limits: Annotated[Amounts, Meta(description="At most; more memory ends the container.")]
    gpu: Annotated[Gpu | None, Meta(description="GPUs, of a node pool that has them.")] = None

    def __post_init__(self) -> None:
        for kind in self.requests.__struct_fields__:
            asked, allowed = getattr(self.requests, kind), getattr(self.limits, kind)
            if amount(asked) > amount(allowed):
                raise ValueError(f"requests.{kind} {asked} exceeds limits.{kind} {allowed}")
