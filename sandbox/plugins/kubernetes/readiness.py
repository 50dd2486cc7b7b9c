"""Readiness of an object, and the reason if it is not ready. One function per kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.plugins.kubernetes.client import ApiError, Client, Unreachable

Json = dict[str, Any]
Check = Callable[[Client, Json], str | None]
"""(client, live object) → what it waits for, or None if it is ready."""
_WAITING = {"ContainerCreating", "PodInitializing"}
_WITH_PODS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}


def _condition(live: Json, kind: str) -> Json:
    for condition in (live.get("status") or {}).get("conditions") or []:
        if condition["type"] == kind:
            return dict(condition)
    return {}


def _is_unseen(live: Json) -> bool:
    """Whether the status is of an earlier generation."""
    seen = (live.get("status") or {}).get("observedGeneration", 0)
    return bool(seen < live["metadata"].get("generation", 0))


_UNSEEN = "its controller has not seen it yet"


def _deployment(_: Client, live: Json) -> str | None:
    status, spec = live.get("status") or {}, live["spec"]
    if spec.get("paused"):
        return None
    if _is_unseen(live):
        return _UNSEEN
    wanted = spec.get("replicas", 1)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    total = status.get("replicas", 0)
    if updated < wanted:
        return f"{updated} of {wanted} replicas are updated"
    if available < updated:
        return f"{available} of {wanted} replicas are available"
    return f"{total - updated} old replicas are still there" if total > updated else None


def _stateful_set(_: Client, live: Json) -> str | None:
    status, spec = live.get("status") or {}, live["spec"]
    if _is_unseen(live):
        return _UNSEEN
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if ready < wanted:
        return f"{ready} of {wanted} replicas are ready"
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return None  # OnDelete: pods are replaced only when deleted
    kept = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated = status.get("updatedReplicas", 0)
    if status.get("updateRevision") != status.get("currentRevision") and updated < wanted - kept:
        return f"{updated} of {wanted - kept} replicas are updated"
    return None


def _daemon_set(_: Client, live: Json) -> str | None:
    status = live.get("status") or {}
    if _is_unseen(live):
        return _UNSEEN
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    is_rolling = (live["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"
    if is_rolling and status.get("updatedNumberScheduled", 0) < wanted:
        return f"{status.get('updatedNumberScheduled', 0)} of {wanted} pods are updated"
    return None if ready >= wanted else f"{ready} of {wanted} pods are available"


def _replica_set(_: Client, live: Json) -> str | None:
    wanted = live["spec"].get("replicas", 1)
    available = (live.get("status") or {}).get("availableReplicas", 0)
    if _is_unseen(live):
        return _UNSEEN
    return None if available >= wanted else f"{available} of {wanted} replicas are available"


def _pod(_: Client, live: Json) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    if phase == "Succeeded" or _condition(live, "Ready").get("status") == "True":
        return None
    return next(pod_troubles([live]), f"its phase is {phase}")


def _job(_: Client, live: Json) -> str | None:
    if live["spec"].get("suspend") or _condition(live, "Complete").get("status") == "True":
        return None
    return "it is not complete"


def _service(client: Client, live: Json) -> str | None:
    spec = live["spec"]
    is_balanced = spec.get("type") == "LoadBalancer"
    if is_balanced and not ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return "the load balancer has no address yet"
    is_headless = spec.get("clusterIP") == "None"
    if not spec.get("selector") or spec.get("type") == "ExternalName" or is_headless:
        return None
    namespace, name = live["metadata"]["namespace"], live["metadata"]["name"]
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    slices = client.list_(path, labelSelector=f"kubernetes.io/service-name={name}")
    for endpoint in (e for s in slices for e in s.get("endpoints") or []):
        # An address without conditions counts as ready.
        if (endpoint.get("conditions") or {}).get("ready") in {True, None}:
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
    # WaitForFirstConsumer: the claim is bound when its first pod is scheduled.
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


def _volume(_: Client, live: Json) -> str | None:
    phase = (live.get("status") or {}).get("phase")
    return None if phase in {"Available", "Bound"} else f"its phase is {phase}"


def _quota(_: Client, live: Json) -> str | None:
    if (live.get("status") or {}).get("hard") == live["spec"].get("hard"):
        return None
    return "its controller has not seen it yet"


def _secret(_: Client, live: Json) -> str | None:
    is_token = live.get("type") == "kubernetes.io/service-account-token"
    if not is_token or (live.get("data") or {}).get("token"):
        return None
    return "it has no token yet"


def _api_service(_: Client, live: Json) -> str | None:
    available = _condition(live, "Available")
    if available.get("status") == "True":
        return None
    return str(available.get("message") or "it is not available")


CHECKS: dict[str, Check] = {
    "apps/Deployment": _deployment,
    "apps/StatefulSet": _stateful_set,
    "apps/DaemonSet": _daemon_set,
    "apps/ReplicaSet": _replica_set,
    "batch/Job": _job,
    "networking.k8s.io/Ingress": _ingress,
    "apiextensions.k8s.io/CustomResourceDefinition": _definition,
    "apiregistration.k8s.io/APIService": _api_service,
    "/Namespace": _namespace,
    "/PersistentVolume": _volume,
    "/PersistentVolumeClaim": _claim,
    "/Pod": _pod,
    "/ReplicationController": _replica_set,
    "/ResourceQuota": _quota,
    "/Secret": _secret,
    "/Service": _service,
}


def hopeless(live: Json) -> str | None:
    """The reason why it cannot become ready, or None."""
    kind = live["kind"]
    if kind == "Deployment" and not _is_unseen(live):
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
    """The reasons, without duplicates: conditions, pods and warning events."""
    found: list[str] = []
    failure = _condition(live, "ReplicaFailure")
    if failure.get("status") == "True":
        found.append(str(failure.get("message")))
    namespace = live["metadata"].get("namespace")
    selector = ((live.get("spec") or {}).get("selector") or {}).get("matchLabels")
    try:
        if selector and live["kind"] in _WITH_PODS:
            labels = ",".join(f"{k}={v}" for k, v in selector.items())
            path = f"/api/v1/namespaces/{namespace}/pods"
            found += pod_troubles(client.list_(path, labelSelector=labels))
        if not found and namespace:
            found += _warnings(client, namespace, live["metadata"]["uid"])
    except (ApiError, Unreachable):
        pass  # the reason is optional
    return list(dict.fromkeys(found))


def _warnings(client: Client, namespace: str, uid: str) -> list[str]:
    """The latest warning events of an object, such as an exceeded quota."""
    path = f"/api/v1/namespaces/{namespace}/events"
    events = client.list_(path, fieldSelector=f"involvedObject.uid={uid},type=Warning")
    events.sort(key=lambda event: str(event.get("lastTimestamp") or ""))
    return [f"{event.get('reason')}: {event.get('message')}" for event in events[-2:]]


def pod_troubles(pods: list[Json]) -> Iterator[str]:
    """Why pods are not ready: not scheduled, images, crashes."""
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
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
