"""Rules about readiness, liveness and startup probes."""

from collections.abc import Iterator

from policies.pods import LONG_RUNNING_PODS, PODS, Pod, deployment, describe, pod
from policies.rule import Stack, advisory, kubernetes_docs, mandatory
from policies.rules.services import Served
from policies.selection import NamespacedPod, namespaced_servers
from policies.values import Props, block, comparable_text, entries, number

_DOCS = kubernetes_docs("Probes", "concepts/configuration/liveness-readiness-startup-probes/")
_HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")
_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_PORTS = [{"name": "rest", "containerPort": 8501}, {"name": "grpc", "containerPort": 8500}]
_READY = {"httpGet": {"path": "/v1/models/resnet", "port": "rest"}}
_ALIVE = {"tcpSocket": {"port": "grpc"}}


def _server(**container: object) -> Props:
    return deployment(container={"ports": _PORTS, **container})


@mandatory(
    LONG_RUNNING_PODS.with_view(namespaced_servers),
    layer="serving",
    severity="medium",
    why="Without a readiness probe a pod gets requests before its model is loaded; without a "
    "liveness probe a hung server is never restarted.",
    fix="add the probe to the container (gke-serving:models[].pod.containers); a model server "
    "has those of its preset",
    references=(_DOCS,),
    passing=_server(readinessProbe=_READY, livenessProbe=_ALIVE),
    failing=_server(livenessProbe=_ALIVE),
)
def containers_have_probes(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """Every container of a long-running workload has readiness and liveness probes.

    A container of a bare Pod needs a readiness probe only if it may get requests: it has ports, or
    a Service selects the Pod. Those of a workload need it for rollouts as well.
    """
    pod = subject.pod
    for container in pod.containers(init=False, ephemeral=False):
        for key in ("readinessProbe", "livenessProbe"):
            if block(container, key) or (
                key == "readinessProbe"
                and pod.kind == "Pod"
                and not entries(container, "ports")
                and not stack.cached(Served).has(subject)
            ):
                continue
            yield f"{describe(container)} has no {key}"


@advisory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="low",
    why="A model takes minutes to load. Without a startup probe, the liveness probe restarts a "
    "loading server, or must always have a long timeout.",
    fix="add the probe to the container (gke-serving:models[].pod.containers); a model server "
    "has that of its preset",
    references=(_DOCS,),
    passing=_server(livenessProbe=_ALIVE, startupProbe=_READY),
    failing=_server(livenessProbe=_ALIVE),
)
def slow_starts_have_a_startup_probe(pod: Pod) -> Iterator[str]:
    """A container with a liveness probe has a startup probe."""
    for container in pod.containers(init=False, ephemeral=False):
        if block(container, "livenessProbe") and not block(container, "startupProbe"):
            yield f"{describe(container)} has a livenessProbe and no startupProbe"


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="medium",
    why="If the liveness probe equals the readiness probe, pods that are only busy are restarted: "
    "under load, all of them.",
    fix="use a cheaper liveness check, or a higher failureThreshold x periodSeconds",
    references=(_DOCS,),
    passing=_server(readinessProbe=_READY, livenessProbe=_READY | {"failureThreshold": 12}),
    failing=_server(readinessProbe=_READY, livenessProbe=_READY),
)
def liveness_differs_from_readiness(pod: Pod) -> Iterator[str]:
    """A liveness probe differs from the readiness probe, or tolerates failures for longer."""
    for container in pod.containers(init=False, ephemeral=False):
        ready, alive = block(container, "readinessProbe"), block(container, "livenessProbe")
        handlers = [key for key in _HANDLERS if alive.get(key)]
        is_same = bool(handlers) and all(alive.get(key) == ready.get(key) for key in _HANDLERS)
        if is_same and failure_seconds(alive) <= failure_seconds(ready):
            yield f"{describe(container)}: livenessProbe equals readinessProbe and is as strict"


def failure_seconds(probe: Props) -> float:
    """Return the seconds of failures after which a probe fails."""
    period, failures = number(probe, "periodSeconds"), number(probe, "failureThreshold")
    return (10 if period is None else period) * (3 if failures is None else failures)


@mandatory(
    PODS,
    layer="serving",
    severity="high",
    why="A probe of a port name that does not exist always fails: the pod is never ready, or is "
    "restarted forever.",
    fix="use the name of one of the container's ports, or a number",
    references=(_DOCS,),
    passing=pod(container={"livenessProbe": {"tcpSocket": {"port": 9000}}}),
    failing=pod(container={"readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}}}),
)
def probes_ask_ports_of_the_container(pod: Pod) -> Iterator[str]:
    """A probe or hook uses a number, or a port name that its container declares."""
    for container in pod.containers(ephemeral=False):
        names = {comparable_text(port.get("name")) for port in entries(container, "ports")}
        places = [(kind, block(container, kind)) for kind in _KINDS]
        if hooks := block(container, "lifecycle"):
            places += [(hook, block(hooks, hook)) for hook in ("postStart", "preStop")]
        for kind, probe in places:
            for handler in ("httpGet", "tcpSocket", "grpc") if probe else ():
                port = block(probe, handler).get("port")
                # `containerPort` is informative: a probe of another number works.
                if isinstance(port, str) and not port.isdigit() and port not in names:
                    yield f"{describe(container)}: {kind} uses port {port}, which is not declared"
