"""The SLOs of one model in Cloud Monitoring, and their burn-rate alerts."""

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment import alerts
from infra.environment.config import EnvironmentConfig
from infra.environment.objectives import Objectives, latencies, requests

AVAILABILITY, LATENCY = "availability", "latency"


class ModelSlo(pulumi.ComponentResource):
    """A service with two objectives, and an alert policy per objective and speed."""

    names: dict[str, pulumi.Output[str]]
    """The full resource name of each objective."""

    def __init__(
        self,
        name: str,
        config: EnvironmentConfig,
        *,
        objectives: Objectives,
        channels: list[pulumi.Output[str]],
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:environment:ModelSlo", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        model = objectives.model
        service = monitoring.CustomService(
            name,
            service_id=naming.of(model.name),
            display_name=naming.of(model.name),
            user_labels=labels.google(model=model.name),
            opts=child,
        )
        sli: dict[str, monitoring.SloRequestBasedSliArgsDict] = {
            AVAILABILITY: {
                "good_total_ratio": {
                    "bad_service_filter": requests(model, failed=True),
                    "total_service_filter": requests(model),
                }
            },
            LATENCY: {
                "distribution_cut": {
                    "distribution_filter": latencies(model),
                    "range": {"max": objectives.latency_milliseconds},
                }
            },
        }
        self.names = {}
        for objective, goal in objectives.goals.items():
            slo = monitoring.Slo(
                f"{name}-{objective}",
                service=service.service_id,
                slo_id=objective,
                display_name=_display(objective, goal, objectives),
                goal=goal,
                rolling_period_days=config.objectives.rolling_days,
                request_based_sli=sli[objective],
                user_labels=labels.google(model=model.name),
                opts=child,
            )
            self.names[objective] = slo.name
            for speed in config.alerts.speeds:
                alerts.burn_rate(
                    f"{name}-{objective}-{speed}",
                    config,
                    speed=speed,
                    target=alerts.Target(model=model, objective=objective, slo=slo.name),
                    channels=channels,
                    naming=naming,
                    labels=labels,
                    opts=child,
                )
        self.register_outputs({})


def _display(objective: str, goal: float, objectives: Objectives) -> str:
    share = f"{goal * 100:g} %"
    if objective == LATENCY:
        return f"{share} answered within {objectives.latency_milliseconds} ms"
    return f"{share} of the requests answered"
