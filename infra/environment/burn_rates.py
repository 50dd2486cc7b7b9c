"""Which burn rates can be reached at all."""

from collections.abc import Mapping

from gkeplatform.errors import PlatformError
from infra.environment.config import EnvironmentConfig


def refuse_unreachable(config: EnvironmentConfig, model: str, goals: Mapping[str, float]) -> None:
    """Refuses a burn rate of 1/(1-goal) or more: not even a total outage reaches it.

    `goals` are the model's, by the name of the objective. `PlatformError` names the key to change.
    """
    for name, goal in goals.items():
        most = 1 / (1 - goal)
        for speed in config.alerts.speeds:
            rate = config.alerts.at(speed).burn_rate
            if rate >= most:
                raise PlatformError(
                    f"gke-platform:alerts.{speed}.burn_rate: {rate:g} is never reached by "
                    f'"{model}", whose {name} goal of {goal:g} burns at most {most:.4g} times as '
                    f"fast as its budget lasts; set it below {most:.4g}, or the goal above "
                    f"{1 - 1 / rate:.4g}"
                )
