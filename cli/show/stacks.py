"""What each layer's stack holds: its contract, without secrets, and when it was last updated."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from cli import console
from cli.drift import record
from cli.drift.record import Compared
from cli.engine import Engine
from cli.impact.contracts import is_secret
from cli.updates import stack_state
from gkeplatform.layers import Layer, in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerState:
    """One layer of an environment."""

    name: str
    needs: tuple[str, ...]
    program: str
    """Its folder, below the repository's root."""
    resources: int = 0
    updated: str = ""
    """When its state was last written, in RFC 3339; empty where it is not deployed."""
    is_settled: bool = True
    """Whether no operation was interrupted in it."""
    outputs: tuple[str, ...] = ()
    """Names of what it publishes to the other layers."""
    drift: Compared | None = None
    """The last `drift` of it on this machine; None where there was none."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A layer and the values that it publishes, secrets left out."""

    state: LayerState
    outputs: Mapping[str, Any]
    document: Mapping[str, Any]
    """The exported state, secrets encrypted."""


def read(environment: str, variables: Mapping[str, str]) -> dict[str, Stack]:
    """The stacks of an environment by layer. Raises CliError."""
    engine = Engine(variables, console.say)
    layers = in_order()
    with ThreadPoolExecutor(len(layers)) as pool:
        documents = list(pool.map(lambda one: engine.exported(one, environment), layers))
    compared = record.read(environment, variables)
    found = {}
    for layer, document in zip(layers, documents, strict=True):
        stack = of_document(layer, document)
        state = replace(stack.state, drift=compared.get(layer.name))
        found[layer.name] = replace(stack, state=state)
    return found


def of_document(layer: Layer, document: Mapping[str, Any]) -> Stack:
    """A layer's stack from its exported state, which is empty where there is none."""
    found = stack_state.of_document(document)
    if found is None:
        return Stack(LayerState(name=layer.name, needs=layer.needs, program=layer.main), {}, {})
    manifest = (document.get("deployment") or {}).get("manifest") or {}
    state = LayerState(
        name=layer.name,
        needs=layer.needs,
        program=layer.main,
        resources=found.count,
        updated=str(manifest.get("time", "")),
        is_settled=found.is_settled,
        outputs=tuple(sorted(found.values)),
    )
    public = {key: value for key, value in found.values.items() if not is_secret(value)}
    return Stack(state, public, document)
