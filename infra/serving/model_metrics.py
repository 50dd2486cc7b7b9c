"""The component of the models' metrics: what collects them, and what scales models on them."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.labels import Labels
from infra.serving import picker_metrics
from infra.serving.exposures.inference import picker
from infra.serving.manifest import Manifest, sdk
from infra.serving.models import Workload
from infra.serving.scaling import monitoring as collection
from infra.serving.scaling import scaled_object
from infra.serving.scaling.monitoring import Monitoring


class ModelMetrics(pulumi.ComponentResource):
    """A PodMonitoring for each model with metrics, a ScaledObject for each that scales on any.

    A model that its endpoint picker starts has a PodMonitoring of the picker, too.
    """

    def __init__(
        self,
        name: str,
        workloads: Sequence[Workload],
        *,
        monitoring: Monitoring,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelMetrics", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        for workload in workloads:
            metadata: Manifest = {
                "name": workload.name,
                "namespace": workload.namespace,
                "labels": labels.kubernetes(name=workload.name, component="model-server"),
            }
            metrics = workload.preset.metrics
            if metrics and monitoring.collects:
                CustomResource(
                    workload.name,
                    api_version=collection.API,
                    kind=collection.KIND,
                    metadata=sdk(metadata),
                    spec=collection.pod_monitoring(
                        workload.selector, port=metrics.port, path=metrics.path
                    ),
                    opts=child,
                )
            if monitoring.collects and picker_metrics.starts(workload):
                picker_name = picker.picker_name(workload)
                CustomResource(
                    picker_name,
                    api_version=collection.API,
                    kind=collection.KIND,
                    metadata=sdk({**metadata, "name": picker_name}),
                    spec=picker_metrics.pod_monitoring(workload),
                    opts=child,
                )
            if spec := _scaled_object(workload, monitoring):
                CustomResource(
                    workload.name,
                    api_version=scaled_object.API,
                    kind=scaled_object.KIND,
                    metadata=sdk(metadata),
                    spec=spec,
                    opts=child,
                )
        self.register_outputs({})


def _scaled_object(workload: Workload, monitoring: Monitoring) -> Manifest | None:
    if workload.autoscaling is None or not workload.autoscaling.needs_keda:
        return None
    return scaled_object.scaled_object(
        workload.autoscaling,
        workload.replicas,
        monitoring,
        name=workload.name,
        namespace=workload.namespace,
        gpus=workload.gpus or 1,
        hosts=workload.hosts,
        demand=picker_metrics.query(workload, monitoring)
        if monitoring.collects and picker_metrics.starts(workload)
        else "",
    )
