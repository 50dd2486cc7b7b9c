"""Which layers an edit reaches, and what it changes there: the programs run on mocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from declared import Declared, run_layer, run_layers
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import LAYERS, in_order
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
            after = run_layer(layer, edit.environment, outputs, as_passed(edit.values))
        except Refused as refusal:
            if LET_GO_FIRST in refusal.message:  # which the command then does
                return Effect(tuple(one.name for one in in_order(LAYERS)), frozenset(resources))
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
