"""Rules about horizontal autoscaling, most of them about an autoscaler and its target."""

from collections.abc import Iterator

from policies.objects import AUTOSCALERS, Workloads
from policies.pods import deployment, named, pods
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
    why="An autoscaler without room between its bounds never scales, whatever the load.",
    fix="leave room between the bounds (gke-serving:models[].replicas)",
    references=(_DOCS,),
    passing=_scaler(minReplicas=1, maxReplicas=10),
    failing=_scaler(minReplicas=3, maxReplicas=3),
)
def autoscaler_has_room_to_scale(autoscaler: Props) -> Iterator[str]:
    """An autoscaler's minimum is below its maximum."""
    least = number(autoscaler, "spec", "minReplicas")
    most = number(autoscaler, "spec", "maxReplicas")
    least = 1 if least is None else least
    if most is None:
        yield "maxReplicas is not set"
    elif least >= most:
        yield f"minReplicas {least:g} is not below maxReplicas {most:g}"


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="medium",
    why="An autoscaler whose target is missing or misspelt scales nothing and says so nowhere.",
    fix="point scaleTargetRef at the workload, in the workload's namespace",
    references=(_DOCS,),
    passing=_pair(_REQUESTING, _scaler()),
    failing=_pair(deployment(name="other"), _scaler()),
)
def autoscaler_target_exists(autoscaler: Props, stack: Stack) -> Iterator[str]:
    """What an autoscaler scales is declared beside it."""
    if stack.once(Workloads).scaled_by(autoscaler) is None:
        reference = block(autoscaler, "spec", "scaleTargetRef")
        kind, name = text(reference, "kind"), text(reference, "name")
        yield f"{kind or 'a workload'} {name!r} is not declared in its namespace"


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="high",
    why="Utilization is a share of the request. Without a request there is nothing to share, and "
    "the autoscaler never acts.",
    fix="state what is measured as a request (gke-serving:models[].resources.requests)",
    references=(_DOCS,),
    passing=_pair(_REQUESTING, _scaler()),
    failing=_pair(deployment(), _scaler()),
)
def autoscaled_workload_requests_what_is_measured(autoscaler: Props, stack: Stack) -> Iterator[str]:
    """A workload that is scaled on the utilization of a resource requests that resource."""
    workload = stack.once(Workloads).scaled_by(autoscaler)
    if workload is None:
        return
    measured = list(_measured(autoscaler))
    for pod in pods(workload):
        for container in pod.containers(init=False, ephemeral=False):
            for resource, only in measured:
                if only in {"", text(container, "name")} and not _requests(container, resource):
                    yield (
                        f"it is scaled on {resource}, which {named(container)}"
                        f" of {workload.name} does not request"
                    )


@mandatory(
    AUTOSCALERS,
    layer="serving",
    severity="high",
    why="Each deployment sets the replicas back to what the program says, against the autoscaler, "
    "in the middle of the load that it scaled for.",
    fix="leave replicas out of the workload; the autoscaler's minimum says how many there are",
    references=(_DOCS,),
    passing=_pair(_REQUESTING, _scaler()),
    failing=_pair(deployment(replicas=3), _scaler()),
)
def autoscaled_workload_states_no_replicas(autoscaler: Props, stack: Stack) -> Iterator[str]:
    """A workload with an autoscaler does not state its replicas."""
    workload = stack.once(Workloads).scaled_by(autoscaler)
    if workload is not None and block(workload.props, "spec").get("replicas") is not None:
        yield f"{workload.name} sets replicas to {workload.props['spec']['replicas']} as well"


def _measured(autoscaler: Props) -> Iterator[tuple[str, str]]:
    """The resources that utilization is measured of, each with the one container or none."""
    metrics = entries(autoscaler, "spec", "metrics")
    if not metrics:
        # What `autoscaling/v1` has, and what Kubernetes fills in where nothing is stated.
        yield "cpu", ""
    for metric in metrics:
        for key in ("resource", "containerResource"):
            source = block(metric, key)
            if number(source, "target", "averageUtilization") is not None:
                yield text(source, "name"), text(source, "container")


def _requests(container: Props, resource: str) -> bool:
    stated = block(container, "resources", "limits") | block(container, "resources", "requests")
    return stated.get(resource) is not None
