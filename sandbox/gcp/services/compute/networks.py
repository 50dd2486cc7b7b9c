"""VPC networks and subnetworks, and the default network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from facts.zones import regions
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State, fingerprint, now, numeric_id
from sandbox.gcp.services.compute import auto_subnets
from sandbox.gcp.services.compute.place import PREFIX, Place, of_reference, parse

_WIDEST, _NARROWEST = 4, 29
# https://docs.cloud.google.com/vpc/docs/subnets#prohibited-ipv4-subnet-ranges
_PROHIBITED = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "199.36.153.4/30",
            "199.36.153.8/30",
            "224.0.0.0/4",
            "255.255.255.255/32",
        ),
    )
)


def default_network(state: State, place: Place) -> Json:
    """The network that every new project has; created on first use."""
    document: Json = {
        "autoCreateSubnetworks": True,
        "creationTimestamp": now(),
        "description": "Default network for the project",
        "id": numeric_id(),
        "kind": "compute#network",
        "name": "default",
        "selfLink": place.link,
    }
    complete_network(state, place, document, None)
    document["selfLinkWithId"] = f"{place.link.rpartition('/')[0]}/{document['id']}"
    state.store.put(place.key, document)
    return document


def complete_network(state: State, place: Place, document: Json, old: Json | None) -> None:
    """Set the defaults of a network; auto mode creates a subnetwork in every region."""
    routing = document.setdefault("routingConfig", {})
    routing.setdefault("routingMode", "REGIONAL")
    routing.setdefault("bgpBestPathSelectionMode", "LEGACY")
    document.setdefault("networkFirewallPolicyEnforcementOrder", "AFTER_CLASSIC_FIREWALL")
    document.setdefault("autoCreateSubnetworks", True)
    if not document.get("enableUlaInternalIpv6"):
        document.pop("enableUlaInternalIpv6", None)
    else:
        document.setdefault("internalIpv6Range", _ula_range(place))
    if old is not None or not document["autoCreateSubnetworks"]:
        return
    for region, cidr in auto_subnets.ranges(regions()).items():
        subnet = Place(place.project, f"regions/{region}", "subnetworks", place.name)
        body: Json = {
            "creationTimestamp": now(),
            "id": numeric_id(),
            "ipCidrRange": cidr,
            "kind": "compute#subnetwork",
            "name": place.name,
            "network": place.link,
            "region": f"{PREFIX}projects/{place.project}/regions/{region}",
            "selfLink": subnet.link,
            "_auto": True,
        }
        complete_subnetwork(state, subnet, body, None)
        body["fingerprint"] = fingerprint(body)
        state.store.put(subnet.key, body)


def _ula_range(place: Place) -> str:
    # Google allocates them from fd20::/20; the rest is derived from the network's name.
    digest = fingerprint(place.path).encode().hex()
    return f"fd20:{digest[:3]}:{digest[4:7]}:0:0:0:0:0/48"


def shown_network(state: State, place: Place, document: Json) -> None:
    """Add the links of the subnetworks."""
    links = sorted(str(body["selfLink"]) for body in _subnetworks(state, place.project, place.path))
    if links:
        document["subnetworks"] = links


def removed_network(state: State, place: Place, document: Json) -> None:  # noqa: ARG001
    """Delete the network's auto mode subnetworks; any others have blocked the deletion."""
    for body in list(_subnetworks(state, place.project, place.path)):
        region = body["region"].rpartition("/")[2]
        subnetwork = Place(place.project, f"regions/{region}", "subnetworks", body["name"])
        state.store.delete(subnetwork.key)


def _subnetworks(state: State, project: str, network: str) -> Iterator[Json]:
    for key in state.store.users(network):
        place = parse(key.removeprefix("compute/"))
        if place is not None and place.collection == "subnetworks" and place.project == project:
            body = state.store.get(key)
            if body is not None:
                yield body


def _has_flow_logs(document: Json, old: Json | None) -> bool:
    """Either field turns flow logs on or off; the one that a request leaves alone follows."""
    before = bool(old and old.get("enableFlowLogs"))
    flag = bool(document.get("enableFlowLogs"))
    if flag != before:
        return flag
    return bool((document.get("logConfig") or {}).get("enable", flag))


