"""Kinds of custom resources that embed pod templates, and the paths of the templates.

In a path `*` stands for each item of a list, or each value of a mapping. A path that ends in `spec`
of a template kind leads to a mapping with `metadata` and `spec`; one of `INLINE` leads to the pod's
spec itself. The kinds are those of the projects' own CustomResourceDefinitions.
"""

from collections.abc import Iterator
from typing import Any

from policies.subjects import Path

_TRAINING = (("spec", "template", "spec", "replicatedJobs", "*", "template", "spec", "template"),)
_RAY = (("headGroupSpec", "template"), ("workerGroupSpecs", "*", "template"))


def _ray(*prefix: str) -> tuple[tuple[str, ...], ...]:
    return tuple((*prefix, *path) for path in _RAY)


TEMPLATES: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("agents.x-k8s.io", "Sandbox"): (("spec", "podTemplate"),),
    ("apps.kruise.io", "AdvancedCronJob"): (
        ("spec", "template", "jobTemplate", "spec", "template"),
        ("spec", "template", "broadcastJobTemplate", "spec", "template"),
    ),
    ("apps.kruise.io", "BroadcastJob"): (("spec", "template"),),
    ("apps.kruise.io", "CloneSet"): (("spec", "template"),),
    ("apps.kruise.io", "DaemonSet"): (("spec", "template"),),
    ("apps.kruise.io", "StatefulSet"): (("spec", "template"),),
    ("apps.openshift.io", "DeploymentConfig"): (("spec", "template"),),
    ("argoproj.io", "Rollout"): (("spec", "template"),),
    ("batch.volcano.sh", "Job"): (("spec", "tasks", "*", "template"),),
    ("extensions.agents.x-k8s.io", "SandboxTemplate"): (("spec", "podTemplate"),),
    ("jobset.x-k8s.io", "JobSet"): (
        ("spec", "replicatedJobs", "*", "template", "spec", "template"),
    ),
    ("keda.sh", "ScaledJob"): (("spec", "jobTargetRef", "template"),),
    ("kubeflow.org", "JAXJob"): (("spec", "jaxReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "MPIJob"): (("spec", "mpiReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "Notebook"): (("spec", "template"),),
    ("kubeflow.org", "PaddleJob"): (("spec", "paddleReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "PyTorchJob"): (("spec", "pytorchReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "TFJob"): (("spec", "tfReplicaSpecs", "*", "template"),),
    ("kubeflow.org", "XGBoostJob"): (("spec", "xgbReplicaSpecs", "*", "template"),),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
    ("ray.io", "RayCluster"): _ray("spec"),
    ("ray.io", "RayJob"): (*_ray("spec", "rayClusterSpec"), ("spec", "submitterPodTemplate")),
    ("ray.io", "RayService"): _ray("spec", "rayClusterConfig"),
    ("serving.knative.dev", "Configuration"): (("spec", "template"),),
    ("serving.knative.dev", "Service"): (("spec", "template"),),
    ("trainer.kubeflow.org", "ClusterTrainingRuntime"): _TRAINING,
    ("trainer.kubeflow.org", "TrainingRuntime"): _TRAINING,
}  # fmt: skip
"""Paths to mappings with `metadata` and `spec`."""

INLINE: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("machinelearning.seldon.io", "SeldonDeployment"): (
        ("spec", "predictors", "*", "componentSpecs", "*", "spec"),
    ),
    ("serving.knative.dev", "Revision"): (("spec",),),
    ("serving.kserve.io", "ClusterServingRuntime"): (("spec",), ("spec", "workerSpec")),
    ("serving.kserve.io", "InferenceService"): (
        ("spec", "predictor"),
        ("spec", "predictor", "workerSpec"),
        ("spec", "transformer"),
        ("spec", "explainer"),
    ),
    ("serving.kserve.io", "LLMInferenceService"): (
        ("spec", "template"),
        ("spec", "worker"),
        ("spec", "prefill", "template"),
        ("spec", "prefill", "worker"),
    ),
    ("serving.kserve.io", "ServingRuntime"): (("spec",), ("spec", "workerSpec")),
}
"""Paths to a pod's spec among other fields. Its containers may complete those of a preset."""

WORKFLOWS: dict[tuple[str, str], tuple[str, ...]] = {
    ("argoproj.io", "ClusterWorkflowTemplate"): ("spec",),
    ("argoproj.io", "CronWorkflow"): ("spec", "workflowSpec"),
    ("argoproj.io", "Workflow"): ("spec",),
    ("argoproj.io", "WorkflowTemplate"): ("spec",),
}
"""Paths to a workflow: `templates` with a container each, and settings of all their pods."""

_OF_PODS = (
    *("automountServiceAccountToken", "hostNetwork", "securityContext", "serviceAccountName"),
    *("nodeSelector", "priorityClassName", "tolerations", "volumes"),
)


def workflow_pods(workflow: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the metadata and spec of the pod of each template of a workflow."""
    shared = {key: workflow[key] for key in _OF_PODS if workflow.get(key) is not None}
    for _, template in found(workflow, ("templates", "*")):
        if not isinstance(template, dict):
            continue
        own = [template[key] for key in ("container", "script") if template.get(key) is not None]
        own += [one for _, one in found(template, ("containerSet", "containers", "*"))]
        if not own:
            continue  # steps, a graph or a resource: no pod of its own image
        spec = shared | {key: template[key] for key in _OF_PODS if template.get(key) is not None}
        spec["volumes"] = [*(shared.get("volumes") or ()), *(template.get("volumes") or ())]
        spec["containers"] = [
            *({"name": "main", **one} if isinstance(one, dict) else one for one in own),
            *(template.get("sidecars") or ()),
        ]
        spec["initContainers"] = template.get("initContainers") or []
        yield template.get("metadata") or {}, spec


LONG_RUNNING = (
    ("apps.kruise.io", "CloneSet"),
    ("apps.kruise.io", "DaemonSet"),
    ("apps.kruise.io", "StatefulSet"),
    ("apps.openshift.io", "DeploymentConfig"),
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
