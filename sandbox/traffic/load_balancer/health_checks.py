"""Google's health checks as Envoy's.

A check is made by the sandbox's Envoy from one place, at the stated interval. Envoy believes the
first successful answer of a new endpoint, whatever the healthy threshold; later changes need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.gcp.services.compute.health_checks import BLOCKS
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.unsupported import Document

_FILE_SINK = (
    "type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink"
)
_NO_TLS = "The sandbox's model servers speak without TLS, and are checked without."
# 200 alone is healthy. Without this, one other status would make an endpoint unhealthy at once.
_OTHERS = [{"start": 100, "end": 200}, {"start": 201, "end": 600}]


def _kind_and_block(check: Document, collection: str) -> tuple[str, Document]:
    """The protocol, and where its settings are: legacy checks have them at the top."""
    if collection != "healthChecks":
        return ("HTTPS" if collection == "httpsHealthChecks" else "HTTP"), check
    kind = check.text("type")
    return kind, check.one(BLOCKS[kind])


def fixed_port(check: Document, collection: str) -> int | None:
    """The port that is checked on every endpoint; None where it is the serving port."""
    _, block = _kind_and_block(check, collection)
    how, port = block.text("portSpecification"), block.whole("port")
    return None if how == "USE_SERVING_PORT" or not port else port


def health_check(check: Document, collection: str, address: str, log: Path | None) -> Json:
    """A health check; `address` is the load balancer's, the default host of HTTP checks.

    Changes of health are logged to the file `log` where the check asks for logs.
    """
    kind, block = _kind_and_block(check, collection)
    block.decline("portName", "Only a fixed port and the serving port are checked.")
    if kind in ("HTTPS", "HTTP2", "SSL"):
        check.decline("type", _NO_TLS)
    interval = f"{check.whole('checkIntervalSec', 5)}s"
    found: dict[str, Any] = {
        "timeout": f"{check.whole('timeoutSec', 5)}s",
        "interval": interval,
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": check.whole("healthyThreshold", 2),
        "unhealthy_threshold": check.whole("unhealthyThreshold", 2),
        "reuse_connection": False,
    }
    if check.one("logConfig").flag("enable"):
        if log is None:
            check.decline("logConfig", "No file is given for the log.")
        else:
            sink = {"@type": _FILE_SINK, "event_log_path": str(log)}
            found["event_logger"] = [
                {"name": "envoy.health_check.event_sink.file", "typed_config": sink}
            ]
    if block.text("proxyHeader") not in ("", "NONE"):
        block.decline("proxyHeader", "Probes carry no PROXY header.")
    if kind in ("HTTP", "HTTPS", "HTTP2"):
        return found | {"http_health_check": _http(kind, block, address)}
    if kind == "GRPC":
        service = block.text("grpcServiceName")
        return found | {"grpc_health_check": {"service_name": service} if service else {}}
    tcp: dict[str, Any] = {}
    if sent := block.text("request"):
        tcp["send"] = {"text": sent.encode().hex()}
    if wanted := block.text("response"):
        tcp["receive"] = [{"text": wanted.encode().hex()}]
    return found | {"tcp_health_check": tcp}


def _http(kind: str, block: Document, address: str) -> Json:
    http: dict[str, Any] = {
        "path": block.text("requestPath") or "/",
        "host": block.text("host") or address,
        "expected_statuses": [{"start": 200, "end": 201}],
        "retriable_statuses": _OTHERS,
    }
    if wanted := block.text("response"):
        http["receive"] = [{"text": wanted.encode().hex()}]
    if kind == "HTTP2":
        http["codec_client_type"] = "HTTP2"
    return http
