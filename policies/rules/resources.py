"""Rules about containers' resource requests and limits."""

import re
from collections.abc import Iterator

from policies.pods import PODS, Pod, describe, pod
from policies.rule import kubernetes_docs, mandatory
from policies.values import block, comparable_text

_SIZES = {
    "requests": {"cpu": "500m", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
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