def complete_subnetwork(state: State, place: Place, document: Json, old: Json | None) -> None:
    """Set the defaults of a subnetwork; its ranges must be valid and must not overlap."""
    for field in ("network", "ipCidrRange"):
        if not document.get(field):
            message = f"Required field 'resource.{field}' not specified"
            raise ApiError(400, message, reason="required")
    document.setdefault("purpose", "PRIVATE")
    if document["purpose"] != "PRIVATE_NAT":
        document.setdefault("stackType", "IPV4_ONLY")
    document.setdefault("privateIpGoogleAccess", False)
    document.setdefault("privateIpv6GoogleAccess", "DISABLE_GOOGLE_ACCESS")
    document.setdefault("allowSubnetCidrRoutesOverlap", False)
    if _has_flow_logs(document, old):
        document["enableFlowLogs"] = True
        log = document.setdefault("logConfig", {})
        log["enable"] = True
        log.setdefault("aggregationInterval", "INTERVAL_5_SEC")
        log.setdefault("flowSampling", 0.5)
        log.setdefault("metadata", "EXCLUDE_ALL_METADATA")
    elif not document.get("_auto"):
        document["enableFlowLogs"] = False
        if "logConfig" in document:
            document["logConfig"] = {"enable": False}
    primary = _network(document["ipCidrRange"], "resource.ipCidrRange")
    document["gatewayAddress"] = str(primary.network_address + 1)
    if old is not None:
        before = ipaddress.ip_network(old["ipCidrRange"])
        if not before.subnet_of(primary):  # type: ignore[arg-type]
            raise invalid(
                "resource.ipCidrRange", str(primary), f"It must contain the current range {before}."
            )
        _refuse_changes_in_use(state, place, document, old)
    own = list(_ranges(document))
    _check_overlap(own, own, place.name)
    network = of_reference(document["network"], place.project)
    for other in _subnetworks(state, place.project, network.path if network else ""):
        if other["selfLink"] != document["selfLink"]:
            region = other["region"].rpartition("/")[2]
            _check_overlap(own, list(_ranges(other)), f"{other['name']}' in region '{region}")


def _network(cidr: str, field: str) -> ipaddress.IPv4Network:
    """The range, checked as https://docs.cloud.google.com/vpc/docs/subnets limits it."""
    try:
        found = ipaddress.IPv4Network(cidr)
    except ValueError:
        raise invalid(field, cidr, "Invalid CIDR range: must be a valid IPv4 range.") from None
    if not _WIDEST <= found.prefixlen <= _NARROWEST:
        raise invalid(field, cidr, f"The prefix length must be between {_WIDEST} and {_NARROWEST}.")
    for reserved in _PROHIBITED:
        if found.overlaps(reserved):
            raise invalid(field, cidr, f"The range overlaps with the reserved range {reserved}.")
    return found


def _refuse_changes_in_use(state: State, place: Place, document: Json, old: Json) -> None:
    """Refuse to remove or change a secondary range that holds the pods or Services of a cluster."""
    kept = {_named(one) for one in document.get("secondaryIpRanges") or ()}
    for index, one in enumerate(old.get("secondaryIpRanges") or ()):
        if _named(one) in kept:
            continue
        for key, cluster in state.store.below("container/projects"):
            if one["rangeName"] in _used_ranges(cluster, place.path):
                name = key.rpartition("/")[2]
                raise invalid(
                    f"resource.secondaryIpRanges[{index}]",
                    f"{one['rangeName']}: {one['ipCidrRange']}",
                    f"The secondary range is in use by cluster '{name}': it cannot be removed or "
                    "changed.",
                )


def _named(secondary: Json) -> tuple[str, str]:
    return secondary.get("rangeName", ""), secondary.get("ipCidrRange", "")


def _used_ranges(record: Json, subnetwork: str) -> set[str]:
    """The secondary ranges of a subnetwork that a stored cluster uses; none where it is leaving."""
    cluster = record.get("cluster") or {}
    if cluster.get("status") in (None, "STOPPING"):
        return set()
    if (cluster.get("networkConfig") or {}).get("subnetwork") != subnetwork:
        return set()
    policy = cluster.get("ipAllocationPolicy") or {}
    pools = (entry["pool"].get("networkConfig") or {} for entry in record.get("pools") or ())
    more = (policy.get("additionalPodRangesConfig") or {}).get("podRangeNames") or ()
    return {
        *(policy.get(f"{kind}SecondaryRangeName", "") for kind in ("cluster", "services")),
        *(pool.get("podRange", "") for pool in pools),
        *more,
    }


def _ranges(document: Json) -> Iterator[ipaddress.IPv4Network]:
    yield _network(document["ipCidrRange"], "resource.ipCidrRange")
    for index, secondary in enumerate(document.get("secondaryIpRanges") or []):
        field = f"resource.secondaryIpRanges[{index}].ipCidrRange"
        yield _network(secondary.get("ipCidrRange", ""), field)


def _check_overlap(
    own: list[ipaddress.IPv4Network], others: list[ipaddress.IPv4Network], whose: str
) -> None:
    for mine in own:
        for other in others:
            if mine is not other and mine.overlaps(other):
                raise ApiError(
                    400,
                    f"Invalid IPCidrRange: {mine} conflicts with existing subnetwork '{whose}'.",
                )
