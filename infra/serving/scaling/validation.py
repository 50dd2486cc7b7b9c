"""Cross-field validation of a model's replicas and autoscaling."""

from infra.serving.quantity import Quantity, amount
from infra.serving.scaling.settings import (
    Autoscaling,
    ExternalMetric,
    PubSubBacklog,
    Replicas,
)


def check_zero(replicas: Replicas, autoscaling: Autoscaling | None) -> None:
    """`ValueError` if a model without replicas could never start again, or keys have no effect."""
    metrics = autoscaling.metrics if autoscaling else ()
    if replicas.min == 0:
        if not any(isinstance(metric, PubSubBacklog | ExternalMetric) for metric in metrics):
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
