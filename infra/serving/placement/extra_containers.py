"""What the further containers of a pod add to its requests.

Kubernetes reserves the larger of two sums: everything that runs beside the server, and each init
container with the native sidecars that started before it.
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
"""

from dataclasses import dataclass

from infra.serving.manifest import Manifest
from infra.serving.models.pod_settings import PodSettings
from infra.serving.quantity import amount, millis

Amounts = tuple[int, int]
"""CPU in thousandths of a core, and memory in bytes."""


@dataclass(frozen=True, slots=True)
class ExtraAmounts:
    """Requests of the containers that an entry adds."""

    running: Amounts
    """Beside the server: containers and native sidecars."""
    starting: Amounts
    """Before the server: the largest of the init containers, with the sidecars before it."""


def amounts(settings: PodSettings) -> ExtraAmounts:
    """The requests of the further containers of a pod."""
    cpu = memory = 0
    largest_cpu = largest_memory = 0
    for container in settings.init_containers:
        own_cpu, own_memory = _requests(container)
        largest_cpu = max(largest_cpu, cpu + own_cpu)
        largest_memory = max(largest_memory, memory + own_memory)
        if container.get("restartPolicy") == "Always":
            cpu, memory = cpu + own_cpu, memory + own_memory
    for container in settings.containers:
        own_cpu, own_memory = _requests(container)
        cpu, memory = cpu + own_cpu, memory + own_memory
    return ExtraAmounts((cpu, memory), (largest_cpu, largest_memory))


def _requests(container: Manifest) -> Amounts:
    requests = container["resources"]["requests"]
    return millis(requests["cpu"]), int(amount(requests["memory"]))
