"""Settings: CPU, memory, GPUs and TPUs that a pod requests."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.accelerators import Gpu, Tpu
from infra.serving.quantity import Cpu, Memory, amount, cores_problem, memory_problem
from infra.serving.scalars import texts


class Amounts(Settings):
    """CPU and memory, as Kubernetes quantities."""

    cpu: Annotated[Cpu, Meta(description="Cores: `500m`, `2`.")]
    memory: Annotated[Memory, Meta(description="Bytes: `512Mi`, `2Gi`.")]

    def __post_init__(self) -> None:
        texts(self, "cpu", "memory")
        check_amounts(self.cpu, self.memory)


class Limits(Settings):
    """Upper bounds of CPU and memory, as Kubernetes quantities."""

    memory: Annotated[Memory, Meta(description="Bytes: `512Mi`, `2Gi`.")]
    cpu: Annotated[
        Cpu | None, Meta(description="Cores: `500m`, `2`. Default: as much as the node has free.")
    ] = None

    def __post_init__(self) -> None:
        texts(self, "cpu", "memory")
        check_amounts(self.cpu, self.memory)


class ContainerResources(Settings):
    """Requests and limits of a container without accelerators."""

    requests: Annotated[
        Amounts, Meta(description="Reserved on the node; CPU utilization is relative to it.")
    ]
    limits: Annotated[Limits, Meta(description="Upper bounds; exceeding memory kills the pod.")]

    def __post_init__(self) -> None:
        for kind in self.requests.__struct_fields__:
            request, limit = getattr(self.requests, kind), getattr(self.limits, kind)
            if limit is not None and amount(request) > amount(limit):
                raise ValueError(f"requests.{kind} {request} exceeds limits.{kind} {limit}")


class Resources(ContainerResources):
    """Requests and limits of a replica of a model."""

    gpu: Annotated[Gpu | None, Meta(description="GPUs; a node pool must have them.")] = None
    tpu: Annotated[Tpu | None, Meta(description="TPUs; a node pool must have them.")] = None

    def __post_init__(self) -> None:
        if self.gpu and self.tpu:
            raise ValueError("gpu and tpu: no machine has both; remove one")
        super().__post_init__()


def check_amounts(cpu: str | None, memory: str) -> None:
    """`ValueError` for cores and bytes of the right form that cannot be meant."""
    if cpu is not None and (problem := cores_problem(cpu)):
        raise ValueError(f"cpu: {problem}")
    if problem := memory_problem(memory):
        raise ValueError(f"memory: {problem}")
