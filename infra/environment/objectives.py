"""The service level objectives of each routed model, measured at the load balancer.

`slo` declares the resources. Responses with a 5xx are failures, whether the model or the load
balancer sent them; responses with a 4xx are not.
"""

from dataclasses import dataclass

from gkeplatform.config import suggestion
from gkeplatform.contracts import NetworkingContract, RoutedModel
from gkeplatform.errors import PlatformError
from infra.environment.burn_rates import refuse_unreachable
from infra.environment.config import EnvironmentConfig, ModelObjectives, ObjectivesArgs

KEY = "gke-platform:objectives"
REQUESTS = "loadbalancing.googleapis.com/https/request_count"
LATENCIES = "loadbalancing.googleapis.com/https/backend_latencies"
"""From the first byte sent to the backend until the last byte received: without the caller's own
connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """The objectives of one model."""

    model: RoutedModel
    availability: float
    latency_goal: float
    latency_milliseconds: int

    @property
    def goals(self) -> dict[str, float]:
        """The goals, by the name of the objective."""
        return {"availability": self.availability, "latency": self.latency_goal}


def decided(config: EnvironmentConfig, networking: NetworkingContract) -> list[Objectives]:
    """The objectives of every routed model; `PlatformError` for unknown models and dead alerts."""
    args = config.objectives
    routed = [model.name for model in networking.models]
    for key, names in (
        (f"{KEY}.models", args.models),
        ("gke-platform:uptime_check.skip", config.uptime_check.skip),
    ):
        for name in names:
            if name not in routed:
                raise PlatformError(
                    f'{key}: the load balancer routes no model "{name}"; {suggestion(name, routed)}'
                )
    found = [of(model, args) for model in networking.models]
    for one in found:
        refuse_unreachable(config, one.model.name, one.goals)
    return found


def of(model: RoutedModel, args: ObjectivesArgs) -> Objectives:
    """The objectives of one model: its own, else those of all models."""
    own = args.models.get(model.name, ModelObjectives())
    return Objectives(
        model=model,
        availability=args.availability if own.availability is None else own.availability,
        latency_goal=args.latency_goal if own.latency_goal is None else own.latency_goal,
        latency_milliseconds=(
            args.latency_milliseconds
            if own.latency_milliseconds is None
            else own.latency_milliseconds
        ),
    )


def requests(model: RoutedModel, *, failed: bool = False) -> str:
    """The filter of a model's requests: all, or only the failed ones."""
    classes = " AND metric.labels.response_code_class = 500" if failed else ""
    return f'metric.type = "{REQUESTS}" AND {_at(model)}{classes}'


def latencies(model: RoutedModel) -> str:
    """The filter of a model's latencies, of successful responses only."""
    return (
        f'metric.type = "{LATENCIES}" AND {_at(model)} AND metric.labels.response_code_class = 200'
    )


def _at(model: RoutedModel) -> str:
    """Both versions together: callers do not choose the version."""
    if model.canary_service is None:
        target = f'"{model.backend_service}"'
    else:
        target = f'one_of("{model.backend_service}", "{model.canary_service}")'
    return f'resource.type = "https_lb_rule" AND resource.labels.backend_target_name = {target}'
