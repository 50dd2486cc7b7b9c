"""The pictures of the documentation: the way of a request in dev, and the layers' contracts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import msgspec

from cli import routing
from cli.diagrams import columns, stairs
from cli.diagrams.columns import Column
from cli.diagrams.stairs import Step
from cli.routing import HTTP_LOAD_BALANCER, Plan
from cli.show import rules
from cli.show.picture import Rule
from gkeplatform.contracts import Contract
from gkeplatform.layers import in_order
from infra.serving.models import Workload

ENVIRONMENT = "dev"
REQUEST, LAYERS = "docs/pictures/request.svg", "docs/pictures/layers.svg"
_WIDE = 56
"""Characters of a line that lists a contract's fields."""


def render() -> dict[str, str]:
    """Each picture by its path."""
    return {REQUEST: request(routing.plan(ENVIRONMENT)), LAYERS: layers()}


def request(plan: Plan) -> str:
    """The way of a request: front ends, paths, backends with their weights, model servers."""
    entries = sorted(plan.serving.entries, key=lambda entry: list(_kinds(plan)).index(_kind(entry)))
    versions = [one for entry in entries for one in _versions(entry)]
    paths = rules.by_model(plan)
    models = {entry.name: _model(entry, paths.get(entry.name, ())) for entry in entries}
    fronts = {kind: _front(plan, kind) for kind in _kinds(plan)}
    return columns.drawn(
        f"The way of a request in {plan.environment}",
        f"{len(fronts)} front ends lead to {len(entries)} models: "
        + "; ".join(f"{_kind(entry)} to {entry.name}" for entry in entries),
        [
            Column("Callers reach", fronts),
            Column("Models and their paths", models),
            Column("Backends", {one.name: _backend(plan, entry, one) for entry, one in versions}),
            Column("Pods", {one.name: _pods(one) for _, one in versions}),
        ],
        [
            *(((0, _kind(entry)), (1, entry.name)) for entry in entries),
            *(((1, entry.name), (2, one.name)) for entry, one in versions),
            *(((2, one.name), (3, one.name)) for _, one in versions),
        ],
    )


def layers() -> str:
    """The layers in their order, with the contracts that they publish and read."""
    known = (one for one in Contract.__subclasses__() if one.__module__ == Contract.__module__)
    contracts = {one.layer.name: one for one in known}
    steps = {}
    for layer in in_order():
        published = contracts[layer.name]
        names = ", ".join(field.name for field in msgspec.structs.fields(published))
        lines = [f"{layer.name}: {layer.main}", f"publishes {published.__name__}"]
        steps[layer.name] = Step(
            [*lines, *textwrap.wrap(names, _WIDE)],
            {need: contracts[need].__name__ for need in layer.needs},
        )
    return stairs.drawn(
        "The layers and their contracts",
        "; ".join(
            f"{layer.name} reads {' and '.join(layer.needs) or 'nothing'}" for layer in in_order()
        ),
        steps,
    )


def _kinds(plan: Plan) -> dict[str, None]:
    """The kinds of front end, the load balancer first."""
    return dict.fromkeys([HTTP_LOAD_BALANCER, *map(_kind, plan.serving.entries)])


def _kind(entry: Workload) -> str:
    return entry.exposure.kind


def _versions(entry: Workload) -> list[tuple[Workload, Workload]]:
    return [(entry, one) for one in (entry, *((entry.canary,) if entry.canary else ()))]


def _front(plan: Plan, kind: str) -> list[str]:
    if kind != HTTP_LOAD_BALANCER:
        return [kind]
    domains = [name for one in plan.networking.certificates for name in one.domains]
    return [kind, *(["certificates for", *domains] if domains else [])]


def _model(entry: Workload, routed: Sequence[Rule]) -> list[str]:
    return [entry.name, entry.server, *dict.fromkeys(rule.path for rule in routed)]


def _backend(plan: Plan, entry: Workload, version: Workload) -> list[str]:
    shares = [f"{version.weight} %" if entry.canary else ""]
    shares.append(f"{version.mirror} % mirrored" if version.mirror else "")
    said = ", ".join(filter(None, shares))
    return [plan.backend(version.name, _kind(entry)), *([said] if said else [])]


def _pods(version: Workload) -> list[str]:
    least, most = version.replicas.min, version.replicas.max
    count = f"{least} to {most}" if version.autoscaling else str(least)
    return [f"{count} pods", *([f"on {version.node_pool}"] if version.node_pool else [])]
