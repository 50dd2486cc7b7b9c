"""Settings: disruption budget, rolling updates and spread of a model's replicas."""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings

Pods = Annotated[int, Meta(ge=0)]
Spreading = Literal["required", "preferred", "off"]


class Disruption(Settings):
    """Budget for voluntary disruptions: exactly one of the two keys."""

    min_available: Annotated[
        int | None, Meta(description="Replicas that stay; less than replicas.min.")
    ] = None
    max_unavailable: Annotated[
        int | None, Meta(description="Replicas that may be evicted at a time.")
    ] = None

    def __post_init__(self) -> None:
        if (self.min_available is None) == (self.max_unavailable is None):
            raise ValueError("set either min_available or max_unavailable")
        if (self.max_unavailable or 0) < 1 and self.min_available is None:
            raise ValueError(
                f"max_unavailable {self.max_unavailable} lets no node be drained; set at least 1"
            )
        if self.min_available is not None and self.min_available < 1:
            raise ValueError(f"min_available {self.min_available} protects nothing; set at least 1")


class Rollout(Settings):
    """A rolling update: its pods, and how long the engine waits for them."""

    max_surge: Annotated[
        Pods | None, Meta(description="Pods above the replicas. Default: 1 if GPUs allow, else 0.")
    ] = None
    max_unavailable: Annotated[
        Pods | None, Meta(description="Pods below the replicas. Default: 0 with a surge, else 1.")
    ] = None
    timeout_seconds: Annotated[
        Annotated[int, Meta(ge=10)] | None,
        Meta(
            description="Time after which an update fails that is not complete; the pods stay as "
            "they are. Default: what all pods need, one after the other.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise ValueError("max_surge and max_unavailable are both 0: no pod could be replaced")


class Spread(Settings):
    """Topology spread of the replicas over zones and nodes."""

    zones: Annotated[Spreading, Meta(description="Over the zones that have usable nodes.")] = (
        "required"
    )
    nodes: Annotated[Spreading, Meta(description="Over the nodes.")] = "preferred"
    max_skew: Annotated[
        int, Meta(ge=1, le=10, description="Largest difference in replicas between two domains.")
    ] = 1
