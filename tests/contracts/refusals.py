"""The message with which a program refuses to run. Not a test."""

from collections.abc import Mapping
from typing import Any

from declared import Declared, run_layer
from gkeplatform.layers import Layer
from gkeplatform.stack import Refused


def refusal(
    layer: Layer,
    upstream: Mapping[str, dict[str, Any]],
    config: Mapping[str, str] | None = None,
    *,
    environment: str = "dev",
) -> str:
    """The message with which the layer's program refuses to run, having touched nothing."""
    declared = Declared()
    try:
        run_layer(layer, environment, upstream, config, into=declared)
    except Refused as refused:
        touched = [kind for kind, _ in declared.inputs if not kind.startswith("pulumi:providers:")]
        assert not touched, touched
        return refused.message
    raise AssertionError(f"layer {layer.name} did not refuse")
