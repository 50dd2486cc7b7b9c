"""VPC firewall rules."""

from __future__ import annotations

import ipaddress
import re

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import PREFIX, Place

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_WITH_PORTS = frozenset({"tcp", "udp", "sctp", "6", "17", "132"})
_NAMES = "TCP, UDP, SCTP"
_LAST_PORT = 65535


def _check_ports(document: Json) -> None:
    for kind in ("allowed", "denied"):
        for index, one in enumerate(document.get(kind) or ()):
            field = f"resource.{kind}[{index}]"
            protocol = str(one.get("IPProtocol") or "").lower()
            if not protocol:
                message = f"Required field '{field}.IPProtocol' not specified"
                raise ApiError(400, message, reason="required")
            if one.get("ports") and protocol not in _WITH_PORTS:
                why = f"Ports may only be specified on rules whose protocol is one of [{_NAMES}]."
                raise invalid(f"{field}.ports", str(one["ports"]), why)
            for turn, text in enumerate(one.get("ports") or ()):
                found = _PORTS.fullmatch(str(text))
                first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
                if not first <= last <= _LAST_PORT:
                    raise invalid(
                        f"{field}.ports[{turn}]",
                        text,
                        "Must be a port, or a range of ports in ascending order, from 0 to 65535.",
                    )


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a firewall rule; it must allow or deny, and its ranges must be valid."""
    if bool(document.get("allowed")) == bool(document.get("denied")):
        raise ApiError(
            400, "Exactly one of 'resource.allowed' and 'resource.denied' must be specified."
        )
    _check_ports(document)
    document.setdefault("network", f"{PREFIX}projects/{place.project}/global/networks/default")
    document.setdefault("description", "")
    document.setdefault("direction", "INGRESS")
    document.setdefault("priority", 1000)
    document.setdefault("disabled", False)
    document.setdefault("logConfig", {}).setdefault("enable", False)
    # The field's older name, which the API still returns.
    document["enableLogging"] = document["logConfig"]["enable"]
    ingress = document["direction"] == "INGRESS"
    sources = ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    if ingress and not any(document.get(field) for field in sources):
        document["sourceRanges"] = ["0.0.0.0/0"]
    if not ingress and not document.get("destinationRanges"):
        document["destinationRanges"] = ["0.0.0.0/0"]
    for field in ("sourceRanges", "destinationRanges"):
        for index, cidr in enumerate(document.get(field) or []):
            try:
                ipaddress.ip_network(cidr)
            except ValueError:
                raise invalid(
                    f"resource.{field}[{index}]", cidr, "Must be a valid CIDR range."
                ) from None
