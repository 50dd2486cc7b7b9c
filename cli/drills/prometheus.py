"""The Managed Service for Prometheus, which KEDA asks: taken away for a while."""

from __future__ import annotations

from cli.drills.cluster import Json
from cli.drills.scene import Scene
from cli.errors import CliError, Exit

_HPA = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"
_NOTICED = 120.0
"""Seconds within which the autoscaler says that it has no metric: it looks every 15 s."""


def autoscaler(scene: Scene) -> str:
    """The path of the model's autoscaler, which KEDA made. Raises CliError without a metric."""
    workload = scene.workload()["metadata"]
    folder = _HPA.format(workload["namespace"])
    found = [
        str(one["metadata"]["name"])
        for one in scene.cluster.items(folder)
        if one["spec"]["scaleTargetRef"]["name"] == workload["name"]
    ]
    if not found:
        raise CliError(
            f"{scene.model} has no autoscaler now",
            "KEDA makes one when its operator runs: kubectl -n keda get pods",
            Exit.NO_STACK,
        )
    path = f"{folder}/{found[0]}"
    scene.wait(f"{scene.model} is scaled by its metrics", lambda: _scales(scene, path))
    return path


def take_away(scene: Scene, path: str) -> None:
    """Stop Prometheus, wait until the autoscaler says so, and let the model do without."""
    before = _replicas(scene)
    scene.control.set_prometheus(runs=False)
    scene.timeline.note(f"Prometheus is away; {scene.model} has {before} replicas")
    scene.wait(
        f"the autoscaler says that it has no metric: {_REASON}",
        lambda: not _scales(scene, path),
        patience=_NOTICED,
    )
    scene.timeline.sleep(scene.seconds)
    after = _replicas(scene)
    if after < before:
        raise CliError(
            f"{scene.model} was scaled from {before} to {after} replicas without a metric",
            '`ignoreNullValues: "false"` of the trigger, or a `fallback`, keeps them',
        )
    scene.timeline.note(f"{scene.model} still has {after} replicas")


def bring_back(scene: Scene, path: str) -> None:
    """Start Prometheus again, and wait until the model is scaled by its metrics."""
    scene.control.set_prometheus(runs=True)
    scene.timeline.note("Prometheus is back")
    scene.wait(f"{scene.model} is scaled by its metrics again", lambda: _scales(scene, path))


_REASON = "ScalingActive is False"


def _scales(scene: Scene, path: str) -> bool:
    """Whether the autoscaler computes replicas from its metrics."""
    return scaling_is_active(scene.cluster.get(path))


def scaling_is_active(autoscaler_: Json | None) -> bool:
    """Whether an autoscaler has the metrics that it needs, by its condition."""
    conditions = ((autoscaler_ or {}).get("status") or {}).get("conditions") or ()
    return any(one["type"] == "ScalingActive" and one["status"] == "True" for one in conditions)


def _replicas(scene: Scene) -> int:
    return int(scene.workload()["spec"].get("replicas", 1))
