"""Rules about workloads that go beyond pod security: resources, images, probes."""

import re
from collections.abc import Iterator

from policies.pods import LONG_RUNNING_PODS, PODS, Pod, deployment, named, pod
from policies.rule import google, kubernetes_docs, mandatory
from policies.values import block, text

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
            if value is None or _ZERO.match(str(value)):
                yield f"{named(container)} states no resources.{kind}.{key}"


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="A tag that moves makes two pods of one Deployment run different programs, and a "
    "rollback run neither.",
    fix="name a version or a digest (gke-serving:models[].image)",
    references=(
        kubernetes_docs("Images", "concepts/containers/images/"),
        google("Image tags and digests", "kubernetes-engine/docs/concepts/about-container-images"),
    ),
    passing=pod(container={"image": "registry.example:5000/server:2.19.1"}),
    failing=pod(container={"image": "registry.example:5000/server"}),
)
def images_name_a_version(pod: Pod) -> Iterator[str]:
    """Every image is named by a digest or by a tag other than `latest`."""
    for container in pod.containers():
        image = text(container, "image")
        if not image:
            yield f"{named(container)} names no image"
        elif "@" not in image:
            # A colon before the last slash is a registry's port.
            tag = image.rpartition("/")[2].partition(":")[2]
            if tag in {"", "latest"}:
                yield f"{named(container)} runs {image}{'' if tag else ', which is :latest'}"


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="medium",
    why="Without a readiness probe a pod gets requests before its model is loaded; without a "
    "liveness probe one that hangs is never restarted.",
    fix="use a server preset, which has probes that fit it (gke-serving:models[].server)",
    references=(
        kubernetes_docs("Probes", "concepts/configuration/liveness-readiness-startup-probes/"),
    ),
    passing=deployment(
        container={
            "readinessProbe": {"httpGet": {"path": "/v1/models/resnet", "port": 8501}},
            "livenessProbe": {"tcpSocket": {"port": 8500}},
        }
    ),
    failing=deployment(container={"livenessProbe": {"tcpSocket": {"port": 8500}}}),
)
def containers_have_probes(pod: Pod) -> Iterator[str]:
    """Every container of a workload that keeps running has a readiness and a liveness probe."""
    for container in pod.containers(init=False, ephemeral=False):
        for key in ("readinessProbe", "livenessProbe"):
            if not block(container, key):
                yield f"{named(container)} has no {key}"
