"""IP addresses: global and regional, external and internal.

External ones are loopback addresses (127.x.y.z), so that a request can really be sent to them.
"""

from __future__ import annotations

import ipaddress

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place, of_reference

_COUNTER = "compute/loopback"
_FIRST = int(ipaddress.IPv4Address("127.16.0.1"))


def allocate(state: State) -> str:
    """A loopback address that was never handed out before."""
    counter = state.store.get(_COUNTER) or {"next": 0}
    number = counter["next"]
    # Never one that ends in 0 or 255: some clients take those for networks.
    number += 2 if (_FIRST + number) % 256 == 255 else 0
    state.store.put(_COUNTER, {"next": number + 1})
    return str(ipaddress.IPv4Address(_FIRST + number))


def allocate_internal(state: State, subnetwork: Json) -> str:
    """The next free address of a subnetwork's primary range; the first four are Google's."""
    taken = {
        body.get("address") or body.get("IPAddress")
        for _, body in state.store.below(f"compute/{_project(subnetwork)}")
    }
    network = ipaddress.ip_network(subnetwork["ipCidrRange"])
    for number in range(2, network.num_addresses - 2):
        address = str(network.network_address + number)
        if address not in taken:
            return address
    raise ApiError(
        400, f"IP space of '{subnetwork['selfLink']}' is exhausted.", reason="quotaExceeded"
    )


def _project(document: Json) -> str:
    place = of_reference(document["selfLink"], "")
    return f"projects/{place.project}" if place else ""


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:
    """Defaults of an address; nothing of it but its labels can change."""
    if old is not None:
        return
    document.setdefault("description", "")
    document.setdefault("addressType", "EXTERNAL")
    document.setdefault("status", "RESERVED")
    if document["addressType"] == "EXTERNAL":
        document.setdefault("networkTier", "PREMIUM")
        if place.scope == "global":
            document.setdefault("ipVersion", "IPV4")
        if not document.get("address"):
            document["address"] = allocate(state)
        return
    document.setdefault("purpose", "GCE_ENDPOINT")
    subnetwork = of_reference(document.get("subnetwork", ""), place.project)
    stored = state.store.get(subnetwork.key) if subnetwork else None
    if stored is None:
        if not document.get("address"):
            raise invalid("resource.subnetwork", "", "An internal address needs a subnetwork.")
        return
    if not document.get("address"):
        document["address"] = allocate_internal(state, stored)


def shown(state: State, place: Place, document: Json) -> None:
    """Add the forwarding rules that use it."""
    users = []
    for key in state.store.users(place.path):
        by = of_reference(key.removeprefix("compute/"), place.project)
        if by is not None:
            users.append(by.link)
    if users:
        document["users"] = users
        document["status"] = "IN_USE"
