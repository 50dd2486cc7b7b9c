"""A pod as its model servers need it: read from the API server's object, nothing else."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.traffic.model_servers.adapter_lists import list_of
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.load import Settings
from sandbox.traffic.model_servers.model_server import ModelServer, Signal

Json = Mapping[str, Any]
_FAILURE = "kwok.x-k8s.io/failure"
"""Annotation: how a pod fails (`sandbox/kubernetes/lifecycle`)."""
STARTUP = "sandbox/startup-seconds"
"""Annotation: how long a server of the pod loads its model."""
ON_SIGTERM = "sandbox/on-sigterm"
"""Annotation: what SIGTERM does instead of what the recognised server does."""
_SIGNALS: tuple[Signal, ...] = ("ignore", "drain", "finish", "exit")
ZONE = "topology.kubernetes.io/zone"
_VERSIONS = ("version", "app.kubernetes.io/version")
_SLEEP = re.compile(r"(?:^|[\s;&|/])sleep\s+(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Hook:
    """What a container's preStop does."""

    seconds: float = 0
    """How long it sleeps."""
    port: int | None = None
    """The port of its httpGet."""
    path: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that serves, and its state."""

    server: ModelServer
    started: str | None
    """When its process was started, RFC 3339; None: it does not run."""
    is_ready: bool
    hook: Hook = Hook()
    gpus: int = 0
    """GPUs of NVIDIA, or parts of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod with model servers."""

    cluster: str
    """`project.location.name`."""
    namespace: str
    name: str
    uid: str
    node: str
    zone: str
    address: str
    labels: Mapping[str, str]
    version: str
    """Its label `version` or `app.kubernetes.io/version`; else the tag of its image."""
    workload: str
    """The Deployment or other controller that made it."""
    containers: tuple[Container, ...]
    grace_seconds: float
    """How long it may take to end."""
    is_terminating: bool
    startup_seconds: float
    settings: Settings
    adapter_list: str | None
    """The ConfigMap that lists its LoRA adapters; None: it has no sidecar that reads one."""
    gauges: str | None
    """The annotation `sandbox/gauges`: values of gauges, as JSON."""


def read(pod: Json, zones: Mapping[str, str], *, cluster: str = "") -> Pod | None:
    """The pod; None while it has no address or if it serves nothing. `zones`: by node."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    address, node = status.get("podIP"), spec.get("nodeName")
    if not address or not node or status.get("phase") in ("Succeeded", "Failed"):
        return None
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "status.podIP": address,
        "spec.nodeName": node,
    }
    containers = tuple(_containers(pod, fields, annotations))
    if not containers:
        return None
    grace = metadata.get("deletionGracePeriodSeconds")
    if grace is None:
        grace = spec.get("terminationGracePeriodSeconds", 30)
    version = next((labels[one] for one in _VERSIONS if labels.get(one)), None)
    return Pod(
        cluster=cluster,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        node=node,
        zone=zones.get(node) or labels.get(ZONE) or "",
        address=address,
        labels=labels,
        version=version or tag(containers[0].server.image),
        workload=_workload(metadata),
        containers=containers,
        grace_seconds=float(grace),
        is_terminating="deletionTimestamp" in metadata,
        startup_seconds=_number(annotations.get(STARTUP), 0),
        settings=Settings(
            latency=_number(annotations.get("sandbox/latency-milliseconds"), 0) / 1000,
            error_rate=min(1.0, _number(annotations.get("sandbox/error-rate"), 0)),
            concurrency=int(_number(annotations.get("sandbox/concurrency"), 0)),
            failing_paths=frozenset(annotations.get("sandbox/failing-paths", "").split()),
        ),
        adapter_list=list_of(spec),
        gauges=annotations.get("sandbox/gauges"),
    )


def tag(image: str) -> str:
    """An image's tag; the first digits of its digest where it has none, else `latest`."""
    reference, _, digest = image.partition("@")
    name, colon, found = reference.rpartition(":")
    if colon and "/" not in found and name:
        return found
    return digest.rpartition(":")[2][:12] or "latest"


def _workload(metadata: Json) -> str:
    owners = metadata.get("ownerReferences") or ()
    name = next((str(one["name"]) for one in owners if one.get("controller")), metadata["name"])
    hashed = (metadata.get("labels") or {}).get("pod-template-hash")
    return name.removesuffix(f"-{hashed}") if hashed else name


def _containers(pod: Json, fields: Mapping[str, str], annotations: Json) -> list[Container]:
    status = pod.get("status") or {}
    states = {
        one["name"]: one
        for key in ("initContainerStatuses", "containerStatuses")
        for one in status.get(key) or ()
    }
    sidecars = [
        one
        for one in pod["spec"].get("initContainers") or ()
        if one.get("restartPolicy") == "Always"
    ]
    shares = pod["spec"].get("shareProcessNamespace") or pod["spec"].get("hostPID")
    wanted = annotations.get(ON_SIGTERM)
    found = []
    for one in (*pod["spec"]["containers"], *sidecars):
        server = model_server(one, fields=fields)
        if server is None:
            continue
        signal = server.on_sigterm
        if signal == "ignore" and shares:
            signal = "exit"  # it is not the first process of its namespace
        if wanted in _SIGNALS:
            signal = wanted
        server = dataclasses.replace(server, on_sigterm=signal, is_sidecar=one in sidecars)
        state = states.get(one["name"]) or {}
        running = (state.get("state") or {}).get("running")
        found.append(
            Container(
                server=server,
                started=None if running is None else str(running.get("startedAt") or ""),
                is_ready=bool(state.get("ready"))
                or (running is not None and _is_probed(one, annotations)),
                hook=_hook(one),
                gpus=_gpus(one),
            )
        )
    return found


def _is_probed(container: Json, annotations: Json) -> bool:
    """Whether a container answers before it is ready: its probe must succeed several times."""
    threshold = (container.get("readinessProbe") or {}).get("successThreshold") or 1
    return threshold > 1 and _FAILURE not in annotations


def _gpus(container: Json) -> int:
    limits = (container.get("resources") or {}).get("limits") or {}
    return sum(int(amount) for name, amount in limits.items() if name.startswith("nvidia.com/"))


def _hook(container: Json) -> Hook:
    action = (container.get("lifecycle") or {}).get("preStop") or {}
    if sleep := action.get("sleep"):
        return Hook(seconds=float(sleep.get("seconds") or 0))
    if execute := action.get("exec"):
        script = " ".join(str(word) for word in execute.get("command") or ())
        return Hook(
            seconds=sum(
                float(amount) * _UNITS[unit] for amount, unit in _SLEEP.findall(f" {script}")
            )
        )
    if get := action.get("httpGet"):
        port = get.get("port")
        if isinstance(port, str):
            port = next(
                (
                    int(one["containerPort"])
                    for one in container.get("ports") or ()
                    if one.get("name") == port
                ),
                None,
            )
        return Hook(port=port, path=str(get.get("path") or "/"))
    return Hook()


def _number(text: str | None, default: float) -> float:
    try:
        return max(0.0, float(text)) if text is not None else default
    except ValueError:
        return default


def age(started: str, now: datetime) -> float:
    """Seconds since a time of the API; 0 if it cannot be read."""
    try:
        return (now - datetime.fromisoformat(started)).total_seconds()
    except ValueError:
        return 0.0
