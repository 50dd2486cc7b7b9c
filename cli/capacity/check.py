"""Compares an update with the quotas of its project: of a preview, or of `up`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from cli.alerting import project as project_of
from cli.capacity import changes, comparison, report
from cli.capacity.comparison import Change, Comparison
from cli.capacity.compute_api import ComputeApi, UnreadableError
from cli.engine import Engine
from cli.environments import ROOT
from cli.errors import CliError
from cli.updates import inputs, side_by_side
from cli.updates.records import Records
from gkeplatform import stack_values
from gkeplatform.layers import Layer


def compared(environment: str, variables: Mapping[str, str], found: Sequence[Change]) -> Comparison:
    """The comparison of changes with the project's quotas; what cannot be known is in it.

    Raises CliError for a stack file without a project.
    """
    region = str(stack_values.read(environment, root=ROOT).get("gcp:region") or "")
    around = comparison.surroundings(found, region)
    if not region or not comparison.touches(found, around):
        return Comparison()
    api = ComputeApi(variables, project_of(environment))
    try:
        known = api.quotas(comparison.regions(found, around))
    except UnreadableError as error:
        return Comparison(unknown=(f"the quotas cannot be read: {error}",))
    return comparison.compare(found, around, known, api.running(found))


def of_update(
    environment: str, variables: Mapping[str, str], layers: Sequence[Layer]
) -> tuple[list[str], CliError | None]:
    """Compare an update of the layers: what is narrow or not known, and why it does not fit.

    Raises CliError where a program refuses its settings.
    """
    from cli import judging  # noqa: PLC0415 (with it come the SDK and all rules)

    engine = Engine(variables, _quiet)
    states = side_by_side.run(
        {layer.name: partial(engine.state, layer, environment) for layer in layers}
    )
    found = [
        change
        for layer, declared in judging.declared_by(environment, layers)
        for change in changes.of_state(states[layer.name], declared)
    ]
    made = compared(environment, variables, found)
    lines = [*report.warnings(made), *(f"not compared: {one}" for one in made.unknown)]
    told = [f"warning: {line}" if line.startswith("quota ") else line for line in lines]
    return told, report.refusal(made, project_of(environment))


def is_unchanged(environment: str, variables: Mapping[str, str], layers: Iterable[Layer]) -> bool:
    """Whether no layer's program or settings have changed since their last update."""
    records = Records(environment, variables)
    now = inputs.digests(environment, inputs.Machine.present(ROOT, variables))
    kept = {layer.name: records.read(layer) for layer in layers}
    return all(one is not None and one.inputs == now.get(name) for name, one in kept.items())


def _quiet(_text: str, _layer: str) -> None:
    """The comparison says what there is to say."""
