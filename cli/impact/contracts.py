"""Merges the outputs that a preview announces with the deployed ones, for the layers after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.steps import MASKED, UNKNOWN, Step
from gkeplatform.layers import CLUSTER

Json = dict[str, Any]
CLUSTER_TYPE = "gcp:container/cluster:Cluster"
POOL_TYPE = "gcp:container/nodePool:NodePool"
_STACK = "pulumi:pulumi:Stack"
_MASK = "4dabf18193072939515e22adb298388d"
"""The key with which the engine marks an object that stands for a secret."""
_NAMES = (("pool", "zone"), ("name",))
"""Fields that tell the elements of a list in a contract apart."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The planned outputs of a layer, without its secrets."""

    outputs: Mapping[str, Any]
    """Known values, assumed ones, and UNKNOWN."""
    assumed: tuple[str, ...] = ()
    """Paths of values that are not known before the update; the deployed ones stand for them."""
    unknown: tuple[str, ...] = ()
    """Paths of values that are not known and were not deployed."""
    is_as_deployed: bool = False
    """Whether the layer will publish what it has published, so that later layers see no change."""


def planned(layer: str, steps: Iterable[Step], announced: Mapping[str, Any]) -> Planned:
    """The outputs of a layer's preview, `announced`, completed with what is deployed."""
    steps = list(steps)
    deployed = _deployed(steps)
    announced, before = dict(announced), dict(deployed)
    if layer == CLUSTER.name and _lacks_groups(announced, deployed):
        announced["instance_groups"] = _instance_groups(
            announced.get("node_pools"), before.pop("instance_groups", None), _renewed(steps)
        )
    assumed: list[str] = []
    unknown: list[str] = []
    outputs = {
        key: _merged(key, value, before.get(key), assumed, unknown)
        for key, value in announced.items()
        if not is_secret(value)
    }
    public = {key: value for key, value in deployed.items() if not is_secret(value)}
    is_same = bool(deployed) and outputs == public and not assumed and not unknown
    return Planned(outputs, tuple(assumed), tuple(unknown), is_same)


def is_secret(value: Any) -> bool:
    """Whether the engine has masked a value, or a part of it."""
    if isinstance(value, Mapping):
        return _MASK in value or any(is_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(is_secret(item) for item in value)
    return bool(value == MASKED)


def _deployed(steps: Iterable[Step]) -> Json:
    """The outputs of the layer's stack at its last update; empty for a new stack."""
    found = (dict(step.outputs) for step in steps if step.type == _STACK and step.outputs)
    return next(found, {})


def _renewed(steps: Iterable[Step]) -> frozenset[str] | None:
    """The node pools that are created or replaced; None where the cluster is: all are."""
    steps = list(steps)
    if any(step.type == CLUSTER_TYPE and step.is_replacement for step in steps):
        return None
    new = (s for s in steps if s.type == POOL_TYPE and (s.is_replacement or s.op == "create"))
    return frozenset(step.name for step in new)


def _lacks_groups(announced: Json, deployed: Json) -> bool:
    """Whether the announced instance groups are not those that the pools will have.

    The provider announces the groups of a pool that stays as it last read them: without those of a
    zone that the update adds.
    """
    groups = announced.get("instance_groups")
    if groups == UNKNOWN:
        return True
    if not isinstance(groups, list) or announced.get("node_pools") == deployed.get("node_pools"):
        return False
    found = {(one["pool"], one["zone"]) for one in groups if isinstance(one, Mapping)}
    pools = announced["node_pools"]
    return isinstance(pools, list) and any(
        (pool["name"], zone) not in found for pool in pools for zone in pool["zones"]
    )


def _instance_groups(pools: Any, deployed: Any, renewed: Collection[str] | None) -> Any:
    """One group for each pool and zone. The addresses of those that stay are known."""
    if not isinstance(pools, list):
        return UNKNOWN
    addresses = {(one["pool"], one["zone"]): one["url"] for one in deployed or ()}
    found = []
    for pool in pools:
        for zone in sorted(pool["zones"]):
            stays = renewed is not None and pool["name"] not in renewed
            address = addresses.get((pool["name"], zone)) if stays else None
            found.append({"pool": pool["name"], "zone": zone, "url": address or UNKNOWN})
    return found


def _merged(path: str, value: Any, deployed: Any, assumed: list[str], unknown: list[str]) -> Any:
    """The value, with deployed values for what is unknown in it."""
    if isinstance(value, str) and UNKNOWN in value:
        if deployed is None:
            unknown.append(path)
            return UNKNOWN
        assumed.append(path)
        return deployed
    if isinstance(value, Mapping):
        before = deployed if isinstance(deployed, Mapping) else {}
        return {
            key: _merged(f"{path}.{key}", item, before.get(key), assumed, unknown)
            for key, item in value.items()
        }
    if isinstance(value, list):
        before = {_name(one): one for one in deployed} if isinstance(deployed, list) else {}
        return [
            _merged(
                f"{path}[{_name(one) or index}]",
                one,
                before.get(_name(one)) if _name(one) else None,
                assumed,
                unknown,
            )
            for index, one in enumerate(value)
        ]
    return value


def _name(element: Any) -> str:
    """What tells an element of a list from the others; empty where nothing does."""
    if isinstance(element, Mapping):
        for fields in _NAMES:
            found = [element.get(field) for field in fields]
            if all(isinstance(one, str) and UNKNOWN not in one for one in found):
                return "/".join(map(str, found))
    return ""
