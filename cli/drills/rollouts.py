"""Rollouts: another pod template for a model, and the former one again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cli.drills.cluster import workload_path
from cli.drills.scene import Scene
from cli.workloads import KINDS, is_groups

_RESTARTED = "kubectl.kubernetes.io/restartedAt"


def roll_out(scene: Scene, _: None = None) -> None:
    """Give the model another pod template, and wait for the end of the rollout."""
    change_template(scene)
    scene.wait_until_available()


def change_template(scene: Scene) -> None:
    """Give the model another pod template.

    The change is that of `kubectl rollout restart`: an annotation. Any other does the same to pods.
    """
    scene.timeline.note(f"another pod template for {scene.model}")
    _annotate(scene, datetime.now(UTC).isoformat(timespec="milliseconds"))


def roll_back(scene: Scene, _: None = None) -> None:
    """Give the model its former pod template (`kubectl rollout undo`), and wait.

    A LeaderWorkerSet keeps no former ones, and kubectl cannot undo its rollouts.
    """
    if is_groups(scene.workload()):
        scene.timeline.note(f"the former pod template for {scene.model}")
        _annotate(scene, None)
    else:
        scene.timeline.note(f"kubectl rollout undo deployment/{scene.model}")
        scene.cluster.kubectl("-n", scene.namespace, "rollout", "undo", f"deployment/{scene.model}")
    scene.wait_until_available()


def _annotate(scene: Scene, value: str | None) -> None:
    """Write an annotation into all pod templates, or remove it."""
    workload = scene.workload()
    spec: dict[str, Any] = {}
    for path in KINDS[workload["kind"]].templates:
        at = spec
        for key in path:
            at = at.setdefault(key, {})
        at["metadata"] = {"annotations": {_RESTARTED: value}}
    scene.cluster.patch(workload_path(workload), {"spec": spec})
