"""Rollouts: another pod template for a model, and the former one again."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.drills.cluster import STRATEGIC_MERGE, Json, path_of
from cli.drills.scene import Scene

_APPS = "/apis/apps/v1"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


def roll_out(scene: Scene, _: None = None) -> None:
    """Give the Deployment another pod template, and wait for the end of the rollout.

    The change is that of `kubectl rollout restart`: an annotation. Any other does the same to pods.
    """
    scene.timeline.note(f"another pod template for {scene.model}")
    path = path_of(scene.deployment(), "deployments", _APPS)
    scene.cluster.patch(path, {"spec": {"template": new_template()}}, STRATEGIC_MERGE)
    scene.wait_until_available()


def new_template() -> Json:
    """The change of a pod template that makes it another one."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"metadata": {"annotations": {_RESTARTED: stamp}}}


def roll_back(scene: Scene, _: None = None) -> None:
    """Give the Deployment its former pod template (`kubectl rollout undo`), and wait."""
    scene.timeline.note(f"kubectl rollout undo deployment/{scene.model}")
    scene.cluster.kubectl("-n", scene.namespace, "rollout", "undo", f"deployment/{scene.model}")
    scene.wait_until_available()
