"""Whether a pod is ready, as its kubelet writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError

Json = dict[str, Any]
_GATES, _CONTAINERS = "ReadinessGatesNotReady", "ContainersNotReady"


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready and stays."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


def is_running(pod: Json) -> bool:
    """Whether a pod runs and stays, ready or not."""
    is_kept = "deletionTimestamp" not in pod["metadata"]
    return is_kept and (pod.get("status") or {}).get("phase") == "Running"


def containers_ready(pod: Json, *, is_ready: bool) -> Json | None:
    """The status of a pod whose containers are ready or not; None where it says so already.

    With readiness gates, the pod is ready once their conditions are True.
    """
    before = {one["type"]: one for one in pod["status"].get("conditions") or []}
    gates = [one["conditionType"] for one in pod["spec"].get("readinessGates") or []]
    is_open = all((before.get(one) or {}).get("status") == "True" for one in gates)
    now = {
        "ContainersReady": ("True", "") if is_ready else ("False", _CONTAINERS),
        "Ready": ("True", "")
        if is_ready and is_open
        else ("False", _GATES if is_ready else _CONTAINERS),
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


async def show(server: ApiServer, pod: Json, status: Json | None) -> None:
    """Write the status of a pod, if there is one to write and the pod is still there."""
    if status is None:
        return
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
    # A pod of the same name may have taken its place: the names of a group's pods stay.
    body = {"metadata": {"uid": metadata["uid"]}, "status": status}
    try:
        await server.request("PATCH", path, body, content_type=MERGE_PATCH)
    except ApiServerError as error:
        if error.status not in {404, 409, 422}:
            raise
