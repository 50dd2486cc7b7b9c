"""What is promised of each routed model, and how it is measured at the load balancer.

Decisions only; `slo` makes the resources. Answers with a 5xx are failures, whoever gave them: the
caller sees no difference. Those with a 4xx are the caller's own.
"""

from dataclasses import dataclass

from gkeplatform.config import suggestion
from gkeplatform.contracts import NetworkingContract, RoutedModel
from gkeplatform.errors import PlatformError
from infra.environment.config import EnvironmentConfig, ModelObjectives, ObjectivesArgs

KEY = "gke-platform:objectives"
REQUESTS = "loadbalancing.googleapis.com/https/request_count"
LATENCIES = "loadbalancing.googleapis.com/https/backend_latencies"
"""From the load balancer's first byte to the backend until the last one back: not the caller's
own connection, for which a model is not to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """What is promised of one model."""

    model: RoutedModel
    availability: float
    latency_goal: float
    latency_milliseconds: int

    @property
    def goals(self) -> dict[str, float]:
        """The goals, by the name of the objective."""
        return {"availability": self.availability, "latency": self.latency_goal}


def decided(config: EnvironmentConfig, networking: NetworkingContract) -> list[Objectives]:
    """Every routed model's objectives; `PlatformError` where they cannot be what was meant."""
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
    found = [_of(model, args) for model in networking.models]
    for one in found:
        _refuse_unreachable(one, config)
    return found


def _of(model: RoutedModel, args: ObjectivesArgs) -> Objectives:
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


def _refuse_unreachable(one: Objectives, config: EnvironmentConfig) -> None:
    """Where all requests fail, the budget burns 1/(1-goal) times as fast: no alert lies above."""
    for name, goal in one.goals.items():
        most = 1 / (1 - goal)
        for speed in config.alerts.speeds:
            rate = config.alerts.at(speed).burn_rate
            if rate >= most:
                raise PlatformError(
                    f"gke-platform:alerts.{speed}.burn_rate: {rate:g} is never reached by "
                    f'"{one.model.name}", whose {name} goal of {goal:g} burns at most '
                    f"{most:.4g} times as fast as its budget lasts; set it below {most:.4g}, or "
                    f"the goal above {1 - 1 / rate:.4g}"
                )


def requests(model: RoutedModel, *, failed: bool = False) -> str:
    """The filter of a model's requests at the load balancer: all of them, or those that failed."""
    classes = " AND metric.labels.response_code_class = 500" if failed else ""
    return f'metric.type = "{REQUESTS}" AND {_at(model)}{classes}'


def latencies(model: RoutedModel) -> str:
    """The filter of how long the model's successful answers took. A quick failure is no success."""
    return (
        f'metric.type = "{LATENCIES}" AND {_at(model)} AND metric.labels.response_code_class = 200'
    )


def _at(model: RoutedModel) -> str:
    """Callers do not choose the version: what is promised holds for both together."""
    if model.canary_service is None:
        target = f'"{model.backend_service}"'
    else:
        target = f'one_of("{model.backend_service}", "{model.canary_service}")'
    return f'resource.type = "https_lb_rule" AND resource.labels.backend_target_name = {target}'
