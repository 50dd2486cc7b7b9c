"""Every optional key of every layer may be left out: the programs deploy, or refuse with one line.

What the program then leaves out may not be what Google's provider keeps (`computed_inputs`).

The keys come from the layers' types. A key that a rule requires of these files is in REQUIRED, with
what the message must say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import dropwhile, takewhile
from typing import Any

import pytest
from msgspec import inspect

from declared import Declared, run_layer, stack_config
from gkeplatform.config import Settings
from gkeplatform.layers import LAYERS, in_order
from gkeplatform.stack import Refused
from infra.stack_file import NAMESPACES
from tests.inventory.computed_inputs import vanished

Path = tuple[str, ...]
ORDER = in_order(LAYERS)
BY_NAME = {layer.name: layer for layer in LAYERS}
FILES = ("dev", "prod")
"""dev has the NGINX ingress; prod has the rest."""

MODELS = "gke-serving:models"
REQUIRED: dict[Path, str] = {
    ("gke-cluster:network", "proxies_cidr"): "needs a proxy-only subnet",
    ("gke-cluster:node_pools", "accelerator"): "g2-standard-8 comes with 1 x nvidia-l4",
    ("gke-cluster:node_pools", "disk_size_gb"): "of disk for pods",
    ("gke-serving:teams",): "there is no team",
    ("gke-serving:priority_classes",): "there is no priority class",
    ("gke-serving:postgres",): "there is no Postgres cluster",
    ("gke-serving:postgres", "clusters", "resources", "limits", "cpu"): "limits.cpu is missing",
    ("gke-serving:ingress",): "an Ingress needs a controller",
    ("gke-networking:domains",): "HTTPS needs domains",
    (MODELS, "source"): "source is missing",
    (MODELS, "autoscaling"): "need autoscaling",
    (MODELS, "autoscaling", "metrics", "average"): 'the key "average" is missing',
    (MODELS, "autoscaling", "scale_down", "percent"): "set either pods or percent",
    (MODELS, "canary", "source"): "set its source, image or arguments",
    (MODELS, "disruption", "min_available"): "set either min_available or max_unavailable",
    (MODELS, "exposure", "backend"): "is for backend instance-groups only",
    (MODELS, "exposure", "node_port"): "needs a fixed node_port",
    (MODELS, "exposure", "rewrites"): "rewrites",
    (MODELS, "resources", "gpu"): "needs a GPU",
    (MODELS, "resources", "gpu", "type"): "set a type",
}


def optional(info: inspect.Type, path: Path = ()) -> Iterator[Path]:
    """The paths of the keys below a type that have a default; through lists and unions."""
    match info:
        case inspect.StructType(fields=fields):
            for field in fields:
                below = (*path, field.encode_name)
                if not field.required:
                    yield below
                yield from optional(field.type, below)
        case inspect.UnionType(types=types):
            for kind in types:
                yield from optional(kind, path)
        case inspect.VarTupleType(item_type=item) | inspect.Metadata(type=item):
            yield from optional(item, path)
        case _:
            return


def keys(model: type[Settings]) -> Iterator[Path]:
    """The optional keys of a layer's configuration, as paths that begin with `namespace:key`."""
    for key, *steps in dict.fromkeys(optional(inspect.type_info(model))):
        yield (f"{NAMESPACES[model]}:{key}", *steps)


def without(value: Any, steps: Path) -> tuple[Any, bool]:
    """The value without the key at `steps`, in every item of lists, and whether there was one."""
    if isinstance(value, list):
        parts = [without(item, steps) for item in value]
        return [part for part, _ in parts], any(found for _, found in parts)
    if not isinstance(value, dict) or steps[0] not in value:
        return value, False
    if len(steps) == 1:
        return {key: item for key, item in value.items() if key != steps[0]}, True
    part, found = without(value[steps[0]], steps[1:])
    return {**value, steps[0]: part}, found


def edited(config: dict[str, str], path: Path) -> dict[str, str] | None:
    """The stack file without the key; None if it does not have it."""
    key, *steps = path
    if key not in config:
        return None
    if not steps:
        return {name: value for name, value in config.items() if name != key}
    value, found = without(json.loads(config[key]), tuple(steps))
    return config | {key: json.dumps(value)} if found else None


@cache
def whole(environment: str, layer: str) -> Declared:
    """A layer of the unchanged file, on mocks."""
    return run_layer(BY_NAME[layer], environment, upstream(environment, layer, {}))


def upstream(
    environment: str, layer: str, changed: Mapping[str, Declared]
) -> dict[str, dict[str, Any]]:
    """The outputs of the layers before `layer`: of `changed`, else of the unchanged file."""
    found = {}
    for one in takewhile(lambda one: one.name != layer, ORDER):
        declared = changed.get(one.name) or whole(environment, one.name)
        found[f"organization/{one.project}/{environment}"] = declared.outputs
    return found


def deployed(environment: str, config: dict[str, str], key: str) -> dict[str, Declared]:
    """Deploy the layer that the key belongs to, and those after it; return them by name."""
    namespace = key.partition(":")[0]
    own = next((one.name for one in ORDER if one.project == namespace), ORDER[0].name)
    changed: dict[str, Declared] = {}
    for layer in dropwhile(lambda one: one.name != own, ORDER):
        before = upstream(environment, layer.name, changed)
        changed[layer.name] = run_layer(layer, environment, before, config)
    return changed


def removals() -> Iterator[tuple[str, Path]]:
    """Each optional key once, with the first file that has it."""
    configs = {name: stack_config(name) for name in FILES}
    for model in NAMESPACES:
        for path in keys(model):
            for name in FILES:
                if edited(configs[name], path) is not None:
                    yield name, path
                    break


CASES = list(removals())


def test_the_keys_come_from_the_types() -> None:
    paths = {path for _, path in CASES}
    assert len(paths) > 60
    assert {key.partition(":")[0] for key, *_ in paths} == set(NAMESPACES.values()) - {"gcp"}
    assert ("gke-cluster:cluster", "backup", "retain_days") in paths


@pytest.mark.parametrize(
    ("environment", "path"), CASES, ids=lambda one: "-".join(one) if isinstance(one, tuple) else one
)
def test_an_optional_key_may_be_left_out(environment: str, path: Path) -> None:
    config = edited(stack_config(environment), path)
    assert config is not None
    if path not in REQUIRED:
        after = deployed(environment, config, path[0])
        assert list(after)[-1] == ORDER[-1].name
        for layer, declared in after.items():
            assert vanished(whole(environment, layer), declared) == {}
        return
    with pytest.raises(Refused) as raised:
        deployed(environment, config, path[0])
    assert REQUIRED[path] in raised.value.message
    assert raised.value.message.startswith("stacks/Pulumi.")
