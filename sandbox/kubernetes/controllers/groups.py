"""Groups of pods of LeaderWorkerSets, and the pod of their controller: what is read from them.

Labels are those of LWS v0.9.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.controllers.pod_process import is_ready as pod_is_ready

Json = dict[str, Any]
_IMAGE = re.compile(r"(^|/)lws[:@]")
_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
_GROUP = "leaderworkerset.sigs.k8s.io/group-key"
_SIZE = "leaderworkerset.sigs.k8s.io/size"
_GATES = "ReadinessGatesNotReady"


def is_controller(pod: Json) -> bool:
    """Whether it is a running pod of the LWS controller."""
    return bool(_IMAGE.search(_container(pod)["image"])) and _runs(pod)


def _runs(pod: Json) -> bool:
    is_kept = "deletionTimestamp" not in pod["metadata"]
    return is_kept and (pod.get("status") or {}).get("phase") == "Running"


def _container(pod: Json) -> Json:
    found: Json = pod["spec"]["containers"][0]
    return found


def arguments(pod: Json) -> list[str]:
    """The arguments of the controller."""
    return [str(one) for one in _container(pod).get("args") or []]


def configuration_file(pod: Json) -> str:
    """The path in the pod of the controller's configuration; ValueError if it has none."""
    for one in arguments(pod):
        if one.startswith("--config="):
            return one.removeprefix("--config=")
    raise ValueError("the controller of LeaderWorkerSets has no --config")


def mounted(pod: Json) -> Iterator[tuple[str, str, str]]:
    """Yield path, resource and name of each Secret and ConfigMap that a pod mounts."""
    volumes = {one["name"]: one for one in pod["spec"].get("volumes") or []}
    for mount in _container(pod).get("volumeMounts") or []:
        volume = volumes[mount["name"]]
        if "secret" in volume:
            yield mount["mountPath"], "secrets", volume["secret"]["secretName"]
        elif "configMap" in volume:
            yield mount["mountPath"], "configmaps", volume["configMap"]["name"]


def leaders(pods: Sequence[Json]) -> list[Json]:
    """The running leaders of groups."""
    return [pod for pod in pods if _labels(pod).get(_INDEX) == "0" and _runs(pod)]


def _labels(pod: Json) -> dict[str, str]:
    found: dict[str, str] = pod["metadata"].get("labels") or {}
    return found


def status(leader: Json, pods: Sequence[Json]) -> Json | None:
    """The status of a leader, which is ready when its workers are; None where it says so."""
    size = int((leader["metadata"].get("annotations") or {}).get(_SIZE, "1"))
    key = (leader["metadata"]["namespace"], _labels(leader).get(_GROUP))
    workers = [
        pod
        for pod in pods
        if (pod["metadata"]["namespace"], _labels(pod).get(_GROUP)) == key
        and _labels(pod).get(_INDEX, "0") != "0"
        and pod_is_ready(pod)
    ]
    return containers_ready(leader, is_ready=len(workers) >= size - 1)


def containers_ready(pod: Json, *, is_ready: bool) -> Json | None:
    """The status of a pod whose containers are ready or not; None where it says so already.

    With readiness gates, the pod is ready once their conditions are True.
    """
    before = {one["type"]: one for one in pod["status"].get("conditions") or []}
    gates = [one["conditionType"] for one in pod["spec"].get("readinessGates") or []]
    is_open = all((before.get(one) or {}).get("status") == "True" for one in gates)
    now = {
        "ContainersReady": ("True", "") if is_ready else ("False", "ContainersNotReady"),
        "Ready": ("True", "")
        if is_ready and is_open
        else ("False", _GATES if is_ready else "ContainersNotReady"),
    }
    if all(
        ((old := before.get(kind) or {}).get("status"), old.get("reason") or "") == value
        for kind, value in now.items()
    ):
        return None
    changed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "conditions": [
            *(one for kind, one in before.items() if kind not in now),
            *(
                {
                    "type": kind,
                    "status": value,
                    "lastTransitionTime": changed,
                    **({"reason": reason} if reason else {}),
                }
                for kind, (value, reason) in now.items()
            ),
        ],
        "containerStatuses": [
            one | {"ready": is_ready} for one in pod["status"].get("containerStatuses") or []
        ],
    }
