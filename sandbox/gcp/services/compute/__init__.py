"""Compute Engine: networks, load balancing, groups.

The usual methods come from `resources` for every collection that stands in `kinds`; what is
special of a kind stands in a module of its own. Machines are not emulated.
"""

from __future__ import annotations

from sandbox.gcp.discovery import document
from sandbox.gcp.service import Handler, Service
from sandbox.gcp.services.compute import catalogue, methods, operations, resources
from sandbox.gcp.services.compute.kinds import KINDS

_USUAL: dict[str, Handler] = {
    "aggregatedList": resources.aggregated,
    "delete": resources.delete,
    "get": resources.get,
    "insert": resources.insert,
    "list": resources.list_,
    "patch": resources.patch,
    "setLabels": resources.set_labels,
    "update": resources.update,
}
_OPERATIONS: dict[str, Handler] = {
    "delete": operations.delete,
    "get": operations.get,
    "list": operations.list_,
    "wait": operations.wait,
}
# Made by GKE alone: an insert through the API would need machines.
_READ_ONLY = frozenset({"instanceGroupManagers"})
_READING = frozenset({"aggregatedList", "get", "list"})


def _handlers() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for method in document("compute", "v1").methods:
        segments = method.path.split("/")
        if method.collection.endswith("Operations"):
            if method.name in _OPERATIONS:
                found[method.id] = _OPERATIONS[method.name]
            continue
        collection = next((s for s in reversed(segments) if s in KINDS), None)
        if collection is None or method.name not in _USUAL:
            continue
        if collection not in _READ_ONLY or method.name in _READING:
            found[method.id] = _USUAL[method.name]
    return {**found, **catalogue.METHODS, **methods.METHODS}


SERVICE = Service("compute", _handlers())
