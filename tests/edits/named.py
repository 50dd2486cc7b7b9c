"""Edits of several keys at once: what people do to models, routes, pools and front ends."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.edits.edits import Edit, committed
from tests.edits.fields import Values

Change = Callable[[Values], None]
_MODELS, _POOLS = "gke-serving:models", "gke-cluster:node_pools"


def named() -> Iterator[Edit]:
    """Every named edit, in the environment that has what it changes."""
    for environment, changes in (("dev", _DEV), ("stage", _STAGE)):
        for name, change in changes.items():
            values = committed(environment)
            change(values)
            yield Edit(name, environment, values)


_OWN_SERVER: Values = {
    "server": "custom",
    "image": "registry.example/acme/resnet:1",
    "files": {"via": "gcs-fuse"},
    "custom": {"rest_port": 8501, "path": "/v1/models/resnet", "ready": "/v1/models/resnet"},
}
"""A server of one's own, which alone may speak HTTP/2."""


def _of(values: Values, name: str, key: str = _MODELS) -> Values:
    found: Values = next(one for one in values[key] if one["name"] == name)
    return found


def _model(name: str, **changes: Any) -> Change:
    def change(values: Values) -> None:
        model = _of(values, name)
        for key, value in changes.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = copy.deepcopy(value)

    return change


def _routed(name: str, **more: Any) -> Values:
    return {"kind": "http-load-balancer", "paths": [f"/v1/models/{name}"], **more}


def _on_node_port(name: str, port: int) -> Values:
    return _routed(name, backend="instance-groups", node_port=port)


def _on_ports(name: str, rest: int, grpc: int) -> Change:
    """The same server, told to listen on other ports."""

    def change(values: Values) -> None:
        arguments = ["--rest_api_port={rest_port}", "--port={grpc_port}", "--model_name={name}"]
        custom = {
            "rest_port": rest,
            "grpc_port": grpc,
            "path": "/v1/models/{name}",
            "ready": "/v1/models/{name}",
            "verbs": ["predict"],
        }
        _of(values, name).update(
            server="custom",
            image="tensorflow/serving:2.18.0",
            arguments=arguments,
            files={"via": "gcs-fuse"},
            custom=custom,
        )

    return change


def _key(key: str, value: Any = None) -> Change:
    def change(values: Values) -> None:
        if value is None:
            values.pop(key, None)
        else:
            values[key] = copy.deepcopy(value)

    return change


def _within(key: str, **changes: Any) -> Change:
    def change(values: Values) -> None:
        values[key] = {**values.get(key, {}), **changes}
        for name in [one for one, value in changes.items() if value is None]:
            del values[key][name]

    return change


def _removed(name: str) -> Change:
    def change(values: Values) -> None:
        values[_MODELS] = [one for one in values[_MODELS] if one["name"] != name]

    return change


def _added(values: Values) -> None:
    model = copy.deepcopy(_of(values, "resnet"))
    exposure = _routed("added")
    values[_MODELS].append({**model, "name": "added", "exposure": exposure})


def _renamed(values: Values) -> None:
    _of(values, "resnet").update(name="renamed", exposure=_routed("renamed"))


def _hosts_swapped(values: Values) -> None:
    one, other = _of(values, "recommender")["exposure"], _of(values, "translate")["exposure"]
    one["hosts"] = other.pop("hosts")


def _paths_swapped(values: Values) -> None:
    one, other = _of(values, "resnet")["exposure"], _of(values, "recommender")["exposure"]
    one["paths"], other["paths"] = other["paths"], one["paths"]
    one["rewrites"] = {"/v1/models/recommender": "/v1/models/resnet"}
    other["rewrites"] = {"/v1/models/resnet": "/v1/models/recommender"}


def _pool_added(values: Values) -> None:
    pool = {"name": "spare", "machine_type": "n2-standard-8", "min_nodes": 1, "max_nodes": 2}
    values[_POOLS].append(pool)


def _pool_renamed(values: Values) -> None:
    _of(values, "serving", _POOLS)["name"] = "renamed"
    _of(values, "embeddings")["node_pool"] = "renamed"


def _pool(name: str, **changes: Any) -> Change:
    def change(values: Values) -> None:
        _of(values, name, _POOLS).update(changes)

    return change


def _off_inference_gateway(values: Values) -> None:
    _of(values, "assistant")["exposure"] = {"kind": "cluster-ip"}


def _with_callers(values: Values) -> None:
    _off_inference_gateway(values)
    values["gke-cluster:cluster"]["secret_sync"] = True
    key = {"secret_manager": "key-web", "version": 1}
    web = {"name": "web", "models": ["assistant"], "keys": [key], "tokens_per_minute": 20000}
    values["gke-serving:callers"] = {"failure": "close", "allowed": [web]}


def _without_https(values: Values) -> None:
    for key in ("certificates", "https"):
        values.pop(f"gke-networking:{key}", None)


def _another_domain(values: Values) -> None:
    values["gke-networking:domains"].append({"name": "added.dev.acme.example"})
    values["gke-networking:certificates"][0]["domains"].append("added.dev.acme.example")


def _without_ingress(values: Values) -> None:
    values.pop("gke-serving:ingress")
    _of(values, "sentiment")["exposure"] = {"kind": "cluster-ip"}


