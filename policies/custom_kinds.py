"""Kinds of custom resources that embed pod templates, and the paths of the templates.

In a path `*` stands for each item of a list, or each value of a mapping. A path that ends in `spec`
of a template kind leads to a mapping with `metadata` and `spec`; one of `INLINE` leads to the pod's
spec itself. The kinds are those of the projects' own CustomResourceDefinitions.
"""

from collections.abc import Iterator
from typing import Any

from policies.subjects import Path

_RAY = (("headGroupSpec", "template"), ("workerGroupSpecs", "*", "template"))


def _ray(*prefix: str) -> tuple[tuple[str, ...], ...]:
    return tuple((*prefix, *path) for path in _RAY)


TEMPLATES: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("apps.kruise.io", "CloneSet"): (("spec", "template"),),
    ("apps.kruise.io", "StatefulSet"): (("spec", "template"),),
    ("argoproj.io", "Rollout"): (("spec", "template"),),
    ("jobset.x-k8s.io", "JobSet"): (
        ("spec", "replicatedJobs", "*", "template", "spec", "template"),
    ),
    ("kubeflow.org", "MPIJob"): (("spec", "mpiReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "PyTorchJob"): (("spec", "pytorchReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "TFJob"): (("spec", "tfReplicaSpecs", "*", "template"),),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
    ("ray.io", "RayCluster"): _ray("spec"),
    ("ray.io", "RayJob"): (*_ray("spec", "rayClusterSpec"), ("spec", "submitterPodTemplate")),
    ("ray.io", "RayService"): _ray("spec", "rayClusterConfig"),
    ("serving.knative.dev", "Configuration"): (("spec", "template"),),
    ("serving.knative.dev", "Service"): (("spec", "template"),),
}  # fmt: skip
"""Paths to mappings with `metadata` and `spec`."""

INLINE: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("serving.kserve.io", "ClusterServingRuntime"): (("spec",),),
    ("serving.kserve.io", "InferenceService"): (
        ("spec", "predictor"),
        ("spec", "transformer"),
        ("spec", "explainer"),
    ),
    ("serving.kserve.io", "ServingRuntime"): (("spec",),),
}
"""Paths to a pod's spec among other fields."""

LONG_RUNNING = (
    ("apps.kruise.io", "CloneSet"),
    ("apps.kruise.io", "StatefulSet"),
    ("argoproj.io", "Rollout"),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
)
"""Kinds whose pods serve until they are stopped, with the probes that the template has.

Ray, Knative and KServe add probes of their own.
"""


def found(props: Any, path: tuple[str, ...]) -> Iterator[tuple[Path, Any]]:
    """Yield what a path leads to, with its own path; nothing where it is absent."""
    if props is None:
        return
    if not path:
        yield (), props
        return
    first, *rest = path
    if first == "*" and isinstance(props, list):
        steps: list[tuple[str | int, Any]] = list(enumerate(props))
    elif first == "*" and isinstance(props, dict):
        steps = list(props.items())
    elif isinstance(props, dict):
        steps = [(first, props.get(first))]
    else:
        steps = []
    for step, value in steps:
        for further, leaf in found(value, tuple(rest)):
            yield (step, *further), leaf
