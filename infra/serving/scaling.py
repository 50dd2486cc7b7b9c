"""What an entry says about its replicas and the horizontal pod autoscaler of its model."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.quantity import Quantity

CPU_UTILIZATION = 50
"""Where an entry sets no target at all."""


class Replicas(Settings):
    """How many copies of a model server run. Equal numbers: no autoscaler."""

    min: Annotated[int, Meta(ge=1, description="Replicas at least.")]
    max: Annotated[int, Meta(ge=1, le=1000, description="Replicas at most.")]

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"min {self.min} exceeds max {self.max}")


class PodMetric(Settings, tag_field="kind", tag="pod"):
    """A gauge of the model server itself, averaged over its pods."""

    name: Annotated[str, Meta(description="Name of the gauge as the server spells it.")]
    average: Annotated[Quantity, Meta(description="What each pod should have.")]


class PubSubBacklog(Settings, tag_field="kind", tag="pubsub-backlog"):
    """Messages of a Pub/Sub subscription that wait to be worked on."""

    subscription: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$")],
        Meta(description="Id of the subscription, in the environment's project."),
    ]
    average: Annotated[Quantity, Meta(description="Waiting messages for each pod.")]


class GpuDutyCycle(Settings, tag_field="kind", tag="gpu-duty-cycle"):
    """How much of the time the model's GPUs work."""

    average: Annotated[int, Meta(ge=1, le=100, description="Percent of the time, on average.")]


class ExternalMetric(Settings, tag_field="kind", tag="external"):
    """Any metric of Cloud Monitoring."""

    name: Annotated[
        str,
        Meta(description="Metric type with `|` for `/`: `pubsub.googleapis.com|topic|…`."),
    ]
    labels: Annotated[
        dict[str, str],
        Meta(description="Which time series: `resource.labels.x` or `metric.labels.x`."),
    ]
    average: Annotated[Quantity | None, Meta(description="The sum divided by the pods.")] = None
    total: Annotated[Quantity | None, Meta(description="The sum, whatever the pods.")] = None

    def __post_init__(self) -> None:
        if (self.average is None) == (self.total is None):
            raise ValueError("set either average or total")


Metric = PodMetric | PubSubBacklog | GpuDutyCycle | ExternalMetric


class Step(Settings):
    """How far replicas may go in one period: exactly one of pods and percent."""

    every_seconds: Annotated[int, Meta(ge=1, le=1800, description="Length of the period.")]
    pods: Annotated[int | None, Meta(description="Pods in a period.")] = None
    percent: Annotated[int | None, Meta(description="Percent of the replicas in a period.")] = None

    def __post_init__(self) -> None:
        if (self.pods is None) == (self.percent is None):
            raise ValueError("set either pods or percent")
        if (self.pods or self.percent or 0) < 1:
            raise ValueError("a step of 0 lets the replicas never change; set at least 1")


class Autoscaling(Settings):
    """What the horizontal pod autoscaler aims at; of several targets the neediest counts."""

    cpu_utilization: Annotated[
        int | None,
        Meta(description="Average use of the requested CPU, in percent; 50 if no target is set."),
    ] = None
    memory_utilization: Annotated[
        int | None, Meta(description="Average use of the requested memory, in percent.")
    ] = None
    metrics: Annotated[
        tuple[Metric, ...], Meta(description="Other targets: of the pods, or from outside.")
    ] = ()
    scale_up_after_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="How long more load must last before replicas come.")
    ] = 0
    scale_down_after_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="How long less load must last before replicas go.")
    ] = 300
    scale_up: Annotated[
        tuple[Step, ...], Meta(description="Limits of growth, the widest counts; none: fast.")
    ] = ()
    scale_down: Annotated[
        tuple[Step, ...], Meta(description="Limits of shrinking, the narrowest counts; none: fast.")
    ] = ()

    def __post_init__(self) -> None:
        for key in ("cpu_utilization", "memory_utilization"):
            value = getattr(self, key)
            if value is not None and not 1 <= value <= 100:
                raise ValueError(f"{key} {value} is not a percentage from 1 to 100")
