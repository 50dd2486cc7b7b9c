"""A whole environment: its layers in order, and the summary at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli import console
from cli.engine import Engine, Result
from cli.release import released
from gkeplatform import layers


def up(
    environment: str, variables: Mapping[str, str], *, interactive: bool, preview: bool
) -> dict[str, Any]:
    """Deploy every layer, each after those that it reads; the summary document."""
    engine = Engine(variables, console.say)
    names = released(environment)
    results = []
    for layer in layers.in_order():
        engine.release(layer, environment, names)
        results.append(engine.up(layer, environment, interactive=interactive, preview=preview))
    outputs = results[-1].outputs
    return {
        "environment": environment,
        "layers": [_layer(result) for result in results],
        "address": outputs.get("address"),
        "models": [{"name": m["name"], "url": m["url"]} for m in outputs.get("models") or []],
    }


def preview(environment: str, variables: Mapping[str, str]) -> None:
    """Show what deploying each layer would change."""
    engine = Engine(variables, console.say)
    for layer in layers.in_order():
        engine.preview(layer, environment)


def down(environment: str, variables: Mapping[str, str], *, interactive: bool) -> dict[str, Any]:
    """Destroy every layer, each before those that it reads."""
    engine = Engine(variables, console.say)
    names = released(environment)
    results = []
    for layer in reversed(layers.in_order()):
        engine.release(layer, environment, names)
        results.append(engine.destroy(layer, environment, interactive=interactive))
    return {"environment": environment, "layers": [_layer(result) for result in results]}


def _layer(result: Result) -> dict[str, Any]:
    return {
        "layer": result.layer,
        "seconds": round(result.seconds, 1),
        "changes": dict(result.changes),
    }


def summary(document: Mapping[str, Any]) -> str:
    """The summary for a person."""
    lines = [f"{document['environment']} is deployed", ""]
    for layer in document["layers"]:
        changed = [f"{n} {kind}" for kind, n in layer["changes"].items() if n and kind != "same"]
        same = f"{layer['changes']['same']} unchanged"
        lines.append(
            f"  {layer['layer']:<12}{layer['seconds']:6.1f} s   {', '.join([*changed, same])}"
        )
    lines += ["", f"  load balancer  {document['address']}"]
    width = max((len(model["name"]) for model in document["models"]), default=0)
    lines += [f"  {model['name']:<{width}}  {model['url']}" for model in document["models"]]
    return "\n".join(lines)
