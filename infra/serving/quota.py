"""Whether a team's models fit its quota, while they roll out too."""

from collections.abc import Mapping

from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig, running
from infra.serving.demand import MILLI, Demand, cores, gibibytes, of_pod, total
from infra.serving.model import Model
from infra.serving.quantity import amount
from infra.serving.teams import Team


def check(config: ServingConfig, surges: Mapping[str, int]) -> None:
    """Refuses a team whose models ask for more than its quota; `surges` are pods by model."""
    for index, team in enumerate(config.teams):
        models = [model for _, model in running(config) if model.team == team.name]
        _within(f"gke-serving:teams[{index}]", team, models, surges)


def _within(key: str, team: Team, models: list[Model], surges: Mapping[str, int]) -> None:
    most = {m.name: m.replicas.max + surges.get(m.name, 0) for m in models}
    asked = {m.name: of_pod(m).times(most[m.name]) for m in models}
    together = total(asked.values())
    quota = team.quota
    limits = {
        "cpu": (together.cpu_millis, int(amount(quota.cpu) * MILLI), _cores),
        "memory": (together.memory_bytes, int(amount(quota.memory)), _gibibytes),
        "gpus": (together.gpus, quota.gpus, _gpus),
        "pods": (together.pods, quota.pods, _pods),
    }
    for name, (want, allowed, say) in limits.items():
        if want > allowed:
            parts = ", ".join(
                f"{m.name} {most[m.name]} x {say(of_pod(m))}" for m in models if say(of_pod(m))
            )
            spare = Demand(want, want, want, want)
            raise PlatformError(
                f"{key}.quota.{name}: the models of team {team.name} ask for {say(spare)} at most "
                f"({parts}; surge of a rollout included), and the quota is {getattr(quota, name)}; "
                "raise it, or lower replicas.max or requests"
            )


def _cores(demand: Demand) -> str:
    return f"{cores(demand.cpu_millis)} cores"


def _gibibytes(demand: Demand) -> str:
    return gibibytes(demand.memory_bytes)


def _gpus(demand: Demand) -> str:
    return f"{demand.gpus} GPUs" if demand.gpus else ""


def _pods(demand: Demand) -> str:
    return f"{demand.pods} pods"
