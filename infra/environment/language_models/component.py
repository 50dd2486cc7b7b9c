"""The component of one language model: its dashboard and its alerts."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment.config import EnvironmentConfig
from infra.environment.language_models import alerts
from infra.environment.language_models.dashboard import dashboard
from infra.environment.language_models.watched import KEY, LanguageModel


class WatchedLanguageModel(pulumi.ComponentResource):
    """A dashboard, and alerts on slow first tokens, queues, GPUs, adapters and cost.

    The conditions are PromQL, not objectives of Cloud Monitoring: Google refuses an objective on a
    metric that no server has written yet.
    """

    def __init__(
        self,
        name: str,
        config: EnvironmentConfig,
        model: LanguageModel,
        *,
        channels: Sequence[pulumi.Input[str]],
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:environment:LanguageModel", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        monitoring.Dashboard(
            f"{name}-tokens",
            dashboard_json=dashboard(naming.of(f"{name}-tokens"), model),
            opts=child,
        )
        for alert in alerts.alerts(config, model, naming.environment.name):
            alerts.policy(
                alert,
                config,
                model,
                channels=channels,
                naming=naming,
                labels=labels,
                opts=child,
            )
        self.register_outputs({})


def watch(
    models: Sequence[LanguageModel],
    config: EnvironmentConfig,
    *,
    channels: Sequence[pulumi.Input[str]],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> None:
    """Declares what watches each language model."""
    for model in models:
        if model.lacks_gpu_exporter:
            pulumi.log.warn(
                f"{model.name}: its GPUs have no alerts, since the cluster does not collect their "
                "metrics; set DCGM in gke-cluster:cluster.metrics, and managed_prometheus"
            )
        if model.unpriced:
            pulumi.log.warn(
                f"{model.name}: no cost per million tokens is shown, since {KEY}.prices.pools has "
                f"no price of {', '.join(model.unpriced)}"
            )
        WatchedLanguageModel(
            model.name, config, model, channels=channels, naming=naming, labels=labels, opts=opts
        )
