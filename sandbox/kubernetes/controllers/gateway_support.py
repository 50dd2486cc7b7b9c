"""What GKE's Gateway controller supports of an HTTPRoute. Pure functions.

Source: GKE's conformance reports of `gke-l7-global-external-managed`, Gateway API 1.3 and 1.4:
https://github.com/kubernetes-sigs/gateway-api/tree/main/conformance/reports.
Retries are in the experimental channel only, which GKE does not install.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]
_FILTERS = frozenset(
    {
        "RequestHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "ResponseHeaderModifier",
        "URLRewrite",
    }
)
_FIELDS = ("retry", "sessionPersistence", "timeouts")
_MATCHES = ("method", "queryParams")
_PROTOCOLS = frozenset({"kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"})


def unsupported(route: Json, services: Mapping[tuple[str, str], Json]) -> str | None:
    """Return the first part of a route that GKE does not support; None if it supports all."""
    for index, rule in enumerate(route["spec"].get("rules") or ()):
        for problem in _problems(rule, route["metadata"]["namespace"], services):
            return f"rules[{index}]{problem} is not supported by GKE's Gateway controller"
    return None


def _problems(
    rule: Json, namespace: str, services: Mapping[tuple[str, str], Json]
) -> Iterator[str]:
    yield from (f".{field}" for field in _FIELDS if rule.get(field))
    for index, match in enumerate(rule.get("matches") or ()):
        yield from (f".matches[{index}].{field}" for field in _MATCHES if match.get(field))
        if (match.get("path") or {}).get("type") == "RegularExpression":
            yield f".matches[{index}].path.type RegularExpression"
        if any(one.get("type") == "RegularExpression" for one in match.get("headers") or ()):
            yield f".matches[{index}].headers of type RegularExpression"
    kinds = [one["type"] for one in rule.get("filters") or ()]
    yield from (f".filters of type {kind}" for kind in kinds if kind not in _FILTERS)
    if kinds.count("RequestMirror") > 1:
        yield ".filters with several mirrors"
    for one in rule.get("filters") or ():
        path: Json = (one.get("urlRewrite") or {}).get("path") or {}
        if path.get("type") == "ReplaceFullPath":
            yield ".filters with a rewrite of type ReplaceFullPath"
    for index, backend in enumerate(rule.get("backendRefs") or ()):
        if backend.get("filters"):
            yield f".backendRefs[{index}].filters"
        service = services.get((backend.get("namespace", namespace), backend["name"])) or {}
        for port in (service.get("spec") or {}).get("ports") or ():
            if port["port"] == backend.get("port") and port.get("appProtocol") in _PROTOCOLS:
                yield f".backendRefs[{index}] with the appProtocol {port['appProtocol']}"
