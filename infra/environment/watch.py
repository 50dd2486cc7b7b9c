"""The whole of an environment's monitoring: who is told, objectives, checks, dashboard."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.contracts import ClusterContract, ServingContract
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment import alerts
from infra.environment.config import EnvironmentConfig
from infra.environment.dashboard import dashboard
from infra.environment.notifications import channel
from infra.environment.objectives import Objectives
from infra.environment.slo import ModelSlo
from infra.environment.uptime import uptime_check


class Watch(pulumi.ComponentResource):
    """Everything that looks at the routed models, and tells the channels."""

    channels: dict[str, pulumi.Output[str]]
    """The channels' resource names, by the names that the stack file gives them."""

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
        super().__init__("gkeplatform:environment:Watch", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.channels = {
            one.name: channel(one, naming=naming, labels=labels, opts=child).name
            for one in config.notifications
        }
        told = list(self.channels.values())
        slos: dict[str, pulumi.Output[str]] = {}
        for one in objectives:
            watched = ModelSlo(
                one.model.name,
                config,
                objectives=one,
                channels=told,
                naming=naming,
                labels=labels,
                opts=child,
            )
            slos |= {f"{one.model.name}-{key}": slo for key, slo in watched.names.items()}
        checks = [
            uptime_check(
                one.model.name,
                config.uptime_check,
                model=one.model,
                naming=naming,
                labels=labels,
                opts=child,
            )
            for one in objectives
            if one.model.name not in config.uptime_check.skip and not one.model.is_behind_login
        ]
        if checks:
            alerts.uptime(
                "uptime",
                config,
                checks=[check.uptime_check_id for check in checks],
                channels=told,
                naming=naming,
                labels=labels,
                opts=child,
            )
        monitoring.Dashboard(
            "models",
            dashboard_json=pulumi.Output.all(**slos).apply(
                lambda known: dashboard(
                    naming.of("models"),
                    objectives,
                    known,
                    namespace=serving.namespace,
                    cluster=cluster.name,
                )
            ),
            opts=child,
        )
        self.register_outputs({})
