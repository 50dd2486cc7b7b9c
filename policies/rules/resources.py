"""Rules about containers' resource requests and limits."""

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta

from facts.quantity import amount
from gkeplatform.config import Settings
from policies.pods import PODS, Pod, describe, pod
from policies.rule import advisory, kubernetes_docs, mandatory
from policies.values import MalformedInputError, block, comparable_text

_SIZES = {
    "requests": {"cpu": "500m", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
_amount = lru_cache(maxsize=1024)(amount)
_ZERO = re.compile(r"^[+-]?0*\.?0*[A-Za-z]*$")


@mandatory(
    PODS,
    layer="serving",
    severity="high",
    why="The scheduler and the autoscaler need requests; without a memory limit, a leak in one pod "
    "can evict the node's other pods.",
    fix="set the model's resources (gke-serving:models[].resources)",
    references=(
        kubernetes_docs(
            "Resource management", "concepts/configuration/manage-resources-containers/"
        ),
    ),
    passing=pod(container={"resources": _SIZES}),
    failing=pod(container={"resources": {"requests": {"cpu": "500m"}}}),
)
def containers_state_requests_and_limits(pod: Pod) -> Iterator[str]:
    """Every container requests CPU and memory and limits its memory."""
    for container in pod.containers(ephemeral=False):
        limits = block(container, "resources", "limits")
        # The request defaults to the limit.
        requests = limits | block(container, "resources", "requests")
        for kind, stated, key in (
            ("requests", requests, "cpu"),
            ("requests", requests, "memory"),
            ("limits", limits, "memory"),
        ):
            value = stated.get(key)
            if value is None or _ZERO.match(comparable_text(value)):
                yield f"{describe(container)} does not set resources.{kind}.{key}"


def _bytes(quantity: Any) -> Fraction:
    try:
        return _amount(comparable_text(quantity))
    except ValueError:
        raise MalformedInputError(f"{quantity!r} is not a quantity") from None


class MemoryOvercommit(Settings):
    """How far a memory limit may be above its request."""

    times: Annotated[
        Annotated[float, Meta(ge=1)], Meta(description="Largest ratio of limit to request.")
    ] = 4.0


@advisory(
    PODS,
    layer="serving",
    severity="medium",
    why="Memory above the request is not reserved: when pods use it together, the node runs out "
    "and the kernel kills containers.",
    fix="raise the request towards the limit (gke-serving:models[].resources)",
    references=(
        kubernetes_docs(
            "Resource management", "concepts/configuration/manage-resources-containers/"
        ),
    ),
    passing=pod(container={"resources": _SIZES}),
    failing=pod(
        container={"resources": {"requests": {"memory": "128Mi"}, "limits": {"memory": "8Gi"}}}
    ),
)
def memory_limits_are_near_requests(pod: Pod, given: MemoryOvercommit) -> Iterator[str]:
    """A container's memory limit is not far above its request."""
    for container in pod.containers(ephemeral=False):
        limit = block(container, "resources", "limits").get("memory")
        request = block(container, "resources", "requests").get("memory")
        if limit is None or request is None:
            continue
        least, most = _bytes(request), _bytes(limit)
        if least is most:
            continue  # the same text, as in most containers
        if least > 0 and most / least > given.times:
            yield (
                f"{describe(container)} may use {limit} of memory, "
                f"{round(most / least)} times its request {request}"
            )
