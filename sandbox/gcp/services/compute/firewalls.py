"""VPC firewall rules."""

from __future__ import annotations

import ipaddress

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import PREFIX, Place


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a firewall rule; it must allow or deny, and its ranges must be valid."""
    if bool(document.get("allowed")) == bool(document.get("denied")):
        raise ApiError(
            400, "Exactly one of 'resource.allowed' and 'resource.denied' must be specified."
        )
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
