"""When an object is ready, and if it is not: why. One function a kind, over the live object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.plugins.kubernetes.client import Client

Json = dict[str, Any]
Check = Callable[[Client, Json], str | None]
"""(client, live object) → what it still waits for, or None when it is ready."""
_WAITING = {"ContainerCreating", "PodInitializing"}


def _condition(live: Json, kind: str) -> Json:
    for condition in (live.get("status") or {}).get("conditions") or []:
        if condition["type"] == kind:
            return dict(condition)
    return {}


def _deployment(_: Client, live: Json) -> str | None:
    status, spec = live.get("status") or {}, live["spec"]
    wanted = spec.get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "its controller has not seen it yet"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    total = status.get("replicas", 0)
    if updated >= wanted and available >= wanted and total <= updated:
        return None
    return f"{available} of {wanted} replicas are available"


def _stateful_set(_: Client, live: Json) -> str | None:
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "its controller has not seen it yet"
    ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0))
    return None if ready >= wanted else f"{ready} of {wanted} replicas are ready"


def _daemon_set(_: Client, live: Json) -> str | None:
    status = live.get("status") or {}
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "its controller has not seen it yet"
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    return None if ready >= wanted else f"{ready} of {wanted} pods are available"


def _pod(_: Client, live: Json) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Succeeded" or _condition(live, "Ready").get("status") == "True":
        return None
    return next(pod_troubles([live]), f"its phase is {phase}")


def _job(_: Client, live: Json) -> str | None:
    if _condition(live, "Complete").get("status") == "True":
        return None
    return "it is not complete"


def _service(client: Client, live: Json) -> str | None:
    spec = live["spec"]
    is_balanced = spec.get("type") == "LoadBalancer"
    if is_balanced and not ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return "the load balancer has no address yet"
    if not spec.get("selector") or spec.get("type") == "ExternalName":
        return None
    namespace, name = live["metadata"]["namespace"], live["metadata"]["name"]
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    slices = client.list_(path, f"kubernetes.io/service-name={name}")
    for endpoint in (e for s in slices for e in s.get("endpoints") or []):
        if (endpoint.get("conditions") or {}).get("ready"):
            return None
    selector = ",".join(f"{k}={v}" for k, v in spec["selector"].items())
    return f"no ready pod has the labels {selector}"


def _ingress(_: Client, live: Json) -> str | None:
    if ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return None
    return "no ingress controller has given it an address"


def _claim(client: Client, live: Json) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Bound":
        return None
    name = live["spec"].get("storageClassName")
    found = client.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}") if name else None
    # Such a claim is bound with its first pod, which may well come after it.
    if (found or {}).get("volumeBindingMode") == "WaitForFirstConsumer":
        return None
    return f"its phase is {phase}"


def _namespace(_: Client, live: Json) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    return None if phase == "Active" else f"its phase is {phase}"


def _definition(_: Client, live: Json) -> str | None:
    if _condition(live, "Established").get("status") == "True":
        return None
    return _condition(live, "NamesAccepted").get("message") or "it is not established"


CHECKS: dict[str, Check] = {
    "apps/Deployment": _deployment,
    "apps/StatefulSet": _stateful_set,
    "apps/DaemonSet": _daemon_set,
    "batch/Job": _job,
    "networking.k8s.io/Ingress": _ingress,
    "apiextensions.k8s.io/CustomResourceDefinition": _definition,
    "/Namespace": _namespace,
    "/PersistentVolumeClaim": _claim,
    "/Pod": _pod,
    "/Service": _service,
}


def hopeless(live: Json) -> str | None:
    """Why it will never be ready, or None while there is hope."""
    kind = live["kind"]
    if kind == "Deployment":
        progressing = _condition(live, "Progressing")
        if progressing.get("reason") == "ProgressDeadlineExceeded":
            return str(progressing.get("message"))
    if kind == "Job":
        failed = _condition(live, "Failed")
        if failed.get("status") == "True":
            return str(failed.get("message"))
    if kind == "Pod" and (live.get("status") or {}).get("phase") == "Failed":
        return "the pod failed"
    return None


def troubles(client: Client, live: Json) -> list[str]:
    """What stands in the way, from the object's conditions and its pods, each once."""
    found: list[str] = []
    failure = _condition(live, "ReplicaFailure")
    if failure.get("status") == "True":
        found.append(str(failure.get("message")))
    selector = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if selector and live["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
        labels = ",".join(f"{k}={v}" for k, v in selector.items())
        path = f"/api/v1/namespaces/{live['metadata']['namespace']}/pods"
        found += pod_troubles(client.list_(path, labels))
    return list(dict.fromkeys(found))


def pod_troubles(pods: list[Json]) -> Iterator[str]:
    """Why pods are not ready: not scheduled, images, crashes."""
    for pod in pods:
        status = pod.get("status") or {}
        scheduled = _condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            yield f"a pod cannot be scheduled: {scheduled.get('message')}"
        containers = [
            *(status.get("initContainerStatuses") or []),
            *(status.get("containerStatuses") or []),
        ]
        for container in containers:
            waiting = (container.get("state") or {}).get("waiting")
            if waiting and waiting.get("reason") not in _WAITING:
                message = waiting.get("message") or "no message"
                yield f"container {container['name']}: {waiting['reason']}: {message}"
            ended = (container.get("lastState") or {}).get("terminated") or (
                container.get("state") or {}
            ).get("terminated")
            if ended and ended.get("exitCode"):
                yield f"container {container['name']} ended with code {ended['exitCode']}"
