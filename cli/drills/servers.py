"""Model servers that crash, or that answer slowly."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.drills.cluster import MERGE, Json
from cli.drills.scene import Scene

SLOW_SECONDS = 0.5
_NOTICED_SECONDS = 1.0
"""The kubelet lists its containers every second, and so learns of an end."""


def crash(scene: Scene, _: None) -> None:
    """Kill the server of one pod, and start it again as the kubelet does."""
    pod = scene.ready_pods()[0]
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    scene.timeline.note(f"the server of {name} is killed")
    scene.servers.kill(namespace, [name])
    scene.timeline.sleep(_NOTICED_SECONDS)
    path = f"{scene.pod_path(pod)}/status"
    scene.cluster.patch(path, {"status": _crashed(pod)}, MERGE)
    scene.timeline.note(f"{name} is not ready")
    scene.timeline.sleep(_startup_seconds(pod))
    scene.cluster.patch(path, {"status": _started(pod)}, MERGE)
    scene.timeline.note(f"{name} was started again")
    scene.wait_until_available()


def slow_down(scene: Scene, _: None) -> None:
    """Let every server of the model take half a second for an answer."""
    pods = scene.servers.set_latency(scene.model, SLOW_SECONDS)
    scene.timeline.note(f"{pods} servers take {SLOW_SECONDS:g} s for an answer")
    scene.timeline.sleep(scene.seconds)


def speed_up(scene: Scene, _: None) -> None:
    """Let the servers answer as before."""
    scene.servers.set_latency(scene.model, None)
    scene.timeline.note("they answer as before")


def _startup_seconds(pod: Json) -> float:
    """How long the server takes to be ready again: its startup probe looks once a period."""
    probes = (one.get("startupProbe") or {} for one in pod["spec"]["containers"])
    return float(max((one.get("periodSeconds", 0) for one in probes), default=0))


def _crashed(pod: Json) -> Json:
    now = _now()
    ended = {"exitCode": 137, "reason": "Error", "finishedAt": now}
    return {
        "conditions": _conditions(pod, "False", now),
        "containerStatuses": [
            {**one, "ready": False, "started": False, "state": {"terminated": ended}}
            for one in pod["status"]["containerStatuses"]
        ],
    }


def _started(pod: Json) -> Json:
    now = _now()
    return {
        "conditions": _conditions(pod, "True", now),
        "containerStatuses": [
            {
                **one,
                "restartCount": one["restartCount"] + 1,
                "ready": True,
                "started": True,
                "state": {"running": {"startedAt": now}},
            }
            for one in pod["status"]["containerStatuses"]
        ],
    }


def _conditions(pod: Json, status: str, now: str) -> list[Json]:
    return [
        {**one, "status": status, "lastTransitionTime": now}
        if one["type"] in ("Ready", "ContainersReady")
        else one
        for one in pod["status"]["conditions"]
    ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
