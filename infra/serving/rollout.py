"""How a new version of a model takes the place of the old one, as plain data."""

from infra.serving.manifest import Manifest
from infra.serving.model import Model


def rolling_update(model: Model) -> Manifest:
    """One pod more at a time, so that none is missed, unless the entry says otherwise."""
    surge, missing = model.rollout.max_surge, model.rollout.max_unavailable
    if surge is None:
        surge = 0 if missing else 1
    return {
        "maxSurge": surge,
        "maxUnavailable": (0 if surge else 1) if missing is None else missing,
    }
