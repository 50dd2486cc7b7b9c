"""IP addresses: global and regional, external and internal.

External addresses are loopback addresses (127.x.y.z), so that clients can send requests to them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place, of_reference

_COUNTER = "compute/loopback"
_FIRST = int(ipaddress.IPv4Address("127.16.0.1"))


def allocate(state: State) -> str:
    """A loopback address that was never allocated before."""
    counter = state.store.get(_COUNTER) or {"next": 0}
    number = counter["next"]
    # Skip addresses that end in 0 or 255: some clients take them for networks.
    number += 2 if (_FIRST + number) % 256 == 255 else 0
    state.store.put(_COUNTER, {"next": number + 1})
    return str(ipaddress.IPv4Address(_FIRST + number))


def allocate_internal(state: State, subnetwork: Json) -> str:
    """The next free address of a subnetwork's primary range, without the reserved ones."""
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
    """Set the defaults of an address; only its labels can change later."""
    if old is not None:
        return
    document.setdefault("description", "")
    document.setdefault("addressType", "EXTERNAL")
    document.setdefault("status", "RESERVED")
    document.setdefault("networkTier", "PREMIUM")
    if document["addressType"] == "EXTERNAL":
        if place.scope == "global":
            document.setdefault("ipVersion", "IPV4")
        if not document.get("address"):
            document["address"] = allocate(state)
        return
    if place.scope == "global":
        _complete_peering_range(state, place, document)
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


def _complete_peering_range(state: State, place: Place, document: Json) -> None:
    """Reserve a range of a network for the services of a peer."""
    for field in ("network", "purpose"):
        if not document.get(field):
            message = f"Required field 'resource.{field}' not specified"
            raise ApiError(400, message, reason="required")
    if document["purpose"] != "VPC_PEERING":
        return
    length = document.get("prefixLength")
    if not length:
        message = "Required field 'resource.prefixLength' not specified"
        raise ApiError(400, message, reason="required")
    if not 8 <= int(length) <= 30:
        raise invalid("resource.prefixLength", length, "It must be between 8 and 30.")
    taken = [*_ranges(state, place.project, document["network"])]
    given = document.get("address")
    wanted = (
        [ipaddress.IPv4Network(f"{given}/{length}", strict=False)]
        if given
        else ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=int(length))
    )
    free = next((one for one in wanted if not any(one.overlaps(t) for t in taken)), None)
    if free is None:
        raise invalid("resource.address", given or "", "No such range is free in the network.")
    document["address"] = str(free.network_address)


def _ranges(state: State, project: str, network: str) -> Iterator[ipaddress.IPv4Network]:
    """The ranges of a network that subnetworks and peers use."""
    target = of_reference(network, project)
    for key in state.store.users(target.path) if target else ():
        body = state.store.get(key) or {}
        for holder in (body, *(body.get("secondaryIpRanges") or ())):
            if holder.get("ipCidrRange"):
                yield ipaddress.IPv4Network(holder["ipCidrRange"])
        if body.get("prefixLength") and body.get("address"):
            yield ipaddress.IPv4Network(f"{body['address']}/{body['prefixLength']}")


def shown(state: State, place: Place, document: Json) -> None:
    """Add the forwarding rules that use the address."""
    users = []
    for key in state.store.users(place.path):
        by = of_reference(key.removeprefix("compute/"), place.project)
        if by is not None:
            users.append(by.link)
    if users:
        document["users"] = users
        document["status"] = "IN_USE"
