"""Rules about horizontal pod autoscalers and their targets."""

from collections.abc import Iterator

from policies.objects import AUTOSCALERS, Objects, Workloads, namespace_and_name
from policies.pods import deployment, describe, pods
from policies.rule import Stack, kubernetes_docs, mandatory
from policies.subjects import Resource
from policies.values import Props, block, entries, number, text

_DOCS = kubernetes_docs(
    "Horizontal pod autoscaling", "tasks/run-application/horizontal-pod-autoscale/"
)
_DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def _scaler(**spec: object) -> Props:
    return {
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "resnet"},
            "minReplicas": 1,
            "maxReplicas": 10,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 50},
                    },
                }
            ],
            **spec,
        },
    }


def _pair(workload: Props, scaler: Props) -> tuple[Resource, ...]:
    return Resource(_DEPLOYMENT, workload, "resnet"), Resource(AUTOSCALERS.example, scaler)


_REQUESTING = deployment(container={"resources": {"requests": {"cpu": "500m"}}})


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="medium",
    why="An autoscaler with equal bounds never scales.",
    fix="set the maximum above the minimum (gke-serving:models[].replicas)",
    references=(_DOCS,),
    passing=_scaler(minReplicas=1, maxReplicas=10),
    failing=_scaler(minReplicas=3, maxReplicas=3),
)
def autoscaler_has_room_to_scale(autoscaler: Props) -> Iterator[str]:
    """An autoscaler's minimum is below its maximum."""
    minimum = number(autoscaler, "spec", "minReplicas")
    maximum = number(autoscaler, "spec", "maxReplicas")
    minimum = 1 if minimum is None else minimum
    if maximum is None:
        yield "maxReplicas is not set"
    elif minimum >= maximum:
        yield f"minReplicas {minimum:g} is not below maxReplicas {maximum:g}"


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="medium",
    why="An autoscaler whose target does not exist scales nothing, without an error.",
    fix="set scaleTargetRef to the workload; both must be in the same namespace",
    references=(_DOCS,),
    passing=_pair(_REQUESTING, _scaler()),
    failing=_pair(deployment(name="other"), _scaler()),
)
def autoscaler_target_exists(autoscaler: Props, stack: Stack) -> Iterator[str]:
    """The target of an autoscaler is declared in the same stack."""
    reference = block(autoscaler, "spec", "scaleTargetRef")
    kind, name = text(reference, "kind"), text(reference, "name")
    if stack.cached(Workloads).scale_target(autoscaler) is not None:
        return
    # Custom kinds have the subresource `scale` too.
    if not stack.cached(Objects).has(namespace_and_name(autoscaler)[0], kind, name):
        yield f"{kind or 'a workload'} {name!r} is not declared in its namespace"


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="high",
    why="Utilization is a percentage of the request. Without a request the autoscaler does "
    "nothing.",
    fix="request the measured resource (gke-serving:models[].resources.requests)",
    references=(_DOCS,),
    passing=_pair(_REQUESTING, _scaler()),
    failing=_pair(deployment(), _scaler()),
)
def autoscaled_workload_requests_what_is_measured(autoscaler: Props, stack: Stack) -> Iterator[str]:
    """A workload that is scaled on a resource's utilization requests that resource."""
    workload = stack.cached(Workloads).scale_target(autoscaler)
    if workload is None:
        return
    measured = list(_measured(autoscaler))
    for pod in pods(workload):
        for container in pod.containers(init=False, ephemeral=False):
            for resource, only in measured:
                if only in {"", text(container, "name")} and not _requests(container, resource):
                    yield (
                        f"it is scaled on {resource}, which {describe(container)}"
                        f" of {workload.name} does not request"
                    )


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="high",
    why="Each deployment resets the replicas to the declared number, even while the autoscaler "
    "has scaled up under load.",
    fix="remove replicas from the workload; set the autoscaler's minimum instead",
    references=(_DOCS,),
    passing=_pair(_REQUESTING, _scaler()),
    failing=_pair(deployment(replicas=3), _scaler()),
)
def autoscaled_workload_states_no_replicas(autoscaler: Props, stack: Stack) -> Iterator[str]:
    """A workload with an autoscaler does not set its replicas."""
    workload = stack.cached(Workloads).scale_target(autoscaler)
    if workload is not None and block(workload.props, "spec").get("replicas") is not None:
        yield f"{workload.name} also sets replicas, to {workload.props['spec']['replicas']}"


def _measured(autoscaler: Props) -> Iterator[tuple[str, str]]:
    """Yield the resources with a utilization target, each with a container name or ""."""
    metrics = entries(autoscaler, "spec", "metrics")
    if not metrics:
        # The default of the API server, and the only metric in `autoscaling/v1`.
        yield "cpu", ""
    for metric in metrics:
        for key in ("resource", "containerResource"):
            source = block(metric, key)
            if number(source, "target", "averageUtilization") is not None:
                yield text(source, "name"), text(source, "container")


def _requests(container: Props, resource: str) -> bool:
    stated = block(container, "resources")
    return any(block(stated, key).get(resource) is not None for key in ("limits", "requests"))
