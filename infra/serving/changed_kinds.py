"""What a preview leaves unknown where a volume, probe, hook or variable changes its kind.

As with ports (`changed_ports.py`), the preview of an object's first update has the former kind
beside the new one: "may not specify more than 1 volume type". The provider does not ask the API
server about an object with an unknown value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gkeplatform import planned
from gkeplatform.contracts import ServingContract
from infra.serving.models import Workload, pod

Kinds = Mapping[str, str]
Union = Mapping[str, Any]
_USUAL = frozenset({"emptyDir", "httpGet", "sleep", "value"})
"""Kinds that are not published: most are these."""
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_DRIVER = "driver"
"""Stays known: it tells policies what the volume is."""


def kinds(server: Workload) -> dict[str, str]:
    """The kind at each place of a server's pods: `volumes/files: csi`. Without the usual ones."""
    spec = pod.template(server, labels={}, account="")["spec"]
    found = {place: _kind(union) for place, union in _unions(spec, server.name)}
    return {place: kind for place, kind in found.items() if kind not in _USUAL}


def deployed(serving: ServingContract | None) -> dict[tuple[str, str], Kinds]:
    """The kinds of each model at the last update of this layer, by namespace and model."""
    models = serving.models if serving else ()
    return {(one.namespace, one.name): one.kinds for one in models if one.kinds is not None}


def changed(server: Workload, before: Mapping[tuple[str, str], Kinds]) -> frozenset[str]:
    """The places with another kind than at the last update; a canary has its model's."""
    old = before.get((server.namespace, server.served_name))
    if old is None:
        return frozenset()
    new = kinds(server)
    return frozenset(place for place in old.keys() | new.keys() if old.get(place) != new.get(place))


def hidden(manifest: Any, places: Collection[str], *, server: str) -> Any:
    """A manifest in which what is at these places of pods is unknown; `server` has their name."""
    if not places:
        return manifest
    if isinstance(manifest, list | tuple):
        return [hidden(one, places, server=server) for one in manifest]
    if not isinstance(manifest, Mapping):
        return manifest
    if "containers" not in manifest:
        return {key: hidden(one, places, server=server) for key, one in manifest.items()}
    unknown = [id(union) for place, union in _unions(manifest, server) if place in places]
    return _without(manifest, unknown)


def _without(value: Any, unknown: Collection[int]) -> Any:
    if id(value) in unknown:
        return {key: one if key == "name" else _unknown(one) for key, one in value.items()}
    if isinstance(value, Mapping):
        return {key: _without(one, unknown) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without(one, unknown) for one in value]
    return value


def _unknown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: one if key == _DRIVER else _unknown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_unknown(one) for one in value]
    return planned.UNKNOWN


def _kind(union: Union) -> str:
    """The member that a union has beside its name and what all kinds have."""
    if "valueFrom" in union:
        return _kind(union["valueFrom"])
    return next((key for key, one in union.items() if isinstance(one, Mapping)), "value")


def _unions(spec: Union, server: str) -> Iterator[tuple[str, Union]]:
    """Each place of a pod that may have one of several kinds. `server` names its container."""
    for volume in spec.get("volumes") or ():
        yield f"volumes/{volume['name']}", volume
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or ():
            name = "server" if container["name"] == server else container["name"]
            for probe in _PROBES:
                if container.get(probe):
                    yield f"{name}/{probe}", container[probe]
            for hook, handler in (container.get("lifecycle") or {}).items():
                if isinstance(handler, Mapping):
                    yield f"{name}/{hook}", handler
            for variable in container.get("env") or ():
                yield f"{name}/{variable['name']}", variable
