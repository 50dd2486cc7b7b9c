"""Previews the layers of an environment, each with what the layers before it will publish."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cli.engine import Engine
from cli.errors import CliError, Exit
from cli.impact import replaced_cluster
from cli.impact.contracts import Planned, planned
from cli.steps import Step
from gkeplatform.contracts import ClusterContract, SecretText
from gkeplatform.engine_variables import PLANNED
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import NETWORKING, SERVING, Layer, in_order

Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What the preview of one layer says."""

    layer: str
    steps: Sequence[Step] = ()
    planned: Planned = field(default_factory=lambda: Planned({}))
    violations: Sequence[tuple[str, str, str]] = ()
    """Policy, URN and the line to show."""
    warnings: Sequence[str] = ()
    error: CliError | None = None
    """Why an update of the layer would fail."""
    unknown: str = ""
    """Why the layer could not be previewed; empty where it was."""
    is_deployed: bool = True

    @property
    def is_known(self) -> bool:
        """Whether the preview ran to its end, though a policy may have refused its result."""
        return not self.unknown and (self.error is None or self.error.code is Exit.POLICY)


Run = Callable[[Layer, Mapping[str, Planned]], LayerPlan]
"""Previews one layer with the planned outputs of others, by layer."""


def preview_layer(
    environment: str, variables: Mapping[str, str], layer: Layer, upstream: Mapping[str, Planned]
) -> LayerPlan:
    """Preview one layer with the planned outputs of others. Writes to no stack."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "planned")
        with open(file, "x", opener=_private, encoding="utf-8") as text:
            json.dump({name: one.outputs for name, one in upstream.items()}, text)
        engine = Engine({**variables, PLANNED: str(file)}, _quiet)
        run, error = engine.plan(layer, environment)
    is_deployed = not (error and error.code is Exit.NO_STACK)
    return LayerPlan(
        layer.name,
        tuple(run.steps),
        planned(layer.name, run.steps, run.outputs),
        tuple((policy, urn, line) for (policy, urn), line in run.violations.items()),
        tuple(run.warnings),
        error if is_deployed else None,
        "" if is_deployed else "it is not deployed",
        is_deployed,
    )


def preview(layers: Iterable[Layer], run: Run, say: Say) -> list[LayerPlan]:
    """Preview the layers in the order of their deployment; `run` previews one of them.

    Where `up` deploys a layer twice, it is previewed twice, and its steps are joined. A layer that
    is not among `layers` counts as deployed.
    """
    order = in_order(layers)
    plans: dict[str, LayerPlan] = {}

    def previewed(layer: Layer, *names: str) -> LayerPlan:
        say("previews", layer.name)
        upstream = {name: plans[name].planned for name in names if name in plans}
        return run(layer, upstream)

    for layer in order:
        if reason := _missing(layer, plans):
            failed = any(plans[name].error for name in layer.needs if name in plans)
            hidden = any(
                plans[name].unknown and plans[name].is_deployed
                for name in layer.needs
                if name in plans
            )
            is_deployed = failed or hidden
            plans[layer.name] = LayerPlan(layer.name, unknown=reason, is_deployed=is_deployed)
            continue
        plan = previewed(layer, *layer.needs)
        if plan.error and plan.error.says(LET_GO_FIRST) and NETWORKING in order:
            plans[NETWORKING.name] = previewed(NETWORKING)
            plan = previewed(layer, *layer.needs, NETWORKING.name)
        plan = _judged(plan, [plans[name] for name in layer.needs if name in plans])
        if _replaces_cluster(plans):
            plan = replace(plan, steps=tuple(replaced_cluster.renewed(plan.steps)))
        plans[layer.name] = _joined(plans.get(layer.name), plan)
        if layer is NETWORKING and SERVING.name in plans:
            serving = plans[SERVING.name]
            if serving.is_known and serving.planned.outputs.get("kept"):
                again = previewed(SERVING, *SERVING.needs, NETWORKING.name)
                plans[SERVING.name] = _joined(serving, again)
    return [plans[layer.name] for layer in order]


def _missing(layer: Layer, plans: Mapping[str, LayerPlan]) -> str:
    """Why a layer cannot be previewed, by the previews of those that it needs; else empty."""
    for name in layer.needs:
        plan = plans.get(name)
        if plan is None:
            continue
        if not plan.is_known:
            return f"it needs {name}, which could not be previewed"
        lacks = _SECRETS.get(name, frozenset()) - _deployed_keys(plan)
        if lacks:
            return f"it needs {', '.join(sorted(lacks))} of {name}, which is not deployed"
    return ""


def _deployed_keys(plan: LayerPlan) -> frozenset[str]:
    stacks = (step.outputs for step in plan.steps if step.type == "pulumi:pulumi:Stack")
    return frozenset(key for outputs in stacks for key in outputs)


_SECRETS = {
    ClusterContract.layer.name: frozenset(
        name for name, kind in ClusterContract.__annotations__.items() if kind is SecretText
    )
}
"""The secret outputs of each layer: a preview takes them from the deployed stack."""


def _judged(plan: LayerPlan, needed: Iterable[LayerPlan]) -> LayerPlan:
    """The plan; its error is only a lack of knowledge where values that it needs are unknown."""
    unknown = [f"{one.layer}.{path}" for one in needed for path in one.planned.unknown]
    if plan.error is None or plan.error.code is Exit.POLICY or not unknown:
        return plan
    reason = f"{', '.join(unknown)} is known only after the update, and without it: {plan.error}"
    return replace(plan, error=None, unknown=reason)


def _replaces_cluster(plans: Mapping[str, LayerPlan]) -> bool:
    return any(replaced_cluster.is_planned(plan.steps) for plan in plans.values())


def _joined(earlier: LayerPlan | None, later: LayerPlan) -> LayerPlan:
    """The plan of two runs of a layer; the later one's outputs hold."""
    if earlier is None:
        return later
    return replace(
        later,
        steps=(*earlier.steps, *later.steps),
        violations=tuple(dict.fromkeys((*earlier.violations, *later.violations))),
        warnings=tuple(dict.fromkeys((*earlier.warnings, *later.warnings))),
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _quiet(_text: str, _layer: str) -> None:
    """The report says it."""
