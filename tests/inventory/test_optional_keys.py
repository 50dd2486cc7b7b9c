"""Every optional key of every layer may be left out: the programs deploy, or refuse with one line.

The keys come from the layers' types. A key that a rule requires of these files is in REQUIRED, with
what the message must say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from declared import Declared, run_layer, stack_config
from gkeplatform import stack_values
from gkeplatform.config import Settings
from gkeplatform.layers import LAYERS, in_order
from gkeplatform.stack import Refused
from infra.stack_file import NAMESPACES

Path = tuple[str, ...]
FILES = ("dev", "prod")
"""dev has the NGINX ingress; prod has the rest."""

REQUIRED = {
    ("gke-serving:models", "source"): "source is missing",
    ("gke-serving:models", "autoscaling"): "need autoscaling",
    ("gke-serving:models", "custom"): "needs the key custom",
    ("gke-serving:models", "files"): "files.via",
    ("gke-serving:models", "team"): "",
    ("gke-serving:priority_classes",): "there is no priority class",
    ("gke-serving:teams",): "there is no team",
    ("gke-serving:postgres",): "postgres",
    ("gke-networking:domains",): "domain",
    ("gke-networking:certificates",): "HTTPS",
    ("gke-networking:dns",): "dns",
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


def deployed(environment: str, config: dict[str, str]) -> dict[str, Declared]:
    """All layers on mocks."""
    upstream: dict[str, dict[str, Any]] = {}
    found = {}
    for layer in in_order(LAYERS):
        found[layer.name] = run_layer(layer, environment, upstream, config)
        upstream[f"organization/{layer.project}/{environment}"] = found[layer.name].outputs
    return found


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


@pytest.mark.parametrize(("environment", "path"), CASES, ids=lambda one: "-".join(one) if isinstance(one, tuple) else one)
def test_an_optional_key_may_be_left_out(environment: str, path: Path) -> None:
    config = edited(stack_config(environment), path)
    assert config is not None
    if path in REQUIRED:
        with pytest.raises(Refused) as raised:
            deployed(environment, config)
        assert REQUIRED[path] in raised.value.message
        assert raised.value.message.startswith("stacks/Pulumi.")
    else:
        assert set(deployed(environment, config)) == {layer.name for layer in LAYERS}
