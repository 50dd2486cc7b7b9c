"""Target proxies: HTTP, HTTPS, gRPC, SSL and TCP."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place, of_reference

_REQUIRED = {
    "targetHttpProxies": ("urlMap", "urlMaps"),
    "targetHttpsProxies": ("urlMap", "urlMaps"),
    "targetGrpcProxies": ("urlMap", "urlMaps"),
    "targetSslProxies": ("service", "backendServices"),
    "targetTcpProxies": ("service", "backendServices"),
}


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Defaults of a target proxy; it needs its URL map or service, and certificates for TLS."""
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
            raise ApiError(
                400, "Required field 'resource.sslCertificates' not specified", reason="required"
            )
    if place.collection == "targetHttpsProxies":
        document.setdefault("quicOverride", "NONE")
        document.setdefault("tlsEarlyData", "DISABLED")
