"""Rules about probes: that they are there, ask what is there, and differ in purpose."""

from collections.abc import Iterator

from policies.pods import LONG_RUNNING_PODS, Pod, deployment, named
from policies.rule import advisory, kubernetes_docs, mandatory
from policies.values import Props, block, entries, number, spelt

_DOCS = kubernetes_docs("Probes", "concepts/configuration/liveness-readiness-startup-probes/")
_HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")
_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_PORTS = [{"name": "rest", "containerPort": 8501}, {"name": "grpc", "containerPort": 8500}]
_READY = {"httpGet": {"path": "/v1/models/resnet", "port": "rest"}}
_ALIVE = {"tcpSocket": {"port": "grpc"}}


def _server(**container: object) -> Props:
    return deployment(container={"ports": _PORTS, **container})


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="medium",
    why="Without a readiness probe a pod gets requests before its model is loaded; without a "
    "liveness probe one that hangs is never restarted.",
    fix="use a server preset, which has probes that fit it (gke-serving:models[].server)",
    references=(_DOCS,),
    passing=_server(readinessProbe=_READY, livenessProbe=_ALIVE),
    failing=_server(livenessProbe=_ALIVE),
)
def containers_have_probes(pod: Pod) -> Iterator[str]:
    """Every container of a workload that keeps running has a readiness and a liveness probe."""
    for container in pod.containers(init=False, ephemeral=False):
        for key in ("readinessProbe", "livenessProbe"):
            if not block(container, key):
                yield f"{named(container)} has no {key}"


@advisory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="low",
    why="A model takes minutes to load. Without a startup probe the liveness probe must be patient "
    "for ever, or it restarts a server that only loads.",
    fix="use a server preset, which has one (gke-serving:models[].startup_seconds)",
    references=(_DOCS,),
    passing=_server(livenessProbe=_ALIVE, startupProbe=_READY),
    failing=_server(livenessProbe=_ALIVE),
)
def slow_starts_have_a_startup_probe(pod: Pod) -> Iterator[str]:
    """A container with a liveness probe has a startup probe before it."""
    for container in pod.containers(init=False, ephemeral=False):
        if block(container, "livenessProbe") and not block(container, "startupProbe"):
            yield f"{named(container)} has a livenessProbe and no startupProbe"


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="medium",
    why="A liveness probe that asks the same, as impatiently, restarts every pod that is merely "
    "busy: under load all of them, one after the other.",
    fix="let liveness ask something cheaper, or be more patient (failureThreshold x periodSeconds)",
    references=(_DOCS,),
    passing=_server(readinessProbe=_READY, livenessProbe=_READY | {"failureThreshold": 12}),
    failing=_server(readinessProbe=_READY, livenessProbe=_READY),
)
def liveness_differs_from_readiness(pod: Pod) -> Iterator[str]:
    """A liveness probe asks something else than readiness, or the same more patiently."""
    for container in pod.containers(init=False, ephemeral=False):
        ready, alive = block(container, "readinessProbe"), block(container, "livenessProbe")
        asked = [key for key in _HANDLERS if alive.get(key)]
        is_same = bool(asked) and all(alive.get(key) == ready.get(key) for key in _HANDLERS)
        if is_same and patience(alive) <= patience(ready):
            yield f"{named(container)}: livenessProbe asks what readinessProbe asks, as impatiently"


def patience(probe: Props) -> float:
    """Seconds of failures after which a probe gives up."""
    period, failures = number(probe, "periodSeconds"), number(probe, "failureThreshold")
    return (10 if period is None else period) * (3 if failures is None else failures)


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="high",
    why="A probe of a port where nobody listens fails for ever: the pod is never ready, or is "
    "restarted without end.",
    fix="name a port of the container in the probe",
    references=(_DOCS,),
    passing=_server(readinessProbe=_READY, livenessProbe={"tcpSocket": {"port": 8500}}),
    failing=_server(readinessProbe={"httpGet": {"path": "/ready", "port": "http"}}),
)
def probes_ask_ports_of_the_container(pod: Pod) -> Iterator[str]:
    """A probe asks a port that its container declares."""
    for container in pod.containers(ephemeral=False):
        ports = entries(container, "ports")
        declared = {spelt(port.get("containerPort")) for port in ports}
        declared |= {spelt(port["name"]) for port in ports if port.get("name")}
        for kind in _KINDS:
            for handler in ("httpGet", "tcpSocket", "grpc"):
                port = block(container, kind, handler).get("port")
                if port is not None and spelt(port) not in declared:
                    yield f"{named(container)}: {kind} asks port {port}, which it does not declare"
