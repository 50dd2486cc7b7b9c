"""How the HTTP load balancer treats a model's requests on their way: what an entry says of it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings, suggestion

Seconds = Annotated[int, Meta(ge=1, le=3600)]
Condition = Literal["5xx", "gateway-error", "connect-failure", "refused-stream", "retriable-4xx"]


class Retries(Settings):
    """Asks another pod where one fails. Predictions may be asked twice; not everything may."""

    attempts: Annotated[int, Meta(ge=1, le=25, description="Further attempts at most.")] = 1
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(min_length=1, description="What counts as a failure; `gateway-error`: 502 to 504."),
    ] = ("connect-failure", "gateway-error", "refused-stream")
    attempt_seconds: Annotated[
        Seconds | None,
        Meta(description="How long one attempt may take; none: as long as all of them."),
    ] = None

    def __post_init__(self) -> None:
        if twice := [one for one in self.conditions if self.conditions.count(one) > 1]:
            raise ValueError(f"conditions lists {twice[0]} twice; once is enough")


def check(
    paths: Iterable[str],
    rewrites: Mapping[str, str],
    retries: Retries | None,
    timeout_seconds: int | None,
) -> None:
    """Refuses rewrites of what is not claimed, and an attempt that outlasts the request."""
    known = tuple(paths)
    for path in rewrites:
        if path not in known:
            raise ValueError(f"rewrites: {path} is none of paths; {suggestion(path, known)}")
    attempt = retries.attempt_seconds if retries else None
    if attempt is not None and timeout_seconds is not None and attempt > timeout_seconds:
        raise ValueError(
            f"retries.attempt_seconds {attempt} exceeds timeout_seconds {timeout_seconds}, in "
            "which all attempts must end"
        )
