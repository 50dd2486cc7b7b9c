"""How an update treats each layer: it is updated, previewed first, or not affected. Pure.

A preview alone does not show everything that an update writes: a changed dependency or protection
of a resource, or a secret output, is no change to it. So a layer is only ever previewed where its
program, its keys and its state are those of its last update; then the preview shows the rest, which
is what the program asks of other stacks, of the account and of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from cli.updates.records import Record
from cli.updates.stack_state import StackState
from gkeplatform.layers import NETWORKING, SERVING, Layer

ASKING = frozenset({SERVING.name, NETWORKING.name})
"""Layers whose preview asks for what may change by itself: Kubernetes' provider compares with the
cluster, and networking looks up groups and certificates. The others compare with their state."""


class Way(Enum):
    """What an update does with a layer."""

    UPDATE = "update"
    PREVIEW = "preview"
    """It is previewed side by side with others, and updated where that shows a change."""
    UNAFFECTED = "unaffected"
    """Nothing that its update would look at has changed, and something of another layer has."""


def ways(
    layers: Sequence[Layer],
    inputs: Mapping[str, str],
    records: Mapping[str, Record | None],
    states: Mapping[str, StackState | None],
) -> dict[str, Way]:
    """The way of each layer, by what its last update here was, and is now."""
    known = {
        layer.name
        for layer in layers
        if is_as_recorded(inputs.get(layer.name), records[layer.name], states.get(layer.name))
    }
    found: dict[str, Way] = {}
    for layer in layers:
        record = records[layer.name]
        if layer.name not in known or record is None:
            found[layer.name] = Way.UPDATE
        elif (
            len(known) < len(layers)
            and layer.name not in ASKING
            and record.contracts == contracts(layer, states)
        ):
            found[layer.name] = Way.UNAFFECTED
        else:
            found[layer.name] = Way.PREVIEW
    return found


def is_as_recorded(inputs: str | None, record: Record | None, state: StackState | None) -> bool:
    """Whether a layer's program, keys and state are those of its last update."""
    if inputs is None or record is None or state is None:
        return False
    same = (record.inputs, record.resources) == (inputs, state.resources)
    return same and state.is_settled


def contracts(layer: Layer, states: Mapping[str, StackState | None]) -> dict[str, str]:
    """The outputs of the other layers: a program may read those of later ones, too."""
    return {
        name: state.outputs
        for name, state in states.items()
        if state is not None and name != layer.name
    }
