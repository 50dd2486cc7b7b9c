"""What a drill acts on: a model of a rehearsed environment, and what is around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli import workloads
from cli.drills.callers import Callers
from cli.drills.cluster import Cluster, Json, is_ready, path_of
from cli.drills.compute import Compute
from cli.drills.control import Control
from cli.drills.model_servers import ModelServers
from cli.drills.timeline import Timeline
from cli.drills.updates import Updates
from cli.errors import CliError
from cli.traffic.target import Target

_LOOK = 0.1
PATIENCE = 300.0
"""Seconds that a step may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The model, and what is reached of its surroundings."""

    environment: str
    model: str
    seconds: float
    """How long a state is observed: before the event, at each weight, and after all is back."""
    cluster: Cluster
    servers: ModelServers
    compute: Compute
    control: Control
    updates: Updates
    callers: Callers
    """The load's."""
    target_of: Callable[[Json, str], Target]
    """Where the model is called at another exposure, as the stack file writes it, with this URL."""
    address: str
    """The load balancer's, as Google Cloud has it."""
    backend: str
    """The backend service's name, as the load balancer has it."""
    timeline: Timeline

    @property
    def target(self) -> Target:
        """Where the load is sent."""
        return self.callers.target

    def workload(self) -> Json:
        """What runs the model, as it is now."""
        return self.cluster.workload(self.model)

    @property
    def namespace(self) -> str:
        """The namespace of the model's pods."""
        return str(self.workload()["metadata"]["namespace"])

    def pods(self) -> list[Json]:
        """The model's pods, those that end included."""
        workload = self.workload()
        labels = workloads.selector(workload)
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return self.cluster.pods(namespace=workload["metadata"]["namespace"], selector=selector)

    def ready_pods(self) -> list[Json]:
        """Those that are ready, leaders before their workers. Raises CliError without any."""
        found = [one for one in self.pods() if is_ready(one)]
        if not found:
            raise CliError(f"{self.model} has no ready pod", "kubectl get pods -A")
        return sorted(found, key=lambda one: str(one["metadata"]["name"]))

    def wait(self, what: str, holds: Callable[[], bool], *, patience: float = PATIENCE) -> float:
        """Wait until something holds; returns when. Raises CliError after `patience` seconds."""
        until = self.timeline.now + patience
        while not holds():
            if self.timeline.now > until:
                raise CliError(
                    f"{self.model}: after {patience:.0f} s {what} is not reached",
                    "kubectl get pods,events -A shows what it waits for",
                )
            self.timeline.sleep(_LOOK)
        return self.timeline.note(what)

    def wait_until_available(self, *, patience: float = PATIENCE) -> float:
        """Wait until every replica is available, and then until no former server drains."""

        def holds() -> bool:
            pods = self.pods()
            return workloads.is_over(self.workload()) and all(map(is_ready, pods))

        self.wait(f"all replicas of {self.model} are available", holds, patience=patience)
        if not self.servers.are_ending(self.model):
            return self.timeline.now
        return self.wait(
            "the former servers have ended", lambda: not self.servers.are_ending(self.model)
        )

    def pod_path(self, pod: Json) -> str:
        """The API path of a pod."""
        return path_of(pod, "pods")
