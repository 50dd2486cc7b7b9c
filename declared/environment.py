"""Runs the layers of an environment on its stack file."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from declared.program import declare
from declared.result import Declared
from gkeplatform import stack_values
from gkeplatform.layers import LAYERS, Layer, in_order

ROOT = Path(__file__).resolve().parents[1]
STACKS = ROOT / "stacks"


def stack_config(environment: str) -> dict[str, str]:
    """The stack file's keys as the engine passes them: strings, structured values as JSON."""
    return stack_values.read(environment, root=ROOT)


def run_layer(
    layer: Layer,
    environment: str,
    upstream: Mapping[str, dict[str, Any]],
    config: Mapping[str, str] | None = None,
    into: Declared | None = None,
    *,
    preview: bool = False,
) -> Declared:
    """Run a layer's program on the environment's stack file, or on `config`."""
    return declare(
        lambda: runpy.run_path(str(ROOT / layer.main / "__main__.py"), run_name="__main__"),
        project=layer.project,
        stack=environment,
        config=stack_values.of_project(config or stack_config(environment), layer.project),
        upstream=upstream,
        into=into,
        preview=preview,
    )


def run_environment(
    environment: str, edits: Mapping[str, str] | None = None
) -> dict[str, Declared]:
    """Run all layers in order; each reads the outputs of those before it.

    `edits` replaces keys of the stack file.
    """
    return run_layers(environment, stack_config(environment) | dict(edits or {}))


def run_layers(environment: str, config: Mapping[str, str]) -> dict[str, Declared]:
    """Run all layers in order on `config`, the keys as the engine passes them."""
    upstream: dict[str, dict[str, Any]] = {}
    result: dict[str, Declared] = {}
    for layer in in_order(LAYERS):
        result[layer.name] = run_layer(layer, environment, upstream, config)
        upstream[f"organization/{layer.project}/{environment}"] = result[layer.name].outputs
    return result
