"""Groups of pods of LeaderWorkerSets, and the pod of their controller: what is read from them.

Labels are those of LWS v0.9.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sandbox.kubernetes.controllers import pod_status

Json = dict[str, Any]
_IMAGE = re.compile(r"(^|/)lws[:@]")
_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
_GROUP = "leaderworkerset.sigs.k8s.io/group-key"
_SIZE = "leaderworkerset.sigs.k8s.io/size"


def is_controller(pod: Json) -> bool:
    """Whether it is a running pod of the LWS controller."""
    return bool(_IMAGE.search(_container(pod)["image"])) and pod_status.is_running(pod)


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


def leaders(pods: Sequence[Json]) -> list[Json]:
    """The running leaders of groups."""
    return [pod for pod in pods if _labels(pod).get(_INDEX) == "0" and pod_status.is_running(pod)]


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
        and pod_status.is_ready(pod)
    ]
    return pod_status.containers_ready(leader, is_ready=len(workers) >= size - 1)
