"""Settings: teams and their quotas; and the specs of a team's ResourceQuota and LimitRange."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import Manifest
from infra.serving.patterns import RESERVED_NAMESPACES, Name
from infra.serving.quantity import Cpu, Memory
from infra.serving.resources import Amounts, check_amounts
from infra.serving.scalars import texts


class Quota(Settings):
    """What a team's pods may request in total."""

    cpu: Annotated[Cpu, Meta(description="Cores.")]
    memory: Annotated[Memory, Meta(description="Bytes.")]
    gpus: Annotated[int, Meta(ge=0, description="GPUs.")] = 0
    pods: Annotated[int, Meta(ge=1, description="Pods.")] = 100

    def __post_init__(self) -> None:
        texts(self, "cpu", "memory")
        check_amounts(self.cpu, self.memory)


class Team(Settings):
    """One team: a namespace with a quota, limits and network policies."""

    name: Annotated[Name, Meta(description="Name of the team and of its namespace.")]
    quota: Annotated[Quota, Meta(description="What its pods may request in total.")]
    container_default: Annotated[
        Amounts,
        Meta(description="CPU and memory requests, and memory limit, of containers that set none."),
    ] = Amounts(cpu="250m", memory="256Mi")
    max_container_limits: Annotated[
        Amounts | None, Meta(description="The largest limits that a container may set.")
    ] = None
    container_most: Annotated[
        Amounts | None, Meta(description="Deprecated name of `max_container_limits`.")
    ] = None
    callers: Annotated[
        tuple[Name, ...],
        Meta(description="Other namespaces whose pods may call the team's models."),
    ] = ()

    def __post_init__(self) -> None:
        if self.name.startswith(RESERVED_NAMESPACES):
            raise ValueError(f'name "{self.name}" is reserved for the cluster; choose another')
        if self.max_container_limits and self.container_most:
            raise ValueError(
                "container_most is the old name of max_container_limits; remove container_most"
            )

    @property
    def largest_limits(self) -> Amounts | None:
        """`max_container_limits`, by its new or its old name."""
        return self.max_container_limits or self.container_most


def deprecations(teams: Sequence[Team]) -> list[str]:
    """A warning for each deprecated key."""
    return [
        f"gke-serving:teams[{index}].container_most is now called max_container_limits; rename "
        "it, the old name goes with the next release"
        for index, team in enumerate(teams)
        if team.container_most
    ]


def resource_quota(team: Team) -> Manifest:
    """The spec of the ResourceQuota."""
    return {
        "hard": {
            "requests.cpu": team.quota.cpu,
            "requests.memory": team.quota.memory,
            "requests.nvidia.com/gpu": str(team.quota.gpus),
            "pods": str(team.quota.pods),
        }
    }


def limit_range(team: Team) -> Manifest:
    """The spec of the LimitRange. Without defaults, the quota refuses pods without requests.

    There is no default limit of CPU: it would be below the requests of models without one.
    """
    default = team.container_default
    limit: Manifest = {
        "type": "Container",
        "default": {"memory": default.memory},
        "defaultRequest": {"cpu": default.cpu, "memory": default.memory},
    }
    if largest := team.largest_limits:
        limit["max"] = {"cpu": largest.cpu, "memory": largest.memory}
    return {"limits": [limit]}
