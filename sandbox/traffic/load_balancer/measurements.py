"""A line of JSON for each request, from which the load balancer's time series are counted.

Its fields are those of `sandbox.traffic.metrics.request_measurements.Request`. Regional load
balancers have series of other types, which are not counted.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import cdn
from sandbox.traffic.load_balancer.route_actions import TYPE


def logger(path: Path, rule: Place, proxy: Place, url_map: Place) -> list[Json]:
    """The log of one forwarding rule; none for a regional one."""
    if rule.region:
        return []
    shape = {
        "project": rule.project,
        "forwarding_rule": rule.name,
        "target_proxy": proxy.name,
        "url_map": url_map.name,
        "rule": "%ROUTE_NAME%",
        "backend": "%UPSTREAM_CLUSTER_RAW%",
        "code": "%RESPONSE_CODE%",
        "milliseconds": "%DURATION%",
        "backend_milliseconds": "%COMMON_DURATION(US_TX_BEG:US_RX_END:ms)%",
        "request_bytes": "%BYTES_RECEIVED%",
        "response_bytes": "%BYTES_SENT%",
        "protocol": "%PROTOCOL%",
        "cache": cdn.NOTED,
    }
    return [
        {
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": f"{TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": str(path),
                "log_format": {"json_format": shape},
            },
        }
    ]
