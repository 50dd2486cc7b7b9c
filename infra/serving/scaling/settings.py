"""Settings: replicas of a model and the targets of its autoscaler."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.quantity import Number
from infra.serving.scalars import texts

CPU_UTILIZATION = 50
"""Percent; the target of an entry that sets none."""


class Replicas(Settings):
    """Bounds of the number of replicas. Equal bounds: no autoscaler."""

    min: Annotated[
        int, Meta(ge=0, description="Minimum number of replicas. 0: none while there is no load.")
    ]
    max: Annotated[int, Meta(ge=1, le=1000, description="Maximum number of replicas.")]

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"min {self.min} exceeds max {self.max}")


Activation = Annotated[
    Number | None,
    Meta(
        description="Total above which the first replica starts, with replicas.min 0. Default: 0."
    ),
]


class PodMetric(Settings, tag_field="kind", tag="pod"):
    """A gauge of the model server, averaged over its pods."""

    name: Annotated[str, Meta(description="Name of the gauge, as the server exports it.")]
    average: Annotated[Number, Meta(description="Target average per pod.")]
    activation: Activation = None

    def __post_init__(self) -> None:
        texts(self, "average", "activation")


class PubSubBacklog(Settings, tag_field="kind", tag="pubsub-backlog"):
    """Undelivered messages of a Pub/Sub subscription."""

    subscription: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$")],
        Meta(description="Subscription id, in the environment's project."),
    ]
    average: Annotated[Number, Meta(description="Undelivered messages per pod.")]
    activation: Activation = None

    def __post_init__(self) -> None:
        texts(self, "average", "activation")


class GpuDutyCycle(Settings, tag_field="kind", tag="gpu-duty-cycle"):
    """Share of time in which the model's GPUs are busy."""

    average: Annotated[int, Meta(ge=1, le=100, description="Percent of the time, on average.")]
    activation: Activation = None

    def __post_init__(self) -> None:
        texts(self, "activation")


class ExternalMetric(Settings, tag_field="kind", tag="external"):
    """Any metric of Cloud Monitoring."""

    name: Annotated[
        str,
        Meta(description="Metric type with `|` for `/`: `pubsub.googleapis.com|topic|…`."),
    ]
    labels: Annotated[
        dict[str, str],
        Meta(description="Selects the time series: `resource.labels.x` or `metric.labels.x`."),
    ]
    average: Annotated[
        Number | None, Meta(description="Target for the sum divided by the number of pods.")
    ] = None
    total: Annotated[Number | None, Meta(description="Target for the sum.")] = None
    resource: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")] | None,
        Meta(description="Monitored resource type, for a metric with several: `k8s_container`."),
    ] = None
    activation: Activation = None

    def __post_init__(self) -> None:
        texts(self, "average", "total", "activation")
        if (self.average is None) == (self.total is None):
            raise ValueError("set either average or total")


Metric = PodMetric | PubSubBacklog | GpuDutyCycle | ExternalMetric


class Step(Settings):
    """The largest change of replicas in one period: exactly one of pods and percent."""

    every_seconds: Annotated[int, Meta(ge=1, le=1800, description="Length of the period.")]
    pods: Annotated[int | None, Meta(description="Pods per period.")] = None
    percent: Annotated[int | None, Meta(description="Percent of the replicas per period.")] = None

    def __post_init__(self) -> None:
        if (self.pods is None) == (self.percent is None):
            raise ValueError("set either pods or percent")
        if (self.pods or self.percent or 0) < 1:
            raise ValueError("a step of 0 never changes the replicas; set at least 1")


Utilization = Annotated[int, Meta(ge=1, le=10_000)]


class Autoscaling(Settings):
    """Targets of the autoscaler; the largest recommendation wins."""

    cpu_utilization: Annotated[
        Utilization | None,
        Meta(
            description="Average use of the requested CPU, in percent; over 100 if the limit "
            "exceeds the request. 50 if no target is set."
        ),
    ] = None
    memory_utilization: Annotated[
        Utilization | None,
        Meta(description="Average use of the requested memory, in percent."),
    ] = None
    metrics: Annotated[
        tuple[Metric, ...], Meta(description="Targets for metrics of the pods or of other systems.")
    ] = ()
    scale_up_after_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="Stabilization window for scaling up.")
    ] = 0
    scale_down_after_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="Stabilization window for scaling down.")
    ] = 300
    scale_to_zero_after_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=86_400)] | None,
        Meta(
            description="Time without load before the last replica stops, with replicas.min 0. "
            "Default: 300."
        ),
    ] = None
    scale_up: Annotated[
        tuple[Step, ...],
        Meta(description="Limits of growth; the widest wins. Default: Kubernetes' own."),
    ] = ()
    scale_down: Annotated[
        tuple[Step, ...],
        Meta(description="Limits of shrinking; the narrowest wins. Default: Kubernetes' own."),
    ] = ()

    @property
    def needs_keda(self) -> bool:
        """Whether a target is a metric that Kubernetes' own autoscaler does not have."""
        return bool(self.metrics)
