"""Settings: retries of failed requests by the HTTP load balancer."""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.patterns import duplicate

Seconds = Annotated[int, Meta(ge=1, le=3600)]
Condition = Literal["5xx", "gateway-error", "connect-failure", "refused-stream", "retriable-4xx"]


class Retries(Settings):
    """Retries a failed request at another pod; for requests that are safe to repeat."""

    attempts: Annotated[int, Meta(ge=1, le=25, description="Maximum number of retries.")] = 1
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(min_length=1, description="Failures to retry; `gateway-error`: 502 to 504."),
    ] = ("connect-failure", "gateway-error", "refused-stream")
    attempt_seconds: Annotated[
        Seconds | None,
        Meta(description="Timeout of one attempt. Default: the timeout of the whole request."),
    ] = None

    def __post_init__(self) -> None:
        if twice := duplicate(self.conditions):
            raise ValueError(f"conditions lists {twice} twice; once is enough")
