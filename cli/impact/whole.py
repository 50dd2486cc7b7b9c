"""The impact of an update on an environment: its previews, joined into one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from cli import console
from cli.alerting import project
from cli.capacity import changes, check
from cli.capacity import report as capacity
from cli.impact import preview as previews
from cli.impact import report
from cli.impact.contracts import Planned
from cli.impact.preview import LayerPlan
from cli.updates.speculation import begun_ahead
from gkeplatform.layers import LAYERS, Layer, named
from policies.subjects import Resource


def impact(
    environment: str, variables: Mapping[str, str], layers: Sequence[Layer] = LAYERS
) -> report.Impact:
    """Preview the layers, and report what `up` would do. Writes to no stack. Raises CliError."""
    run = partial(previews.preview_layer, environment, variables)
    # Begun side by side; what a change of an earlier layer reaches is previewed again.
    with begun_ahead(layers, run, is_as_deployed=_is_as_deployed) as ahead:
        plans = previews.preview(layers, ahead, console.say)
    declared = _declared(environment, plans)
    counts = {name: report.by_type(one.type for one in its) for name, its in declared.items()}
    made = report.impact(environment, plans, counts)
    asked = [
        change
        for plan in plans
        for change in (
            changes.of_state(None, declared[plan.layer])
            if plan.layer in declared
            else changes.of_steps(plan.steps)
        )
    ]
    quotas = check.compared(environment, variables, asked)
    return replace(made, quotas=quotas, refusal=capacity.refusal(quotas, project(environment)))


def _is_as_deployed(_layer: str, planned: Planned) -> bool:
    return planned.is_as_deployed


def _declared(environment: str, plans: Sequence[LayerPlan]) -> dict[str, list[Resource]]:
    """The resources that the programs of layers without a stack declare. Raises CliError."""
    missing = [named(plan.layer) for plan in plans if not plan.is_deployed]
    if not missing:
        return {}
    from cli import judging  # noqa: PLC0415 (with it come the SDK and all rules)

    return {layer.name: its for layer, its in judging.declared_by(environment, missing)}
