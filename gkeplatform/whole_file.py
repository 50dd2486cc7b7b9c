"""The stack file as a whole: every layer's keys, and what they say of each other's.

A layer's program checks the whole file before its first resource, so that a mistake in the last
layer's keys is told before the first layer is touched.
"""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from gkeplatform import hosts, namespaces, traffic
from gkeplatform.config import Settings, load
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, LAYERS, NETWORKING, SERVING, Layer


def config_type(layer: Layer) -> type[Settings]:
    """The type of the layer's keys: named in `layers`, imported here."""
    module, _, name = layer.config.partition(":")
    found: type[Settings] = getattr(importlib.import_module(module), name)
    return found


def check(values: Mapping[str, str], *, file: str, secret: Iterable[str] = ()) -> None:
    """`PlatformError` where the keys of a layer are wrong; layers without any are left out."""
    namespaces.check(values, file=file)
    hidden = frozenset(secret)
    known: dict[str, Any] = {
        layer.name: load(
            config_type(layer), namespace=layer.project, values=values, file=file, secret=hidden
        )
        for layer in LAYERS
        if any(key.startswith(f"{layer.project}:") for key in values)
    }
    if SERVING.name not in known:
        return
    models = known[SERVING.name].models
    # A layer without keys has its defaults, which may not do for another's keys.
    networking: Any = known.get(NETWORKING.name) or config_type(NETWORKING)()
    wanted = {
        model.name: model.exposure.hosts
        for model in models
        if _kind(model.exposure) == "http-load-balancer"
    }
    hosts.check(wanted, [domain.name for domain in networking.domains], file=file)
    traffic.check(models, networking, file=file)
    if CLUSTER.name in known:
        _check_gateway(models, known[CLUSTER.name].cluster, file=file)


def _check_gateway(models: Iterable[Any], cluster: Any, *, file: str) -> None:
    """A Gateway without its API would be refused by the cluster, halfway."""
    for index, model in enumerate(models):
        if _kind(model.exposure) == "gateway" and not cluster.gateway_api:
            raise PlatformError(
                f"{file}: gke-serving:models[{index}].exposure.kind: gateway needs the Gateway "
                "API, which gke-cluster:cluster.gateway_api turns off; set it to true"
            )


def _kind(exposure: Any) -> str:
    return str(exposure.__struct_config__.tag)
