"""Whether the models of a team fit its quota, during a rollout too."""

from collections.abc import Mapping, Sequence

from gkeplatform.errors import PlatformError
from infra.serving.models.workload import Workload
from infra.serving.placement.demand import Demand, cores, gibibytes, of_import, of_pod, total
from infra.serving.quantity import amount, millis
from infra.serving.tenancy.teams import Team


def check(teams: Sequence[Team], workloads: Sequence[Workload], surges: Mapping[str, int]) -> None:
    """`PlatformError` if a team's models request more than its quota.

    `surges` are the pods above the replicas during a rollout, by workload.
    """
    for index, team in enumerate(teams):
        own = [workload for workload in workloads if workload.team == team.name]
        _check_team(f"gke-serving:teams[{index}]", team, own, surges)


def _check_team(
    key: str, team: Team, workloads: Sequence[Workload], surges: Mapping[str, int]
) -> None:
    pods = {one.name: (one.replicas.max + surges.get(one.name, 0)) * one.hosts for one in workloads}
    imports = sum(len(one.imports) for one in workloads)
    demand = total(
        [*(of_pod(one).times(pods[one.name]) for one in workloads), of_import().times(imports)]
    )
    quota = team.quota
    limits = {
        "cpu": (demand.cpu_millis, millis(quota.cpu), _cores),
        "memory": (demand.memory_bytes, int(amount(quota.memory)), _gibibytes),
        "gpus": (demand.gpus, quota.gpus, _gpus),
        "tpus": (demand.tpus, quota.tpus, _tpus),
        "pods": (demand.pods, quota.pods, _pods),
    }
    for name, (requested, allowed, text) in limits.items():
        if requested > allowed:
            parts = ", ".join(
                f"{one.name} {pods[one.name]} x {text(of_pod(one))}"
                for one in workloads
                if text(of_pod(one))
            )
            raise PlatformError(
                f"{key}.quota.{name}: the models of team {team.name} request {text(demand)} at "
                f"most ({parts}; surge of a rollout{' and imports' if imports else ''} "
                "included), and the quota is "
                f"{getattr(quota, name)}; raise it, or lower replicas.max or requests"
            )


def _cores(demand: Demand) -> str:
    return f"{cores(demand.cpu_millis)} cores"


def _gibibytes(demand: Demand) -> str:
    return gibibytes(demand.memory_bytes)


def _gpus(demand: Demand) -> str:
    return f"{demand.gpus} GPUs" if demand.gpus else ""


def _tpus(demand: Demand) -> str:
    return f"{demand.tpus} TPUs" if demand.tpus else ""


def _pods(demand: Demand) -> str:
    return f"{demand.pods} pods"
