"""The emulated Compute Engine API: networks, load balancing, groups.

`resources` has the standard methods of every collection in `kinds`; what differs for a kind is in
that kind's module. VM instances are not emulated.
"""

from __future__ import annotations

from sandbox.gcp.discovery import document
from sandbox.gcp.service import Handler, Service
from sandbox.gcp.services.compute import locations, methods, operations, resources
from sandbox.gcp.services.compute.kinds import KINDS

_STANDARD: dict[str, Handler] = {
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
# Only GKE creates them: an insert through the API would need VM instances.
_READ_ONLY = frozenset({"instanceGroupManagers"})
_READ_METHODS = frozenset({"aggregatedList", "get", "list"})


def _handlers() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for method in document("compute", "v1").methods:
        segments = method.path.split("/")
        if method.collection.endswith("Operations"):
            if method.name in _OPERATIONS:
                found[method.id] = _OPERATIONS[method.name]
            continue
        collection = next((s for s in reversed(segments) if s in KINDS), None)
        if collection is None or method.name not in _STANDARD:
            continue
        if collection not in _READ_ONLY or method.name in _READ_METHODS:
            found[method.id] = _STANDARD[method.name]
    return {**found, **locations.METHODS, **methods.METHODS}


SERVICE = Service("compute", _handlers())
