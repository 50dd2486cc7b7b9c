"""Which layers an edit reaches, and what it changes there: the programs run on mocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from declared import Declared, run_layer, run_layers
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import LAYERS, NETWORKING, Layer, in_order
from gkeplatform.stack import Refused
from tests.edits.edits import Edit, as_passed, committed

At = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an edit changes in the programs' declarations."""

    layers: tuple[str, ...]
    resources: frozenset[tuple[str, str, str]]
    """Layer, type and name of what is declared otherwise, no more, or anew."""
    refused: str = ""
    """The refusal of a program; nothing is touched then."""


@cache
def _base(environment: str) -> Mapping[str, Declared]:
    return run_layers(environment, as_passed(committed(environment)))


def _run(layer: Layer, edit: Edit, outputs: Mapping[str, dict[str, Any]]) -> Declared:
    config = as_passed(edit.values)
    try:
        return run_layer(layer, edit.environment, outputs, config)
    except Refused as refusal:
        if LET_GO_FIRST not in refusal.message:
            raise
    # The command deploys networking first, which then uses none of what goes.
    networking = f"organization/{NETWORKING.project}/{edit.environment}"
    others = {name: its for name, its in outputs.items() if name != networking}
    return run_layer(layer, edit.environment, others, config)


def effect(edit: Edit) -> Effect:
    """Deploy the edited file on mocks after the committed one."""
    base = _base(edit.environment)
    outputs: dict[str, dict[str, Any]] = {
        f"organization/{layer.project}/{edit.environment}": base[layer.name].outputs
        for layer in LAYERS
    }
    layers: list[str] = []
    resources: set[tuple[str, str, str]] = set()
    for layer in in_order(LAYERS):
        try:
            after = _run(layer, edit, outputs)
        except Refused as refusal:
            return Effect(tuple(layers), frozenset(resources), refusal.message)
        before = base[layer.name]
        changed = {
            at
            for at in before.inputs.keys() | after.inputs.keys()
            if before.inputs.get(at) != after.inputs.get(at)
        }
        if changed or before.outputs != after.outputs:
            layers.append(layer.name)
        resources |= {(layer.name, *at) for at in changed}
        outputs[f"organization/{layer.project}/{edit.environment}"] = after.outputs
    return Effect(tuple(layers), frozenset(resources))
