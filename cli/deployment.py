"""Deploys, previews and destroys layers of an environment in order; and the summary of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cli import console
from cli.engine import Engine, Result
from cli.errors import CliError
from cli.release import released
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import ENVIRONMENT, LAYERS, NETWORKING, Layer, in_order

CLUSTER_TYPE = "gcp:container/cluster:Cluster"
FORGET = "PULUMI_K8S_DELETE_UNREACHABLE"
"""Tells the Kubernetes provider that objects are gone whose cluster cannot be reached. Set only
after that cluster was replaced in the same run: its objects are gone with it."""


def up(
    environment: str,
    variables: Mapping[str, str],
    *,
    interactive: bool,
    preview: bool,
    layers: Sequence[Layer] = LAYERS,
) -> dict[str, Any]:
    """Deploy the layers, each after those that it needs; return the summary document.

    `address` and `models` are outputs of the environment layer: None and empty where it is not
    among `layers`.
    """
    engine = Engine(variables, console.say)
    names = released(environment)
    results: dict[str, Result] = {}
    for layer in in_order(layers):
        engine.release(layer, environment, names)
        deploy = partial(engine.up, stack=environment, interactive=interactive, preview=preview)
        try:
            results[layer.name] = deploy(layer)
        except CliError as error:
            if LET_GO_FIRST not in str(error) or NETWORKING not in layers:
                raise
            console.say("instance groups leave the load balancer first", NETWORKING.name)
            engine.release(NETWORKING, environment, names)
            deploy(NETWORKING)
            results[layer.name] = deploy(layer)
        if CLUSTER_TYPE in results[layer.name].replaced:
            console.say("what the replaced cluster held is forgotten", layer.name)
            engine = Engine({**variables, FORGET: "true"}, console.say)
    last = results.get(ENVIRONMENT.name)
    outputs: Mapping[str, Any] = last.outputs if last else {}
    return {
        "environment": environment,
        "layers": [_layer(result) for result in results.values()],
        "address": outputs.get("address"),
        "models": [{"name": m["name"], "url": m["url"]} for m in outputs.get("models") or []],
    }


def preview(
    environment: str, variables: Mapping[str, str], layers: Sequence[Layer] = LAYERS
) -> None:
    """Show what deploying each layer would change."""
    engine = Engine(variables, console.say)
    for layer in in_order(layers):
        engine.preview(layer, environment)


def down(environment: str, variables: Mapping[str, str], *, interactive: bool) -> dict[str, Any]:
    """Destroy every layer, each before those that it needs; return the summary document."""
    engine = Engine(variables, console.say)
    names = released(environment)
    results = []
    for layer in reversed(in_order()):
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
    """The summary document of `up` as text."""
    names = [layer["layer"] for layer in document["layers"]]
    which = "" if len(names) == len(LAYERS) else f", only {' and '.join(names)}"
    lines = [f"{document['environment']} is deployed{which}", ""]
    for layer in document["layers"]:
        changed = [f"{n} {kind}" for kind, n in layer["changes"].items() if n and kind != "same"]
        same = f"{layer['changes']['same']} unchanged"
        lines.append(
            f"  {layer['layer']:<12}{layer['seconds']:6.1f} s   {', '.join([*changed, same])}"
        )
    if ENVIRONMENT.name not in names:
        return "\n".join(lines)
    lines += ["", f"  load balancer  {document['address']}"]
    width = max((len(model["name"]) for model in document["models"]), default=0)
    lines += [f"  {model['name']:<{width}}  {model['url']}" for model in document["models"]]
    return "\n".join(lines)
