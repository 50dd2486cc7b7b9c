"""Which callers a model's address admits: a firewall drops what others send."""

from __future__ import annotations

from cli.errors import CliError
from cli.routing import Plan
from infra.serving.exposures.load_balancer import LoadBalancer
from infra.serving.models import Workload


def hint(plan: Plan, model: Workload) -> str:
    """Whom the model's source ranges admit; empty where all may call."""
    exposure, ingress = model.exposure, plan.serving.ingress
    key, ranges = f"models[{model.name}].exposure.source_ranges", tuple[str, ...]()
    if isinstance(exposure, LoadBalancer):
        ranges = exposure.source_ranges
    elif exposure.needs_ingress_controller and ingress is not None and ingress.controller:
        key, ranges = "ingress.controller.source_ranges", ingress.controller.source_ranges
    return f"gke-serving:{key} admits callers from {', '.join(ranges)} alone" if ranges else ""


def explained(error: CliError, plan: Plan, model: Workload) -> CliError:
    """The error of a request without an answer, with that hint first."""
    found = "; ".join(one for one in (hint(plan, model), error.hint) if one)
    return CliError(str(error), found, error.code)
