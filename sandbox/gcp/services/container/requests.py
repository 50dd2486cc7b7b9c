"""Reading a request, in its new (`locations`) and its old (`zones`) form."""

from __future__ import annotations

from sandbox.gcp.service import Call
from sandbox.gcp.services.container.form import Json
from sandbox.gcp.services.container.places import Place
from sandbox.gcp.services.container.render import known_to


def _parameter(call: Call, *names: str) -> str:
    for name in names:
        if call.path.get(name):
            return call.path[name]
    raise KeyError(f"{call.method.id} has none of {', '.join(names)}")


def place(call: Call) -> Place:
    """Return the location that a request is about."""
    return Place(
        _parameter(call, "projectsId", "projectId"),
        _parameter(call, "locationsId", "zonesId", "zone"),
    )


def cluster_name(call: Call) -> str:
    """Return the cluster that a request is about."""
    return _parameter(call, "clustersId", "clusterId")


def pool_name(call: Call) -> str:
    """Return the node pool that a request is about."""
    return _parameter(call, "nodePoolsId", "nodePoolId")


def operation_name(call: Call) -> str:
    """Return the operation that a request is about."""
    return _parameter(call, "operationsId", "operationId")


def shown(call: Call, schema: str, document: Json) -> Json:
    """Return a document as the request's API version knows it."""
    schemas = dict(call.method.document.schemas)
    result: Json = known_to(schemas, schema, document)
    return result
