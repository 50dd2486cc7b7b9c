"""Health checks of all protocols."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place

_PORTS = {"HTTP": 80, "HTTPS": 443, "HTTP2": 443, "TCP": 80, "SSL": 443, "GRPC": None}
BLOCKS = {
    "HTTP": "httpHealthCheck",
    "HTTPS": "httpsHealthCheck",
    "HTTP2": "http2HealthCheck",
    "TCP": "tcpHealthCheck",
    "SSL": "sslHealthCheck",
    "GRPC": "grpcHealthCheck",
}
"""The field of each type's settings."""


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a health check; only the block of its type may be set."""
    kind = document.get("type")
    if kind not in BLOCKS:
        raise ApiError(400, "Required field 'resource.type' not specified", reason="required")
    for other, block in BLOCKS.items():
        if other != kind and document.get(block):
            raise ApiError(400, f"Invalid value for field 'resource.{block}': the type is {kind}.")
    _thresholds(document)
    block = document.setdefault(BLOCKS[kind], {})
    if not any(block.get(f) for f in ("port", "portName", "portSpecification")) and _PORTS[kind]:
        block["port"] = _PORTS[kind]
    if kind != "GRPC":
        block.setdefault("proxyHeader", "NONE")
    if kind in {"HTTP", "HTTPS", "HTTP2"}:
        block.setdefault("requestPath", "/")


def _thresholds(document: Json) -> None:
    document.setdefault("checkIntervalSec", 5)
    document.setdefault("timeoutSec", 5)
    document.setdefault("healthyThreshold", 2)
    document.setdefault("unhealthyThreshold", 2)
    if document["timeoutSec"] > document["checkIntervalSec"]:
        raise ApiError(
            400,
            f"Invalid value for field 'resource.timeoutSec': '{document['timeoutSec']}'. "
            f"Must be less than or equal to checkIntervalSec.",
        )


def complete_legacy(
    state: State,  # noqa: ARG001
    place: Place,
    document: Json,
    old: Json | None,  # noqa: ARG001
) -> None:
    """Set the defaults of a legacy HTTP or HTTPS health check."""
    _thresholds(document)
    document.setdefault("description", "")
    document.setdefault("port", 443 if place.collection == "httpsHealthChecks" else 80)
    document.setdefault("requestPath", "/")
