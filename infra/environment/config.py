"""What a stack file says about the environment as a whole (namespace `gke-platform`)."""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings


class UptimeCheckArgs(Settings):
    """The check that asks the load balancer's address from outside."""

    model: Annotated[
        str | None,
        Meta(description="Model that is asked; none: the first that answers on every host."),
    ] = None
    period_seconds: Annotated[
        Literal[60, 300, 600, 900], Meta(description="Time between two checks.")
    ] = 60
    timeout_seconds: Annotated[int, Meta(ge=1, le=60, description="Time for the answer.")] = 10


class EnvironmentConfig(Settings):
    """The environment layer of one environment."""

    uptime_check: Annotated[UptimeCheckArgs, Meta(description="Check of the address.")] = (
        UptimeCheckArgs()
    )
