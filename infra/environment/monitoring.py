"""Everything that monitors an environment: channels, objectives, uptime checks, dashboards."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.contracts import ClusterContract, ServingContract
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment import alerts, dashboard
from infra.environment.config import EnvironmentConfig
from infra.environment.notifications import channel
from infra.environment.objectives import Objectives
from infra.environment.slo import ModelSlo
from infra.environment.uptime import checked, unchecked, uptime_check


class Monitoring(pulumi.ComponentResource):
    """Objectives, alerts, uptime checks and the dashboards of the routed models."""

    channels: dict[str, pulumi.Output[str]]
    """Resource names of the notification channels, by their names in the stack file."""

    def __init__(
        self,
        name: str,
        config: EnvironmentConfig,
        *,
        objectives: Sequence[Objectives],
        cluster: ClusterContract,
        serving: ServingContract,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        # The type is part of the URNs of what is deployed.
        super().__init__("gkeplatform:environment:Watch", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.channels = {
            one.name: channel(one, naming=naming, labels=labels, opts=child).name
            for one in config.notifications
        }
        channels = list(self.channels.values())
        slos: dict[str, pulumi.Output[str]] = {}
        for one in objectives:
            slo = ModelSlo(
                one.model.name,
                config,
                objectives=one,
                channels=channels,
                naming=naming,
                labels=labels,
                opts=child,
            )
            slos |= {f"{one.model.name}-{key}": full for key, full in slo.names.items()}
        models = [one.model for one in objectives]
        for warning in unchecked(models, config.uptime_check):
            pulumi.log.warn(warning, resource=self)
        checks = [
            uptime_check(
                model, config.uptime_check, url=url, naming=naming, labels=labels, opts=child
            )
            for model, url in checked(models, config.uptime_check).items()
        ]
        if checks:
            alerts.uptime(
                "uptime",
                config,
                checks=[check.uptime_check_id for check in checks],
                channels=channels,
                naming=naming,
                labels=labels,
                opts=child,
            )
        namespaces = {serving.namespace, *(model.namespace for model in serving.models)}
        boards = pulumi.Output.all(**slos).apply(
            lambda known: dashboard.dashboards(
                naming.of("models"),
                objectives,
                known,
                namespaces=namespaces,
                cluster=cluster.name,
            )
        )
        for index in range(dashboard.pages(objectives)):
            monitoring.Dashboard(
                "models" if index == 0 else f"models-{index + 1}",
                dashboard_json=boards[index],
                opts=child,
            )
        self.register_outputs({})
