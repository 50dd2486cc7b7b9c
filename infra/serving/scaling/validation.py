"""Cross-field validation of a model's replicas and autoscaling."""

from infra.serving.quantity import Quantity, amount
from infra.serving.scaling.settings import (
    Autoscaling,
    ExternalMetric,
    PubSubBacklog,
    Replicas,
)


def starts_by_metrics(autoscaling: Autoscaling | None) -> bool:
    """Whether a model without replicas has a metric that exists without pods."""
    metrics = autoscaling.metrics if autoscaling else ()
    return any(isinstance(metric, PubSubBacklog | ExternalMetric) for metric in metrics)


def check_zero(
    replicas: Replicas, autoscaling: Autoscaling | None, *, has_picker: bool = False
) -> None:
    """`ValueError` if a model without replicas could never start again, or keys have no effect.

    A model whose requests an endpoint picker counts may start by these.
    """
    metrics = autoscaling.metrics if autoscaling else ()
    if replicas.min == 0:
        if has_picker and not metrics:
            raise ValueError(
                "replicas.min 0: KEDA starts the model, and scales on metrics; add one to "
                "autoscaling.metrics, such as {kind: pod, name: vllm:num_requests_waiting, "
                'average: "4"}, or set replicas.min 1'
            )
        if not has_picker and not starts_by_metrics(autoscaling):
            raise ValueError(
                "replicas.min 0: without replicas there are no pods to measure, so the model "
                "would never start; add a pubsub-backlog or external metric to "
                "autoscaling.metrics, or set replicas.min 1"
            )
        return
    for index, metric in enumerate(metrics):
        if metric.activation is not None:
            raise ValueError(
                f"autoscaling.metrics[{index}].activation starts the first replica, but "
                f"replicas.min is {replicas.min}; remove it, or set replicas.min 0"
            )
    if autoscaling and autoscaling.scale_to_zero_after_seconds is not None:
        raise ValueError(
            f"autoscaling.scale_to_zero_after_seconds has no effect with replicas.min "
            f"{replicas.min}; remove it, or set replicas.min 0"
        )


def check_utilization(
    key: str, percent: int | None, *, request: Quantity | None, limit: Quantity | None
) -> None:
    """`ValueError` for a target that pods cannot reach, since their limit is below it.

    `limit` is None for a container without one.
    """
    if percent is None or request is None:
        return
    if not amount(request):
        raise ValueError(
            f"autoscaling.{key} is a share of the request, and the request is {request}; raise it"
        )
    if limit is None:
        return
    most = int(amount(limit) * 100 / amount(request))
    if percent > most:
        raise ValueError(
            f"autoscaling.{key} {percent} is never reached: the limit {limit} is {most} % of the "
            f"request {request}; set at most {most}, or raise the limit"
        )
