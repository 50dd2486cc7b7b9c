"""The impact of an update on all layers of an environment, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.capacity import report as capacity
from cli.capacity.comparison import Comparison
from cli.errors import CliError
from cli.impact import routes, workloads
from cli.impact.losses import Loss
from cli.impact.operations import Change, Operation, changes
from cli.impact.preview import LayerPlan

GONE = (Operation.REPLACE, Operation.DELETE)
_NOT_COUNTED = ("gkeplatform:", "pulumi:")
"""Components and providers: what they stand for is counted."""
_KINDS = ("data", "address", "workload", "route", "certificate")


@dataclass(frozen=True, slots=True)
class Impact:
    """What an update would do."""

    environment: str
    plans: Sequence[LayerPlan]
    changes: Sequence[Change] = ()
    """Of every resource, the unchanged ones among them; no components and providers."""
    losses: Sequence[Loss] = ()
    declared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of a layer without a stack: the resources that its program declares, by type."""
    quotas: Comparison = field(default_factory=Comparison)
    """What the update asks of the project's quotas."""
    refusal: CliError | None = None
    """Why the quotas do not suffice."""

    @property
    def gone(self) -> list[Change]:
        """What is replaced or deleted."""
        return [one for one in self.changes if one.operation in GONE]

    @property
    def others(self) -> list[Change]:
        """What is created or changed in place."""
        kinds = (Operation.CREATE, Operation.UPDATE)
        return [one for one in self.changes if one.operation in kinds]

    @property
    def errors(self) -> list[CliError]:
        """Why an update would fail, in the order of the layers; quotas come last."""
        found = [plan.error for plan in self.plans if plan.error]
        return [*found, self.refusal] if self.refusal else found

    def count(self, layer: str) -> dict[str, int]:
        """How many of a layer's resources have which operation."""
        counted = Counter(one.operation.value for one in self.changes if one.layer == layer)
        return {operation.value: counted[operation.value] for operation in Operation}

    def policies(self, urn: str) -> list[str]:
        """The violations of one resource, as lines."""
        return [line for plan in self.plans for _, its, line in plan.violations if its == urn]


def impact(
    environment: str,
    plans: Sequence[LayerPlan],
    declared: Mapping[str, Mapping[str, int]] | None = None,
) -> Impact:
    """The impact according to the previews of the layers."""
    found = [
        change
        for plan in plans
        for change in changes(plan.layer, plan.steps).values()
        if not change.step.type.startswith(_NOT_COUNTED)
    ]
    lost = [*workloads.losses(found), *routes.losses(found)]
    lost.sort(key=lambda one: (one.seconds == 0, _KINDS.index(one.kind)))
    return Impact(environment, plans, found, lost, declared or {})


def document(made: Impact) -> dict[str, Any]:
    """The impact as a JSON document; docs/guides/previewing-a-change.md describes it."""
    return {
        "environment": made.environment,
        "layers": [_layer(made, plan) for plan in made.plans],
        "replaced_or_deleted": [_change(made, one) for one in made.gone],
        "losses": [
            {
                "kind": one.kind,
                "subject": one.subject,
                "layer": one.layer,
                "effect": one.effect,
                "seconds_at_most": one.seconds,
                "certain": one.is_certain,
                "final": one.is_final,
            }
            for one in made.losses
        ],
        "changes": [_change(made, one) for one in made.others],
        "quotas": capacity.document(made.quotas),
    }


def _layer(made: Impact, plan: LayerPlan) -> dict[str, Any]:
    return {
        "layer": plan.layer,
        "previewed": plan.is_known,
        "deployed": plan.is_deployed,
        "changes": made.count(plan.layer),
        "declared": dict(made.declared.get(plan.layer, {})),
        "assumed": list(plan.planned.assumed),
        "unknown": list(plan.planned.unknown),
        "reason": plan.unknown,
        "error": str(plan.error) if plan.error else "",
        "warnings": list(plan.warnings),
        "policies": [
            {"policy": policy, "urn": urn, "message": line, "mandatory": is_mandatory(line)}
            for policy, urn, line in plan.violations
        ],
    }


def _change(made: Impact, change: Change) -> dict[str, Any]:
    return {
        "layer": change.layer,
        "operation": change.operation.value,
        "type": change.step.type,
        "name": change.step.name,
        "urn": change.step.urn,
        "properties": list(change.causes),
        "stays": change.step.stays,
        "policies": made.policies(change.step.urn),
    }


def is_mandatory(line: str) -> bool:
    """Whether a violation stops the update, by its line."""
    return line.partition(":")[0].endswith("(mandatory)")


def by_type(types: Iterable[str]) -> dict[str, int]:
    """How many resources of each type are declared; components and providers are left out."""
    return dict(Counter(one for one in types if not one.startswith(_NOT_COUNTED)))
