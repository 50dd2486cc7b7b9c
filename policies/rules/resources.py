"""Rules about what containers ask of their nodes."""

import re
from collections.abc import Iterator

from policies.pods import PODS, Pod, named, pod
from policies.rule import kubernetes_docs, mandatory
from policies.values import block, spelt

_SIZES = {
    "requests": {"cpu": "500m", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
_ZERO = re.compile(r"^[+-]?0*\.?0*[A-Za-z]*$")


@mandatory(
    PODS,
    layer="serving",
    severity="high",
    why="The scheduler and the autoscaler count requests: without them pods land anywhere, "
    "scale never, and one leak of memory takes the node's other pods with it.",
    fix="state the model's resources (gke-serving:models[].resources)",
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
        # Kubernetes takes a limit for the request where only the limit is stated.
        requests = limits | block(container, "resources", "requests")
        for kind, stated, key in (
            ("requests", requests, "cpu"),
            ("requests", requests, "memory"),
            ("limits", limits, "memory"),
        ):
            value = stated.get(key)
            if value is None or _ZERO.match(spelt(value)):
                yield f"{named(container)} states no resources.{kind}.{key}"
