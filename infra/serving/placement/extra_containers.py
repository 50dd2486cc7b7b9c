"""What the further containers of a pod add to its requests.

Kubernetes reserves the larger of two sums: everything that runs beside the server, and each init
container with the native sidecars that started before it.
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.serving.manifest import Manifest
from infra.serving.models.pod_settings import PodSettings
from infra.serving.quantity import amount, millis

Amounts = tuple[int, int, int]
"""CPU in thousandths of a core, memory and ephemeral storage in bytes."""
_NONE: Amounts = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class ExtraAmounts:
    """Requests of the containers that an entry adds."""

    running: Amounts
    """Beside the server: containers and native sidecars."""
    starting: Amounts
    """Before the server: the largest of the init containers, with the sidecars before it."""


def amounts(settings: PodSettings, sidecars: Sequence[Manifest] = ()) -> ExtraAmounts:
    """The requests of the further containers of a pod; `sidecars` are the platform's own."""
    running, starting = _NONE, _NONE
    for container in (*sidecars, *settings.init_containers):
        together = _sum(running, _requests(container))
        starting = _largest(starting, together)
        if container.get("restartPolicy") == "Always":
            running = together
    for container in settings.containers:
        running = _sum(running, _requests(container))
    return ExtraAmounts(running, starting)


def _requests(container: Manifest) -> Amounts:
    requests = container["resources"]["requests"]
    disk = requests.get("ephemeral-storage", "0")
    return millis(requests["cpu"]), int(amount(requests["memory"])), int(amount(disk))


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _largest(one: Amounts, other: Amounts) -> Amounts:
    return max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2])
