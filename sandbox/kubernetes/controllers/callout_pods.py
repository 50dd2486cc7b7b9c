"""Pods of endpoint pickers and body-based routers: which run, and with what.

Flags and their defaults are those of gateway-api-inference-extension v1.5.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.kubernetes.controllers import pod_environment, pod_mounts, pod_status

Json = dict[str, Any]
PICKER, ROUTER = "epp", "bbr"
PREFIXES = (f"{PICKER}-", f"{ROUTER}-")
"""How the names of their processes begin."""
_IMAGES = {
    PICKER: re.compile(r"(^|/)epp[:@]"),
    ROUTER: re.compile(r"(^|/)bbr[:@]"),
}
_DEFAULT_PORTS = {PICKER: 9002, ROUTER: 9004}
_HEALTH_PORTS = {PICKER: 9003, ROUTER: 9005}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A pod whose program answers, and which is ready."""

    pod: Json
    listens: int
    """Its port on 127.0.0.1."""
    metrics: int
    """The port on 127.0.0.1 of its metrics."""

    def answers(self, service: Json, port: int) -> bool:
        """Whether a port of a Service leads to the program's own port."""
        metadata, spec = self.pod["metadata"], service["spec"]
        labels, selector = metadata.get("labels") or {}, spec.get("selector") or {}
        if (
            metadata["namespace"] != service["metadata"]["namespace"]
            or not selector
            or not selector.items() <= labels.items()
        ):
            return False
        target = next(
            (one.get("targetPort", port) for one in spec["ports"] if one["port"] == port), None
        )
        if isinstance(target, str):
            declared = _container(self.pod).get("ports") or []
            target = next(
                (one["containerPort"] for one in declared if one.get("name") == target), None
            )
        return target == grpc_port(self.pod)


def _container(pod: Json) -> Json:
    """The container of the program; the pod may have others beside it."""
    found: Json = next(
        one
        for one in pod["spec"]["containers"]
        if any(image.search(one["image"]) for image in _IMAGES.values())
    )
    return found


def program(pod: Json) -> str | None:
    """The program of a pod: `epp`, `bbr`, or None."""
    return next(
        (
            name
            for name, image in _IMAGES.items()
            if any(image.search(one["image"]) for one in pod["spec"]["containers"])
        ),
        None,
    )


def running(pods: Iterable[Json]) -> dict[str, Json]:
    """The pods that a program runs for, by the name of its process."""
    found: dict[str, Json] = {}
    for pod in pods:
        name, metadata = program(pod), pod["metadata"]
        if name is not None and pod_status.is_running(pod):
            found[f"{name}-{metadata['namespace']}-{metadata['name']}"] = pod
    return found


def probed_service(pod: Json) -> str | None:
    """The service that the readiness probe asks for; None where no probe asks.

    Raises ValueError for a probe that the program cannot answer, whose pod is never ready.
    """
    probe = _container(pod).get("readinessProbe")
    if probe is None:
        return None
    port = (probe.get("grpc") or {}).get("port")
    if port != _port(pod, "grpc-health-port", _HEALTH_PORTS):
        raise ValueError(f"nothing answers the readiness probe on port {port}")
    return str(probe["grpc"].get("service") or "")


def failure_threshold(pod: Json) -> int:
    """How often in a row the readiness probe fails until the pod is not ready; Kubernetes' is 3."""
    return int((_container(pod).get("readinessProbe") or {}).get("failureThreshold") or 3)


def pause(pod: Json) -> float:
    """Seconds that a pod goes on once it is deleted: its preStop sleep, within its grace period."""
    hook = (_container(pod).get("lifecycle") or {}).get("preStop") or {}
    asked = float((hook.get("sleep") or {}).get("seconds") or 0)
    own = pod["spec"].get("terminationGracePeriodSeconds", 30)
    return min(asked, float(pod["metadata"].get("deletionGracePeriodSeconds", own)))


def arguments(pod: Json, root: Path) -> list[str]:
    """The arguments of a pod, with the folders of its mounts."""
    return pod_mounts.with_folders(_container(pod).get("args") or [], pod, root)


def environment(pod: Json) -> dict[str, str]:
    """The variables of a pod's program."""
    return pod_environment.environment(pod, _container(pod))


def grpc_port(pod: Json) -> int:
    """The port that the program of a pod listens on."""
    return _port(pod, "grpc-port", _DEFAULT_PORTS)


def metrics_port(pod: Json) -> int:
    """The port of the metrics of a pod's program."""
    return _port(pod, "metrics-port", {PICKER: 9090, ROUTER: 9090})


def _port(pod: Json, flag: str, defaults: Mapping[str, int]) -> int:
    given = _container(pod).get("args") or []
    for place, argument in enumerate(given):
        name, equals, value = argument.lstrip("-").partition("=")
        if name == flag:
            text = value if equals else given[place + 1] if place + 1 < len(given) else ""
            return int(text) if text.isdigit() else 0
    return defaults[program(pod) or PICKER]
