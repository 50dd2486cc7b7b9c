"""Rules about pod termination: requests in flight are completed first."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.pods import LONG_RUNNING_PODS, Pod, deployment, describe
from policies.rule import advisory, google, kubernetes_docs, mandatory
from policies.values import Props, block, comparable_text, entries, number

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
    why="When the grace period ends, the kubelet kills the container, even if the preStop hook or "
    "requests are still running.",
    fix="make the grace period longer than the hook (gke-serving:models[].drain_seconds)",
    references=(_DOCS,),
    passing=_server(sleep=15, grace=60),
    failing=_server(sleep=30, grace=30),
)
def grace_period_outlasts_the_pre_stop_hook(pod: Pod) -> Iterator[str]:
    """A pod's grace period is longer than its containers' preStop sleep, and not zero."""
    grace = _grace(pod)
    if grace == 0:
        yield "terminationGracePeriodSeconds is 0: containers are killed at once"
    for container in pod.containers(ephemeral=False):
        sleep = number(container, "lifecycle", "preStop", "sleep", "seconds")
        if sleep is not None and sleep >= grace > 0:
            yield f"{describe(container)} sleeps {sleep:.0f} s in a grace period of {grace:.0f} s"


@advisory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="low",
    why="A terminating pod still gets requests until load balancers update their endpoints; "
    "without a preStop pause those requests fail.",
    fix="use a server preset, which has a preStop pause (gke-serving:models[].drain_seconds)",
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
            yield f"{describe(container)} listens and has no lifecycle.preStop"


class SpotGrace(Settings):
    """Maximum grace period on spot nodes."""

    seconds: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Maximum grace period, in seconds. GKE's own default on spot is 15 s."),
    ] = 25


def _spot(grace: int) -> Props:
    props = _server(sleep=5, grace=grace)
    props["spec"]["template"]["spec"]["nodeSelector"] = {"cloud.google.com/gke-spot": "true"}
    return props


@advisory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="low",
    why="Compute Engine reclaims a spot node within 30 seconds, regardless of the grace period.",
    fix="shorten the grace period of models on spot nodes (gke-serving:models[].drain_seconds)",
    references=(google("Spot VMs", "kubernetes-engine/docs/concepts/spot-vms"),),
    passing=_spot(20),
    failing=_spot(120),
)
def pods_on_spot_nodes_end_quickly(pod: Pod, given: SpotGrace) -> Iterator[str]:
    """A pod on spot nodes has a grace period within the preemption notice."""
    selects = block(pod.spec, "nodeSelector").get("cloud.google.com/gke-spot")
    if comparable_text(selects).lower() == "true" and _grace(pod) > given.seconds:
        yield f"its grace period of {_grace(pod):.0f} s is longer than {given.seconds} s"
