"""The spec of a model's ScaledObject, from which KEDA makes a HorizontalPodAutoscaler.

All triggers on metrics are of type `prometheus`, also those for Pub/Sub and Cloud Monitoring: KEDA
2.21 deprecates its types gcp-pubsub, which asks in MQL, and gcp-stackdriver
(https://keda.sh/blog/2025-09-15-gcp-deprecations). Google's Prometheus API has the same metrics.
Source: https://keda.sh/docs/2.21/.
"""

from decimal import Decimal
from fractions import Fraction

from infra.serving.manifest import Manifest
from infra.serving.quantity import Quantity, amount
from infra.serving.scaling.autoscaler import behavior, target, utilizations
from infra.serving.scaling.monitoring import Monitoring, query
from infra.serving.scaling.settings import (
    Autoscaling,
    ExternalMetric,
    GpuDutyCycle,
    Metric,
    Replicas,
)

API, KIND = "keda.sh/v1alpha1", "ScaledObject"
AUTHENTICATION = "google"
"""Name of the ClusterTriggerAuthentication: the operator's own Google account."""
COOLDOWN_SECONDS = 300
POLLING_SECONDS = 15


def scaled_object(
    autoscaling: Autoscaling,
    replicas: Replicas,
    monitoring: Monitoring,
    *,
    name: str,
    namespace: str,
    gpus: int,
    hosts: int = 1,
    demand: str = "",
) -> Manifest:
    """The spec for the Deployment `name`, or with several `hosts` for the LeaderWorkerSet.

    `gpus` are those of one replica. `demand` is a query that has the value 1 while a model without
    replicas has requests.

    A metric without a value never scales a model down; without replicas, it counts as 0.
    """
    cooldown = autoscaling.scale_to_zero_after_seconds
    zero: Manifest = {
        "cooldownPeriod": COOLDOWN_SECONDS if cooldown is None else cooldown,
        "pollingInterval": POLLING_SECONDS,
    }
    return {
        "scaleTargetRef": target(name, hosts),
        "minReplicaCount": replicas.min,
        "maxReplicaCount": replicas.max,
        **(zero if replicas.min == 0 else {}),
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior(autoscaling)}},
        "triggers": [
            *(
                {"type": resource, "metricType": "Utilization", "metadata": {"value": str(percent)}}
                for resource, percent in utilizations(autoscaling).items()
            ),
            *(
                _prometheus(
                    monitoring,
                    query(metric, monitoring, name=name, namespace=namespace),
                    threshold=threshold(metric, gpus),
                    is_total=isinstance(metric, ExternalMetric) and metric.total is not None,
                    activation=(metric.activation or "0") if replicas.min == 0 else None,
                )
                for metric in autoscaling.metrics
            ),
            *(
                [_prometheus(monitoring, demand, threshold=Fraction(1), activation="0")]
                if demand
                else []
            ),
        ],
    }


def _prometheus(
    monitoring: Monitoring,
    query: str,
    *,
    threshold: Fraction,
    is_total: bool = False,
    activation: Quantity | None,
) -> Manifest:
    """A trigger. `activation` is what starts the first replica; None: there always is one."""
    first = {} if activation is None else {"activationThreshold": _number(amount(activation))}
    return {
        "type": "prometheus",
        "metricType": "Value" if is_total else "AverageValue",
        "authenticationRef": {"kind": "ClusterTriggerAuthentication", "name": AUTHENTICATION},
        "metadata": {
            "serverAddress": monitoring.address,
            "query": query,
            "threshold": _number(threshold),
            "ignoreNullValues": "false" if activation is None else "true",
            **first,
        },
    }


def threshold(metric: Metric, gpus: int) -> Fraction:
    """The target: of the total if the metric has one, else of the total by pod."""
    if isinstance(metric, ExternalMetric):
        return amount(metric.average or metric.total or "0")
    if isinstance(metric, GpuDutyCycle):
        return Fraction(metric.average * gpus)  # each GPU of a pod has a time series
    return amount(metric.average)


def _number(value: Fraction) -> str:
    """A number without exponent: `8`, `0.5`."""
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
