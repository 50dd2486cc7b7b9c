"""The Service of a node port, by which instance groups lead to a model.

It is named after the port and not after the model: where a port moves from one model to another,
the Service changes its selector. Two Services would compete for the port.
"""

from collections.abc import Iterable, Iterator

from gkeplatform import planned
from gkeplatform.contracts import InstanceGroupBackend, RoutedVersion, ServingContract
from infra.serving.exposures.base import Protocols, Server, port
from infra.serving.manifest import Manifest


def service_name(number: int) -> str:
    """The name of the Service of a node port."""
    return f"node-port-{number}"


def service(
    server: Server, number: int, *, protocol: Protocols = "http", is_known: bool = True
) -> Manifest:
    """The spec of the Service, which leads to the REST API.

    With `is_known` false, the number is one that the engine learns in the update.
    """
    if server.rest_port is None:
        raise ValueError(f"{server.name} has no REST API")  # see `require_protocol`
    node_port = number if is_known else planned.UNKNOWN
    rest = port("rest", server.rest_port, protocol=protocol, nodePort=node_port)
    return {"type": "NodePort", "selector": server.selector, "ports": [rest]}


def namespaces(serving: ServingContract | None, live: Iterable[RoutedVersion]) -> dict[int, str]:
    """The namespace of the Service that has each node port, as far as contracts tell.

    `serving` is what this layer published last, and `live` what the load balancer uses.
    """
    return {**dict(_of_load_balancer(live)), **dict(_of_serving(serving))}


def _of_load_balancer(live: Iterable[RoutedVersion]) -> Iterator[tuple[int, str]]:
    for version in live:
        if isinstance(version.backend, InstanceGroupBackend):
            yield version.backend.node_port, version.namespace


def _of_serving(serving: ServingContract | None) -> Iterator[tuple[int, str]]:
    for model in serving.models if serving else ():
        route = model.route
        for version in (route, route.canary) if route else ():
            if version and isinstance(version.backend, InstanceGroupBackend):
                yield version.backend.node_port, model.namespace