def _without_postgres(values: Values) -> None:
    values.pop("gke-serving:postgres")
    _of(values, "recommender").pop("postgres")


# Of one replica the share is lost while its node is drained, as with the pool that leaves it.
_CANARY = {
    "weights": {"stable": 90, "canary": 10},
    "source": "gs://acme-ml-dev-models/next",
    "replicas": {"min": 2, "max": 3},
}
_FOR_EACH_DOMAIN = [
    {"name": name, "kind": "google-managed", "domains": [f"{name}.dev.acme.example"]}
    for name in ("models", "translate")
]
_CLUSTER = "gke-cluster:cluster"

_DEV: dict[str, Change] = {
    "a model added": _added,
    "a model renamed": _renamed,
    "a model removed": _removed("translate"),
    "a model to cluster-ip": _model("resnet", exposure={"kind": "cluster-ip"}),
    "a model to load-balancer": _model("resnet", exposure={"kind": "load-balancer"}),
    "a model to ingress": _model("resnet", exposure={"kind": "ingress", "path": "/resnet"}),
    "a model to gateway": _model("resnet", exposure={"kind": "gateway", "path": "/resnet"}),
    "a model from ingress to gateway": _model(
        "sentiment", exposure={"kind": "gateway", "path": "/model"}
    ),
    "a model from load-balancer to http-load-balancer": _model(
        "mobilenet", exposure=_routed("mobilenet")
    ),
    "a model from cluster-ip to http-load-balancer": _model(
        "embeddings", exposure=_routed("embeddings")
    ),
    "a model to instance groups": _model("resnet", exposure=_on_node_port("resnet", 30002)),
    "a model from instance groups": _model("fraud", exposure=_routed("fraud")),
    "a model to another node port": _model("fraud", exposure=_on_node_port("fraud", 30003)),
    "a model to http2": _model(
        "resnet", exposure=_routed("resnet", protocol="http2"), **_OWN_SERVER
    ),
    "a model to a pool": _model("resnet", node_pool="serving"),
    "a model from a pool": _model("embeddings", node_pool=None),
    "a model to a team": _model("translate", team="vision"),
    "a model from a team": _model("segmenter", team=None),
    "a model on a node port to a team": _model("fraud", team="vision"),
    "other ports behind the load balancer": _on_ports("resnet", 9501, 9500),
    "other ports behind a node port": _on_ports("fraud", 9501, 9500),
    "other ports behind a load-balancer": _on_ports("mobilenet", 9501, 9500),
    "other ports behind cluster-ip": _on_ports("embeddings", 9501, 9500),
    "other ports behind an ingress": _on_ports("sentiment", 9501, 9500),
    "ports of REST and gRPC swapped": _on_ports("recommender", 8500, 8501),
    "hosts of two models swapped": _hosts_swapped,
    "paths of two models swapped": _paths_swapped,
    "traffic split": _model("resnet", canary=_CANARY),
    "traffic mirrored": _model(
        "resnet", canary={**_CANARY, "weights": {"stable": 100, "canary": 0}, "mirror": 10}
    ),
    "a certificate for each domain": _key("gke-networking:certificates", _FOR_EACH_DOMAIN),
    "a domain added": _another_domain,
    "without HTTPS": _without_https,
    "without DNS": _key("gke-networking:dns"),
    "without an ingress": _without_ingress,
    "with Cloud Armor": _key(
        "gke-networking:armor", {"rate_limit": {"requests": 1000, "interval_seconds": 60}}
    ),
    "with Identity-Aware Proxy": _key("gke-networking:iap", {"members": ["group:ml@acme.example"]}),
    "without a CDN": _within("gke-networking:static_files", cdn=False),
    "the gateway API off": _within(_CLUSTER, gateway_api=False),
    "with backups": _within(_CLUSTER, backup={}),
    "a zone more": _within(_CLUSTER, zones=["europe-west4-a", "europe-west4-b", "europe-west4-c"]),
    "a zone less": _within(_CLUSTER, zones=["europe-west4-a"]),
    "one pool in one zone": _pool("serving", zones=["europe-west4-a"]),
    "the release channel": _within(_CLUSTER, release_channel="stable"),
    "a pool added": _pool_added,
    "a pool renamed with its workloads": _pool_renamed,
    "a pool replaced": _pool("serving", spot=False),
    "the control plane's range": _within(_CLUSTER, control_plane_cidr="172.16.1.0/28"),
    "a zonal control plane": _within(_CLUSTER, control_plane_zone="europe-west4-a"),
}
_STAGE: dict[str, Change] = {
    "without a backup plan": _within(_CLUSTER, backup=None),
    "without Cloud Armor": _key("gke-networking:armor"),
    "without Cloud Armor of language models": _within("gke-serving:inference_gateway", armor=None),
    "without Postgres": _without_postgres,
    "a language model from inference-gateway": _off_inference_gateway,
    "a language model for callers with keys": _with_callers,
    "without a canary": _model("resnet", canary=None),
    "without Identity-Aware Proxy of a model": _model(
        "segmenter", exposure={"kind": "http-load-balancer", "paths": ["/v2/models/segmenter"]}
    ),
}
