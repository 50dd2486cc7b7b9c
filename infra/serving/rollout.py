"""How a new version of a model takes the place of the old one."""

from dataclasses import dataclass

from infra.serving.manifest import Manifest
from infra.serving.model import Model


@dataclass(frozen=True, slots=True)
class Turnover:
    """Pods above and below the replicas while one version replaces another."""

    surge: int
    unavailable: int


def turnover(model: Model, *, can_surge: bool = True) -> Turnover:
    """One pod more at a time, so that none is missed, unless the entry or the GPUs say otherwise.

    Where nothing can pay for a pod more, one goes before its successor comes.
    """
    surge, missing = model.rollout.max_surge, model.rollout.max_unavailable
    if surge is None:
        surge = 1 if can_surge and not missing else 0
    return Turnover(surge, (0 if surge else 1) if missing is None else missing)


def rolling_update(planned: Turnover) -> Manifest:
    """The same, as a Deployment's strategy says it."""
    return {"maxSurge": planned.surge, "maxUnavailable": planned.unavailable}
