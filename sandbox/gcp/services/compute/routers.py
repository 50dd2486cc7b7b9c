"""Cloud Routers and their NAT gateways."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place

# Default seconds before the port of a closed connection is reused.
_TIME_WAIT = 120
_PORTS = (32, 65536)
"""Fewest and most ports of a VM with dynamic port allocation, which private NAT has by default.

https://docs.cloud.google.com/nat/docs/ports-and-addresses
"""


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a router and of its NATs."""
    if not document.get("network"):
        raise ApiError(400, "Required field 'resource.network' not specified", reason="required")
    document.setdefault("encryptedInterconnectRouter", False)
    if document.get("bgp"):
        document["bgp"].setdefault("advertiseMode", "DEFAULT")
        document["bgp"].setdefault("keepaliveInterval", 20)
    names: set[str] = set()
    for index, nat in enumerate(document.get("nats") or []):
        field = f"resource.nats[{index}]"
        name = nat.get("name")
        if not name or name in names:
            raise invalid(f"{field}.name", str(name), "NAT names must be given, and unique.")
        names.add(name)
        _complete_nat(nat, field)


def _complete_nat(nat: Json, field: str) -> None:
    option = nat.get("sourceSubnetworkIpRangesToNat")
    if not option:
        message = f"Required field '{field}.sourceSubnetworkIpRangesToNat' not specified"
        raise ApiError(400, message, reason="required")
    if option == "LIST_OF_SUBNETWORKS" and not nat.get("subnetworks"):
        raise invalid(f"{field}.subnetworks", "[]", f"Subnetworks must be listed with {option}.")
    if nat.get("natIpAllocateOption") == "MANUAL_ONLY" and not nat.get("natIps"):
        raise invalid(f"{field}.natIps", "[]", "NAT IPs must be given with MANUAL_ONLY.")
    nat.setdefault("type", "PUBLIC")
    if nat["type"] == "PUBLIC":
        nat.setdefault("natIpAllocateOption", "AUTO_ONLY")
    elif nat.get("natIps"):
        raise invalid(f"{field}.natIps", str(nat["natIps"]), "Private NAT takes no NAT IPs.")
    else:
        nat.setdefault("enableDynamicPortAllocation", True)
    if nat.get("enableDynamicPortAllocation"):
        nat.setdefault("minPortsPerVm", _PORTS[0])
        nat.setdefault("maxPortsPerVm", _PORTS[1])
    nat.setdefault("autoNetworkTier", "PREMIUM")
    nat["effectiveTcpTimeWaitTimeoutSec"] = nat.get("tcpTimeWaitTimeoutSec", _TIME_WAIT)
    nat.setdefault("endpointTypes", ["ENDPOINT_TYPE_VM"])
