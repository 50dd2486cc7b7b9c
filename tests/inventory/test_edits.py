"""Edits of models and of the load balancer: what they replace can be replaced, and undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from declared import Declared, run_layer, stack_config
from gkeplatform import replacement
from gkeplatform.layers import LAYERS, NETWORKING, SERVING
from sandbox.plugins.gcp.registry import handler_of
from tests.environment_runs import environment_run

Values = dict[str, Any]
Edit = Callable[[Values, Values], None]
"""Changes the keys of the stack file, and its models by name."""
SERVICE = "kubernetes:core/v1:Service"
NAMES = ("name", "accountId", "bucket")
OWN_SERVER: Values = {
    "server": "custom",
    "image": "registry.example/acme/mobilenet:1",
    "files": {"via": "gcs-fuse"},
    "custom": {"rest_port": 8501, "path": "/v1/models/mobilenet", "ready": "/v1/models/mobilenet"},
}
"""A server of one's own, which alone may speak HTTP/2."""


def swap(first: str, second: str, key: str) -> Edit:
    def edit(_: Values, models: Values) -> None:
        one, other = (models[name]["exposure"] for name in (first, second))
        one[key], other[key] = other.get(key, []), one.get(key, [])
        for name, exposure in ((first, one), (second, other)):
            served = f"/v1/models/{name}"
            exposure["rewrites"] = {path: served for path in exposure["paths"] if path != served}

    return edit


def models_moved(name: str, exposure: Values | None = None, **changes: Any) -> Edit:
    def edit(_: Values, models: Values) -> None:
        models[name] |= {**changes, **({"exposure": exposure} if exposure else {})}

    return edit


def keys(**changes: Any) -> Edit:
    def edit(values: Values, _: Values) -> None:
        for name, change in changes.items():
            key = f"gke-networking:{name}"
            if change is None:
                values.pop(key, None)
            else:
                values[key] = {**values.get(key, {}), **change}

    return edit


def renamed(_: Values, models: Values) -> None:
    model = models.pop("resnet")
    exposure = model["exposure"] | {"paths": ["/v1/models/resnet-50"]}
    models["resnet-50"] = model | {"name": "resnet-50", "exposure": exposure}


def removed(_: Values, models: Values) -> None:
    for name in ("translate", "segmenter"):
        del models[name]


def together(*edits: Edit) -> Edit:
    def edit(values: Values, models: Values) -> None:
        for one in edits:
            one(values, models)

    return edit


def routed(name: str, **more: Any) -> Values:
    return {"kind": "http-load-balancer", "paths": [f"/v1/models/{name}"], **more}


def on_node_port(name: str, number: int) -> Values:
    return routed(name, backend="instance-groups", node_port=number)


# Edits that do not touch each other share a run of the programs.
EDITS: dict[str, Edit] = {
    "paths and hosts swapped": together(
        swap("resnet", "recommender", "paths"), swap("recommender", "translate", "hosts")
    ),
    "renamed and removed": together(removed, renamed),
    "without HTTPS and CDN": keys(certificates=None, https=None, static_files={"cdn": False}),
    "behind Cloud Armor and Identity-Aware Proxy": keys(
        armor={"rate_limit": {"requests": 100, "interval_seconds": 60}},
        iap={"members": ["group:ml@acme.example"]},
    ),
    "off the load balancer": together(
        models_moved("resnet", {"kind": "gateway", "path": "/resnet"}),
        models_moved("recommender", {"kind": "cluster-ip"}),
        models_moved("translate", {"kind": "load-balancer"}),
        models_moved("fraud", {"kind": "ingress", "path": "/fraud"}),
    ),
    "to another backend": together(
        models_moved("resnet", on_node_port("resnet", 30002)),
        models_moved("fraud", routed("fraud")),
        models_moved("mobilenet", routed("mobilenet", protocol="http2"), **OWN_SERVER),
        models_moved("sentiment", on_node_port("sentiment", 30003)),
    ),
    "to other teams and ports": together(
        models_moved("fraud", team="vision"),
        models_moved("segmenter", team=None),
        models_moved("resnet", routed("resnet"), team="vision"),
    ),
    "to another port": models_moved("fraud", on_node_port("fraud", 30002)),
}


