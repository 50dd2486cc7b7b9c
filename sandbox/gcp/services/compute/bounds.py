"""The numbers that the API takes, by collection and field.

Sources: the field descriptions of https://docs.cloud.google.com/compute/docs/reference/rest/v1 and
https://docs.cloud.google.com/load-balancing/docs/health-check-concepts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import invalid

Range = tuple[float, float]
_INT32 = 2**31 - 1
_PORT: Range = (1, 65535)
_SHARE: Range = (0, 1)
_PERCENT: Range = (0, 100)
_LONGEST = 315_576_000_000
"""Seconds of a duration."""
_AMOUNT: Range = (0, _INT32)

_CDN: Mapping[str, Range] = {
    "cdnPolicy.serveWhileStale": (0, 604_800),
    "cdnPolicy.negativeCachingPolicy[].ttl": (0, 1800),
    "cdnPolicy.signedUrlCacheMaxAgeSec": (0, 2**63 - 1),
}
_BACKENDS: Mapping[str, Range] = {
    f"backends[].{field}": _AMOUNT
    for field in (
        "maxRate",
        "maxRatePerInstance",
        "maxRatePerEndpoint",
        "maxConnections",
        "maxConnectionsPerInstance",
        "maxConnectionsPerEndpoint",
    )
}
_OUTLIERS: Mapping[str, Range] = {
    "outlierDetection.maxEjectionPercent": _PERCENT,
    "outlierDetection.enforcingConsecutiveErrors": _PERCENT,
    "outlierDetection.enforcingConsecutiveGatewayFailure": _PERCENT,
    "outlierDetection.enforcingSuccessRate": _PERCENT,
    "outlierDetection.interval.seconds": (0, _LONGEST),
    "outlierDetection.baseEjectionTime.seconds": (0, _LONGEST),
}
_PROBES: Mapping[str, Range] = {
    "checkIntervalSec": (1, 300),
    "timeoutSec": (1, 300),
    "healthyThreshold": (1, 10),
    "unhealthyThreshold": (1, 10),
}
_PROBED: Mapping[str, Range] = {
    f"{kind}HealthCheck.port": _PORT for kind in ("http", "https", "http2", "tcp", "ssl", "grpc")
}
_BOUNDS: Mapping[str, Mapping[str, Range]] = {
    "backendBuckets": _CDN,
    "backendServices": {
        "timeoutSec": (1, _INT32),
        "connectionDraining.drainingTimeoutSec": (0, 3600),
        "affinityCookieTtlSec": (0, 1_209_600),
        "port": _PORT,
        "logConfig.sampleRate": _SHARE,
        "failoverPolicy.failoverRatio": _SHARE,
        "backends[].maxUtilization": _SHARE,
        **_BACKENDS,
        **_OUTLIERS,
        **_CDN,
    },
    "firewalls": {"priority": (0, 65535)},
    "healthChecks": {**_PROBES, **_PROBED},
    "httpHealthChecks": {**_PROBES, "port": _PORT},
    "httpsHealthChecks": {**_PROBES, "port": _PORT},
    "instanceGroups": {"namedPorts[].port": _PORT},
    "securityPolicies": {"rules[].priority": _AMOUNT},
    "subnetworks": {"logConfig.flowSampling": _SHARE},
    "urlMaps": {"pathMatchers[].routeRules[].priority": _AMOUNT},
}
_SCALER_LEAST = 0.1
"""Of `capacityScaler`, which is 0 or from here to 1."""


def check(collection: str, document: Json) -> None:
    """Raise 400 for the first number of a document that is out of its range."""
    for field, (low, high) in _BOUNDS.get(collection, {}).items():
        for where, value in _values(document, field.split("."), "resource"):
            if not low <= float(value) <= high:
                why = f"Must be greater than or equal to {low} and less than or equal to {high}."
                raise invalid(where, value, why)
    if collection == "backendServices":
        _check_scalers(document)


def _check_scalers(document: Json) -> None:
    """A group is drained by 0, or takes a tenth of its capacity at least; one takes requests."""
    found = list(_values(document, ["backends[]", "capacityScaler"], "resource"))
    for where, value in found:
        if float(value) != 0 and not _SCALER_LEAST <= float(value) <= 1:
            raise invalid(where, value, "The valid ranges are 0.0 and [0.1, 1.0].")
    if found and len(document["backends"]) == 1 and float(found[0][1]) == 0:
        where, value = found[0]
        raise invalid(where, value, "The only backend of a backend service cannot be 0.")


def _values(node: Json, path: list[str], where: str) -> Iterator[tuple[str, float | str]]:
    """The values at a path, each with its place; `name[]` stands for the items of a list."""
    name, *rest = path
    is_list = name.endswith("[]")
    key = name.removesuffix("[]")
    found = node.get(key)
    if found is None:
        return
    items = enumerate(found) if is_list else ((None, found),)
    for index, one in items:
        at = f"{where}.{key}" if index is None else f"{where}.{key}[{index}]"
        if rest:
            yield from _values(one, rest, at)
        else:
            yield at, one
