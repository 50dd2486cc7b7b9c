"""What a stack file says about the networking layer (namespace `gke-networking`).

Which model answers where is not said here: that comes with the serving layer's contract.
"""

from typing import Annotated

from msgspec import Meta

from gkeplatform.buckets import BucketArgs
from gkeplatform.config import Settings


class BackendArgs(Settings):
    """What holds for the backend service of every model."""

    timeout_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="How long a response may take.")
    ] = 30
    draining_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="How long requests under way may finish.")
    ] = 30
    max_rate: Annotated[
        int, Meta(ge=1, description="Requests per second that one pod, or one node, is given.")
    ] = 100
    log_sample_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of the requests that is logged, 0 to 1.")
    ] = 1.0


class ProbeArgs(Settings):
    """How the load balancer asks a model whether it can serve."""

    interval_seconds: Annotated[int, Meta(ge=1, le=300, description="Time between probes.")] = 10
    timeout_seconds: Annotated[int, Meta(ge=1, le=300, description="Time for the answer.")] = 5
    healthy_after: Annotated[int, Meta(ge=1, le=10, description="Answers until healthy.")] = 2
    unhealthy_after: Annotated[int, Meta(ge=1, le=10, description="Failures until not.")] = 3

    def __post_init__(self) -> None:
        if self.timeout_seconds > self.interval_seconds:
            raise ValueError(
                f"timeout_seconds {self.timeout_seconds} exceeds interval_seconds "
                f"{self.interval_seconds}"
            )


class StaticFilesArgs(BucketArgs):
    """The bucket that answers what no model answers."""

    cdn: Annotated[bool, Meta(description="Let Cloud CDN cache the files.")] = True
    public: Annotated[
        bool, Meta(description="Let everybody read the files; a bucket that serves must.")
    ] = False


class NetworkingConfig(Settings):
    """The networking layer of one environment."""

    backends: Annotated[BackendArgs, Meta(description="Every model's backend service.")] = (
        BackendArgs()
    )
    probes: Annotated[ProbeArgs, Meta(description="Every model's health check.")] = ProbeArgs()
    static_files: Annotated[StaticFilesArgs, Meta(description="The default backend.")] = (
        StaticFilesArgs()
    )
    neg_wait_seconds: Annotated[
        int,
        Meta(ge=0, le=1800, description="How long GKE may take to make endpoint groups."),
    ] = 180
