"""Rules about the end of a pod: requests under way are answered before it goes."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.pods import LONG_RUNNING_PODS, Pod, deployment, named
from policies.rule import advisory, google, kubernetes_docs, mandatory
from policies.values import Props, block, entries, number, spelt

_DOCS = kubernetes_docs("Pod termination", "concepts/workloads/pods/pod-lifecycle/#pod-termination")
_DEFAULT_GRACE = 30
_PORTS = [{"containerPort": 8501}]


def _server(*, sleep: int, grace: int) -> Props:
    props = deployment(
        container={"ports": _PORTS, "lifecycle": {"preStop": {"sleep": {"seconds": sleep}}}}
    )
    props["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = grace
    return props


def _grace(pod: Pod) -> float:
    stated = number(pod.spec, "terminationGracePeriodSeconds")
    return _DEFAULT_GRACE if stated is None else stated


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="medium",
    why="When the grace period ends the kubelet kills the container: in the middle of its hook, or "
    "before it has answered a single request that was under way.",
    fix="make the grace period longer than the hook (gke-serving:models[].drain_seconds)",
    references=(_DOCS,),
    passing=_server(sleep=15, grace=60),
    failing=_server(sleep=30, grace=30),
)
def grace_period_outlasts_the_pre_stop_hook(pod: Pod) -> Iterator[str]:
    """A pod's grace period is longer than the sleep before its containers stop, and not zero."""
    grace = _grace(pod)
    if grace == 0:
        yield "terminationGracePeriodSeconds is 0: containers are killed at once"
    for container in pod.containers(ephemeral=False):
        pause = number(container, "lifecycle", "preStop", "sleep", "seconds")
        if pause is not None and pause >= grace > 0:
            yield f"{named(container)} sleeps {pause:.0f} s of a grace period of {grace:.0f} s"


@advisory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="low",
    why="A pod that ends is taken out of its endpoints while it already stops: without a pause, "
    "load balancers still send requests to it, and those fail.",
    fix="use a server preset, which pauses before it stops (gke-serving:models[].drain_seconds)",
    references=(
        _DOCS,
        google(
            "Container-native load balancing",
            "kubernetes-engine/docs/concepts/container-native-load-balancing#pod_readiness",
        ),
    ),
    passing=_server(sleep=15, grace=60),
    failing=deployment(container={"ports": _PORTS}),
)
def serving_containers_pause_before_they_stop(pod: Pod) -> Iterator[str]:
    """A container that listens on a port has a preStop hook."""
    for container in pod.containers(init=False, ephemeral=False):
        if entries(container, "ports") and not block(container, "lifecycle", "preStop"):
            yield f"{named(container)} listens and has no lifecycle.preStop"


class SpotGrace(Settings):
    """How long a pod on spot nodes may take to end."""

    seconds: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="GKE gives pods 15 s when it takes a spot node back, unless configured."),
    ] = 25


def _spot(grace: int) -> Props:
    props = _server(sleep=5, grace=grace)
    props["spec"]["template"]["spec"]["nodeSelector"] = {"cloud.google.com/gke-spot": "true"}
    return props


@advisory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="low",
    why="Compute Engine takes a spot node back within 30 seconds, whatever the pod asks for.",
    fix="keep the grace period of models on spot nodes short (gke-serving:models[].drain_seconds)",
    references=(google("Spot VMs", "kubernetes-engine/docs/concepts/spot-vms"),),
    passing=_spot(20),
    failing=_spot(120),
)
def pods_on_spot_nodes_end_quickly(pod: Pod, given: SpotGrace) -> Iterator[str]:
    """A pod that asks for spot nodes ends within the notice that they give."""
    selects = block(pod.spec, "nodeSelector").get("cloud.google.com/gke-spot")
    if spelt(selects).lower() == "true" and _grace(pod) > given.seconds:
        yield f"its grace period of {_grace(pod):.0f} s is longer than {given.seconds} s"
