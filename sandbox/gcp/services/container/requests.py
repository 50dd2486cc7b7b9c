"""Path parameters of requests, for the `locations` and the older `zones` methods."""

from __future__ import annotations

from sandbox.gcp.service import Call
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import select_fields
from sandbox.gcp.services.container.wire_format import Json


def _parameter(call: Call, *names: str) -> str:
    for name in names:
        if call.path.get(name):
            return call.path[name]
    raise KeyError(f"{call.method.id} has none of {', '.join(names)}")


def place(call: Call) -> Place:
    """Return the request's location."""
    return Place(
        _parameter(call, "projectsId", "projectId"),
        _parameter(call, "locationsId", "zonesId", "zone"),
    )


def cluster_name(call: Call) -> str:
    """Return the request's cluster name."""
    return _parameter(call, "clustersId", "clusterId")


def pool_name(call: Call) -> str:
    """Return the request's node pool name."""
    return _parameter(call, "nodePoolsId", "nodePoolId")


def operation_name(call: Call) -> str:
    """Return the request's operation name."""
    return _parameter(call, "operationsId", "operationId")


def shown(call: Call, schema: str, document: Json) -> Json:
    """Return a document with the fields of the request's API version."""
    schemas = dict(call.method.document.schemas)
    result: Json = select_fields(schemas, schema, document)
    return result
