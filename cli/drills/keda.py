"""KEDA's operator: what scales models on metrics, taken away for a while."""

from __future__ import annotations

from cli.drills.cluster import MERGE, Json, path_of
from cli.drills.scene import Scene
from cli.errors import CliError, Exit
from infra.serving.scaling.keda_manifests import NAMESPACE, OPERATOR

_APPS = "/apis/apps/v1"


def operator(scene: Scene) -> Json:
    """The Deployment of the operator. Raises CliError where the environment has none."""
    path = f"{_APPS}/namespaces/{NAMESPACE}/deployments/{OPERATOR}"
    found = scene.cluster.get(path)
    if found is None:
        raise CliError(
            f"{scene.environment} has no KEDA",
            "a model that scales on metrics brings it",
            Exit.USAGE,
        )
    return found


def take_away(scene: Scene, deployment: Json) -> None:
    """Scale the operator to zero, and let the model do without."""
    _scale(scene, deployment, 0)
    scene.timeline.note(f"{OPERATOR} is away")
    scene.timeline.sleep(scene.seconds)


def bring_back(scene: Scene, deployment: Json) -> None:
    """Scale the operator to its former size."""
    replicas = deployment["spec"].get("replicas", 1)
    _scale(scene, deployment, replicas)
    path = path_of(deployment, "deployments", _APPS)

    def holds() -> bool:
        status = (scene.cluster.get(path) or {}).get("status") or {}
        return bool(status.get("availableReplicas", 0) == replicas)

    scene.wait(f"{OPERATOR} is back", holds)


def _scale(scene: Scene, deployment: Json, replicas: int) -> None:
    path = path_of(deployment, "deployments", _APPS)
    scene.cluster.patch(path, {"spec": {"replicas": replicas}}, MERGE)
    scene.wait(
        f"{OPERATOR} has {replicas} replicas",
        lambda: (
            ((scene.cluster.get(path) or {}).get("status") or {}).get("replicas", 0) == replicas
        ),
    )
