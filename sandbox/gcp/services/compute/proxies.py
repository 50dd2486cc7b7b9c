"""Target proxies: HTTP, HTTPS, gRPC, SSL and TCP."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid, not_found
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place, of_reference
from sandbox.gcp.services.compute.serving import MAP_HOST

MAX_CERTIFICATES = 15
"""Limit of classic certificates on one proxy."""

_REQUIRED = {
    "targetHttpProxies": ("urlMap", "urlMaps"),
    "targetHttpsProxies": ("urlMap", "urlMaps"),
    "targetGrpcProxies": ("urlMap", "urlMaps"),
    "targetSslProxies": ("service", "backendServices"),
    "targetTcpProxies": ("service", "backendServices"),
}


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:
    """Set the defaults of a target proxy; check its URL map or service, and its certificates."""
    field, collection = _REQUIRED[place.collection]
    reference = document.get(field)
    if not reference:
        raise ApiError(400, f"Required field 'resource.{field}' not specified", reason="required")
    target = of_reference(reference, place.project)
    if target is None or target.collection != collection:
        raise invalid(f"resource.{field}", reference, f"It must refer to one of {collection}.")
    if place.collection in {"targetHttpsProxies", "targetSslProxies"}:
        certificates = document.get("sslCertificates")
        if not (certificates or document.get("certificateMap")):
            if old is not None:
                raise ApiError(
                    400, "At least 1 SSL certificate must be specified for setting SSL certificates"
                    " in TargetHttpsProxy.",
                )  # fmt: skip
            raise ApiError(
                400, "Required field 'resource.sslCertificates' not specified", reason="required"
            )
        if len(certificates or []) > MAX_CERTIFICATES:
            raise invalid(
                "resource.sslCertificates", len(certificates or []),
                f"At most {MAX_CERTIFICATES} SSL certificates are allowed.",
            )  # fmt: skip
        for one in certificates or []:
            name = str(one).removeprefix(MAP_HOST)
            if name != one and f"certificatemanager/{name}" not in state.store:
                raise not_found(name)
        _check_map(state, document.get("certificateMap"))
    if place.collection == "targetHttpsProxies":
        document.setdefault("quicOverride", "NONE")
        document.setdefault("tlsEarlyData", "DISABLED")


def _check_map(state: State, reference: str | None) -> None:
    """Raise for a certificate map that does not exist, or whose full name is not given."""
    if not reference:
        return
    name = reference.removeprefix(MAP_HOST)
    if name == reference:
        raise invalid(
            "resource.certificateMap", reference,
            f"The certificate map must be of the form {MAP_HOST}projects/*/locations/*/"
            "certificateMaps/*.",
        )  # fmt: skip
    if f"certificatemanager/{name}" not in state.store:
        raise not_found(name)
