"""What a preview leaves unknown where a server listens on other ports.

The Kubernetes provider creates an object as one kind of field manager and updates it as another,
and takes over the fields of the first only in an update. In the preview of an object's first update
the API server therefore sees new ports beside the old ones, and refuses two ports of one name. The
provider does not ask it about an object with an unknown value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from gkeplatform import planned
from gkeplatform.contracts import ServingContract
from infra.serving.manifest import Manifest
from infra.serving.models import Workload, container

Ports = Mapping[str, int]
_NUMBERS = ("port", "containerPort")


def numbers(server: Workload) -> dict[str, int]:
    """The ports of a server's container, by name."""
    return {one["name"]: one["containerPort"] for one in container.ports(server.preset)}


def deployed(serving: ServingContract | None) -> dict[tuple[str, str], Ports]:
    """The ports of each model at the last update of this layer, by namespace and model."""
    return {(one.namespace, one.name): one.ports for one in (serving.models if serving else ())}


def changed(server: Workload, before: Mapping[tuple[str, str], Ports]) -> frozenset[str]:
    """The names whose numbers are others than at the last update; a canary has its model's."""
    old = before.get((server.namespace, server.served_name), {})
    new = numbers(server)
    return frozenset(name for name in old.keys() & new.keys() if old[name] != new[name])


def hidden(manifest: Any, names: Collection[str]) -> Any:
    """A manifest with the numbers of the ports of these names unknown."""
    if not names:
        return manifest
    if isinstance(manifest, Mapping):
        return {
            key: _without(value, names) if key == "ports" else hidden(value, names)
            for key, value in manifest.items()
        }
    if isinstance(manifest, list | tuple):
        return [hidden(one, names) for one in manifest]
    return manifest


def _without(ports: Iterable[Manifest], names: Collection[str]) -> list[Manifest]:
    return [
        {key: planned.UNKNOWN if key in _NUMBERS else value for key, value in port.items()}
        if port.get("name") in names
        else port
        for port in ports
    ]
