"""Spokes: what a hub connects, one kind of link each."""

from __future__ import annotations

import uuid

from facts.zones import is_region
from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid_argument
from sandbox.gcp.service import Call
from sandbox.gcp.services.compute.place import expand, of_reference
from sandbox.gcp.services.networkconnectivity.hubs import COMMON, HUBS, OPERATIONS

# The field of a link → the spoke's type.
_TYPES = {
    "linkedVpnTunnels": "VPN_TUNNEL",
    "linkedInterconnectAttachments": "INTERCONNECT_ATTACHMENT",
    "linkedRouterApplianceInstances": "ROUTER_APPLIANCE",
    "linkedVpcNetwork": "VPC_NETWORK",
    "linkedProducerVpcNetwork": "PRODUCER_VPC_NETWORK",
    "gateway": "GATEWAY",
}
_GLOBAL = frozenset({"linkedVpcNetwork", "linkedProducerVpcNetwork"})


def _complete(call: Call, spoke: Json, old: Json | None) -> None:
    project, location = call.path["projectsId"], call.path["locationsId"]
    links = [field for field in _TYPES if spoke.get(field) is not None]
    if len(links) != 1:
        raise invalid_argument("Exactly one linked resource must be specified for a spoke.")
    link = links[0]
    if (link in _GLOBAL) != (location == "global"):
        raise invalid_argument(f"A spoke with {link} cannot be in location '{location}'.")
    if not spoke.get("hub"):
        raise invalid_argument("Spoke.hub must be specified.")
    hub = HUBS.load(call.state, spoke["hub"])
    if link == "linkedVpcNetwork":
        _complete_network(call, spoke, project, old)
    spoke["spokeType"] = _TYPES[link]
    spoke.setdefault("group", f"{hub['name']}/groups/default")
    spoke["state"] = "ACTIVE"
    spoke["uniqueId"] = (old or {}).get("uniqueId") or str(uuid.uuid4())


def _complete_network(call: Call, spoke: Json, project: str, old: Json | None) -> None:
    uri = spoke["linkedVpcNetwork"].get("uri") or ""
    network = of_reference(uri, project)
    if network is None or network.collection != "networks":
        raise invalid_argument(f"Invalid network uri: {uri!r}.")
    if network.key not in call.store and network.name != "default":
        raise ApiError(400, f"The network '{network.path}' was not found.")
    spoke["linkedVpcNetwork"]["uri"] = expand(uri, project)
    for _, other in call.store.collection(SPOKES.key(spoke["name"].rpartition("/")[0])):
        linked = (other.get("linkedVpcNetwork") or {}).get("uri")
        if old is None and linked == spoke["linkedVpcNetwork"]["uri"]:
            raise invalid_argument(
                f"The network '{network.path}' is already linked by spoke '{other['name']}'."
            )


SPOKES = Collection(
    path="projects.locations.spokes",
    noun="spoke",
    id_parameter="spokeId",
    is_location=lambda where: where == "global" or is_region(where),
    iam=True,
    etag=True,
    mutable=frozenset({"description", "labels", *_TYPES}),
    complete=_complete,
    answer=OPERATIONS.answers("Spoke"),
    **COMMON,
)