def run(values: Values, outputs: Values) -> dict[str, Declared]:
    """Serving and networking once, after what was deployed before."""
    found = {}
    for layer in (SERVING, NETWORKING):
        found[layer.name] = run_layer(layer, "dev", outputs, values)
        outputs[f"organization/{layer.project}/dev"] = found[layer.name].outputs
    return found


def committed() -> Values:
    return {
        f"organization/{layer.project}/dev": environment_run("dev")[layer.name].outputs
        for layer in LAYERS
    }


def edited(edit: Edit) -> Values:
    stack = stack_config("dev")
    values: Values = {
        key: json.loads(text) if text[:1] in "[{" else text
        for key, text in stack.items()
        if key.startswith(("gke-networking:", "gke-serving:"))
    }
    models = {one["name"]: one for one in values["gke-serving:models"]}
    edit(values, models)
    values["gke-serving:models"] = list(models.values())
    left = {key: text for key, text in stack.items() if key.split(":")[0] not in
            {"gke-networking", "gke-serving"}}  # fmt: skip
    return left | {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }


def clashes(before: Declared, after: Declared) -> Iterator[str]:
    """Resources that would be created beside what has their name."""
    for at in before.inputs.keys() & after.inputs.keys():
        kind, name = at
        handler = handler_of(kind) if kind.startswith("gcp:") else None
        if handler is None or replacement.delete_before_replace(kind):
            continue
        old, new = before.inputs[at], after.inputs[at]
        replaced = [
            key
            for key in old.keys() | new.keys()
            if old.get(key) != new.get(key) and handler.replaces(key, old.get(key), new.get(key))
        ]
        if replaced and not set(replaced) & set(NAMES):
            yield f"{kind} {name}: {', '.join(replaced)}"


def competitors(before: Declared, after: Declared) -> Iterator[str]:
    """Services that would ask for a node port while another has it."""
    holders = dict(node_ports(before))
    for port, (name, namespace) in node_ports(after):
        holder, place = holders.get(port, (name, namespace))
        is_freed = after.deleted_first.get((SERVICE, name), False)
        if holder != name or (place != namespace and not is_freed):
            yield f"{name} asks for {port}, which {holder} has"


def node_ports(declared: Declared) -> Iterator[tuple[int, tuple[str, str]]]:
    for name, service in declared.of(SERVICE).items():
        # A former server's are what they were: the engine keeps them.
        for port in service.get("spec", {}).get("ports", ()):
            if "nodePort" in port:
                yield port["nodePort"], (name, service["metadata"]["namespace"])


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_settles_in_two_runs_and_is_taken_back_in_two(name: str) -> None:
    base = environment_run("dev")
    outputs = committed()
    values = edited(EDITS[name])
    first, second = (run(values, outputs) for _ in range(2))
    back, settled = (run(edited(lambda *_: None), outputs) for _ in range(2))
    for layer in (SERVING.name, NETWORKING.name):
        assert settled[layer].inputs == base[layer].inputs
        for before, after in pairwise((base, first, second, back, settled)):
            assert list(clashes(before[layer], after[layer])) == []
            assert list(competitors(before[layer], after[layer])) == []
    assert first != base
    # Only serving has something to let go of in the second run.
    assert second[NETWORKING.name].inputs == first[NETWORKING.name].inputs


def test_a_variable_of_one_run_is_not_kept_in_the_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    cluster = {"organization/gke-cluster/dev": environment_run("dev")["cluster"].outputs}
    found = run_layer(SERVING, "dev", cluster).of("pulumi:providers:kubernetes")["cluster"]
    assert found == environment_run("dev")["serving"].of("pulumi:providers:kubernetes")["cluster"]
