"""The Service of a node port, by which instance groups lead to a model.

It is named after the port and not after the model: where a port moves from one model to another,
the Service changes its selector. Two Services would compete for the port.
"""

from infra.serving.exposures.base import Protocols, Server, port
from infra.serving.manifest import Manifest


def service_name(number: int) -> str:
    """The name of the Service of a node port."""
    return f"node-port-{number}"


def service(server: Server, number: int, *, protocol: Protocols = "http") -> Manifest:
    """The spec of the Service, which leads to the REST API."""
    if server.rest_port is None:
        raise ValueError(f"{server.name} has no REST API")  # see `require_protocol`
    rest = port("rest", server.rest_port, protocol=protocol, nodePort=number)
    return {"type": "NodePort", "selector": server.selector, "ports": [rest]}
