"""Settings: CPU, memory, GPUs and TPUs that a pod requests."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.accelerators import Gpu, Tpu
from infra.serving.quantity import Quantity, amount


class Amounts(Settings):
    """CPU and memory, as Kubernetes quantities."""

    cpu: Annotated[Quantity, Meta(description="Cores: `500m`, `2`.")]
    memory: Annotated[Quantity, Meta(description="Bytes: `512Mi`, `2Gi`.")]


class Resources(Settings):
    """Requests and limits of a replica."""

    requests: Annotated[
        Amounts, Meta(description="Reserved on the node; CPU utilization is relative to it.")
    ]
    limits: Annotated[Amounts, Meta(description="Upper bounds; exceeding memory kills the pod.")]
    gpu: Annotated[Gpu | None, Meta(description="GPUs; a node pool must have them.")] = None
    tpu: Annotated[Tpu | None, Meta(description="TPUs; a node pool must have them.")] = None

    def __post_init__(self) -> None:
        if self.gpu and self.tpu:
            raise ValueError("gpu and tpu: no machine has both; remove one")
        for kind in self.requests.__struct_fields__:
            request, limit = getattr(self.requests, kind), getattr(self.limits, kind)
            if amount(request) > amount(limit):
                raise ValueError(f"requests.{kind} {request} exceeds limits.{kind} {limit}")
