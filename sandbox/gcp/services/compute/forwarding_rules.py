"""Forwarding rules, global and regional."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute import addresses
from sandbox.gcp.services.compute.place import PREFIX, Place, of_reference, parse

_PROXIES = frozenset(
    {
        "targetHttpProxies",
        "targetHttpsProxies",
        "targetGrpcProxies",
        "targetSslProxies",
        "targetTcpProxies",
    }
)


_PROXY_PURPOSES = frozenset({"REGIONAL_MANAGED_PROXY", "INTERNAL_HTTPS_LOAD_BALANCER"})


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:
    """Set the defaults of a forwarding rule; check its target, address and ports."""
    if not document.get("target") and not document.get("backendService"):
        raise ApiError(400, "Required field 'resource.target' not specified", reason="required")
    document.setdefault("IPProtocol", "TCP")
    document.setdefault("description", "")
    scheme = document.setdefault("loadBalancingScheme", "EXTERNAL")
    document.setdefault("networkTier", "PREMIUM")
    port = document.get("portRange")
    if port and "-" not in str(port):
        document["portRange"] = f"{port}-{port}"
    if scheme in {"INTERNAL", "INTERNAL_MANAGED", "INTERNAL_SELF_MANAGED"}:
        default = f"{PREFIX}projects/{place.project}/global/networks/default"
        document.setdefault("network", default)
    _check_target(state, place, document, scheme)
    _take_address(state, place, document, old)
    _check_conflict(state, place, document)


def _check_target(state: State, place: Place, document: Json, scheme: str) -> None:
    target = of_reference(document.get("target", ""), place.project)
    if target is None:
        return
    if place.scope == "global" and target.collection not in _PROXIES:
        raise invalid("resource.target", document["target"], "A target proxy is expected.")
    if target.collection in _PROXIES and target.scope != place.scope:
        raise invalid(
            "resource.target", document["target"],
            "The target proxy must be in the same scope as the forwarding rule.",
        )  # fmt: skip
    if place.scope != "global" and scheme.endswith("_MANAGED") and target.collection in _PROXIES:
        _check_proxy_subnetwork(state, place, document)
    for service, theirs in _schemes(state, target):
        # EXTERNAL and EXTERNAL_MANAGED may be mixed only during a migration, which is not emulated.
        if theirs != scheme and scheme.startswith("EXTERNAL"):
            raise invalid(
                "resource.loadBalancingScheme", scheme,
                f"The backend service '{service}' has the load balancing scheme {theirs}.",
            )  # fmt: skip


def _check_proxy_subnetwork(state: State, place: Place, document: Json) -> None:
    """Refuse a regional load balancer whose network has no subnetwork for its proxies.

    https://docs.cloud.google.com/load-balancing/docs/proxy-only-subnets
    """
    network = of_reference(str(document.get("network") or ""), place.project)
    name = network.name if network else "default"
    collection = f"compute/projects/{place.project}/{place.scope}/subnetworks"
    for _, one in state.store.collection(collection):
        is_for_proxies = one.get("purpose") in _PROXY_PURPOSES and one.get("role") != "BACKUP"
        theirs = of_reference(str(one.get("network") or ""), place.project)
        if is_for_proxies and theirs is not None and theirs.name == name:
            return
    raise invalid(
        "resource.target", document["target"],
        "An active proxy-only subnetwork is required in the same region and VPC as the "
        "forwarding rule.",
    )  # fmt: skip


def _schemes(state: State, target: Place) -> list[tuple[str, str]]:
    """Name and scheme of every backend service behind a target proxy."""
    found: list[tuple[str, str]] = []
    queue, seen = [target.key], set()
    while queue:
        key = queue.pop()
        document = state.store.get(key)
        if key in seen or document is None:
            continue
        seen.add(key)
        place = parse(key.removeprefix("compute/"))
        if place is not None and place.collection == "backendServices":
            found.append((place.name, document["loadBalancingScheme"]))
        elif place is not None and place.collection in _PROXIES | {"urlMaps"}:
            queue.extend(_links(document, place.project))
    return found


def _links(value: object, project: str) -> list[str]:
    if isinstance(value, str):
        place = of_reference(value, project) if "/" in value else None
        return [place.key] if place else []
    if isinstance(value, dict):
        value = [item for name, item in value.items() if name != "selfLink"]
    if isinstance(value, list):
        return [link for item in value for link in _links(item, project)]
    return []


def _take_address(state: State, place: Place, document: Json, old: Json | None) -> None:
    given = document.get("IPAddress")
    if old is not None and given in (None, old.get("IPAddress")):
        document["IPAddress"] = old["IPAddress"]
        return
    if not given:
        subnetwork = of_reference(document.get("subnetwork", ""), place.project)
        stored = state.store.get(subnetwork.key) if subnetwork else None
        internal = document["loadBalancingScheme"].startswith("INTERNAL") and stored
        document["IPAddress"] = (
            addresses.allocate_internal(state, stored) if internal and stored
            else addresses.allocate(state)
        )  # fmt: skip
        return
    reference = of_reference(given, place.project) if "/" in given else None
    if reference is not None:
        address = state.store.get(reference.key) or {}
        document["IPAddress"] = address.get("address", given)
    else:
        reference = _address_with(state, place, given)
    if reference is not None:
        # Internal: the API returns the IP address, and the address resource lists its users.
        document["_address"] = reference.link


def _address_with(state: State, place: Place, number: str) -> Place | None:
    collection = f"compute/projects/{place.project}/{place.scope}/addresses"
    for name, body in state.store.collection(collection):
        if body.get("address") == number:
            return Place(place.project, place.scope, "addresses", name)
    return None


def _check_conflict(state: State, place: Place, document: Json) -> None:
    for key, other in state.store.below(f"compute/projects/{place.project}"):
        by = parse(key.removeprefix("compute/"))
        if by is None or by.collection != "forwardingRules" or by.path == place.path:
            continue
        same = all(
            other.get(f) == document.get(f)
            for f in ("IPAddress", "IPProtocol", "portRange", "ports")
        )
        if same and document["loadBalancingScheme"].startswith("EXTERNAL"):
            raise invalid(
                "resource.IPAddress", document["IPAddress"],
                "Specified IP address is in-use and would result in a conflict.",
            )  # fmt: skip
