"""Deploys and destroys layers of an environment in order; and the summary of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from cli import console
from cli.drift import ports, putting_back
from cli.engine import Engine, Result
from cli.environments import ROOT
from cli.errors import CliError
from cli.release import released
from cli.rollouts import certificates
from cli.updates import inputs
from cli.updates.foresight import Foresight
from cli.updates.records import Records
from gkeplatform.engine_variables import FORGET
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import ENVIRONMENT, LAYERS, NETWORKING, SERVING, Layer, in_order

CLUSTER_TYPE = "gcp:container/cluster:Cluster"


def up(  # noqa: PLR0913 (an update has its options)
    environment: str,
    variables: Mapping[str, str],
    *,
    interactive: bool,
    preview: bool,
    layers: Sequence[Layer] = LAYERS,
    refresh: bool = False,
    allowed: Collection[str] = (),
    done: dict[str, Result] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
    before: Callable[[], None] = lambda: None,
    is_waited_for: bool = False,
) -> dict[str, Any]:
    """Deploy the layers, each after those that it needs; return the summary document.

    `refresh`: read the account first, so that what was changed there is changed back. `allowed` may
    be replaced or deleted although it is protected. `done` gets the layers' results as they come,
    also when a later layer fails. `meanwhile` is called once, while the layers are looked at and
    before any is touched. `before` is called before a layer is touched; layers that have nothing to
    change are not. `is_waited_for`: it takes as long as a preview, so the first layer is previewed
    meanwhile.

    `address` and `models` are outputs of the environment layer: None and empty where it is not
    among `layers`.
    """
    forgetting = {**variables, FORGET: "true"}
    engine = Engine(variables, console.say)
    names = released(environment) | set(allowed)
    results: dict[str, Result] = {} if done is None else done
    order = in_order(layers)
    foresight = Foresight(
        environment,
        order,
        # One layer alone is updated at once. What is released changes the state before its update.
        looks_ahead=not interactive and not names and not refresh and len(order) > 1,
        previews_first=preview and is_waited_for,
        engine=partial(Engine, variables),
        inputs=partial(inputs.digests, environment, inputs.Machine.present(ROOT, variables)),
        records=Records(environment, variables),
    )

    def deploy(layer: Layer) -> None:
        foresight.wait(layer)
        before()
        engine.release(layer, environment, names)
        made = engine.up(
            layer,
            environment,
            interactive=interactive,
            preview=preview and not foresight.is_previewed(layer),
            refresh=refresh,
        )
        results[layer.name] = _joined(results.get(layer.name), made)
        foresight.updated(layer, made)

    with foresight:
        meanwhile()
        for layer in order:
            unchanged = foresight.unchanged(layer)
            if unchanged is not None:
                results[layer.name] = unchanged
                continue
            try:
                deploy(layer)
            except CliError as error:
                again = deploy
                if error.says(LET_GO_FIRST) and NETWORKING in layers:
                    console.say("instance groups leave the load balancer first", NETWORKING.name)
                    deploy(NETWORKING)
                elif error.says(FORGET) and engine.holds_replaced_cluster(layer, environment):
                    console.say("what a replaced cluster held is forgotten", layer.name)
                    engine = Engine(forgetting, console.say)
                elif refresh and ports.is_refused(str(error)):
                    again = partial(
                        putting_back.deploy,
                        deploy=deploy,
                        error=error,
                        put_back=partial(
                            putting_back.put_back,
                            engine,
                            environment,
                            variables,
                            interactive=interactive,
                        ),
                    )
                else:
                    raise
                again(layer)
            if CLUSTER_TYPE in results[layer.name].replaced:
                console.say("what the replaced cluster held is forgotten", layer.name)
                engine = Engine(forgetting, console.say)
            if layer is NETWORKING and _keeps_former_ways(results):
                what = "what only the load balancer's former routes used is removed"
                console.say(what, SERVING.name)
                deploy(SERVING)
        issuing = _issuing(results)
        if issuing and certificates.wait(
            issuing, variables, lambda text: console.say(text, NETWORKING.name)
        ):
            console.say("the former certificate leaves the load balancer", NETWORKING.name)
            deploy(NETWORKING)
    last = results.get(ENVIRONMENT.name)
    outputs: Mapping[str, Any] = last.outputs if last else {}
    return {
        "environment": environment,
        "layers": [_layer(results[layer.name]) for layer in in_order(layers)],
        "address": outputs.get("address"),
        "models": [{"name": m["name"], "url": m["url"]} for m in outputs.get("models") or []],
    }


def down(
    environment: str,
    variables: Mapping[str, str],
    *,
    interactive: bool,
    layers: Sequence[Layer] = LAYERS,
    allowed: Collection[str] = (),
    done: dict[str, Result] | None = None,
) -> dict[str, Any]:
    """Destroy the layers, each before those that it needs; return the summary document."""
    engine = Engine(variables, console.say)
    names = released(environment) | set(allowed)
    results: dict[str, Result] = {} if done is None else done
    for layer in reversed(in_order(layers)):
        engine.release(layer, environment, names)
        results[layer.name] = engine.destroy(layer, environment, interactive=interactive)
    return {"environment": environment, "layers": [_layer(one) for one in results.values()]}


def _keeps_former_ways(results: Mapping[str, Result]) -> bool:
    """Whether serving, deployed before networking, kept what the former routes used."""
    serving = results.get(SERVING.name)
    return serving is not None and bool(serving.outputs.get("kept"))


def _issuing(results: Mapping[str, Result]) -> Sequence[str]:
    """The certificates that take over once Google has issued them: the former ones stay till then.

    They come last: whoever ends the wait has everything else deployed.
    """
    networking = results.get(NETWORKING.name)
    return networking.outputs.get("issuing") or () if networking else ()


def _joined(earlier: Result | None, later: Result) -> Result:
    """The result of two runs of a layer: what is unchanged, and the outputs, are the later's."""
    if earlier is None:
        return later
    changes = {
        kind: count + (earlier.changes.get(kind, 0) if kind != "same" else 0)
        for kind, count in later.changes.items()
    }
    return Result(
        later.layer,
        earlier.seconds + later.seconds,
        changes,
        later.outputs,
        {*earlier.replaced, *later.replaced},
    )


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
