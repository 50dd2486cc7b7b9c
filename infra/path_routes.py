"""The front ends inside the cluster that a stack file plans: the Gateways, and NGINX's Ingresses.

Their routes in the form of a URL map, so that one function foretells all front ends. GKE makes such
a map of HTTPRoutes. Both know a host's own routes only, where a host has some, and answer 404 to
what no route takes.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from facts.url_map_routing import Request, route
from gkeplatform.routes import ANY_HOST
from infra.networking.url_map.lookup import Found
from infra.serving.config import ServingConfig
from infra.serving.exposures.gateway import Gateway
from infra.serving.exposures.inference.routes import MODEL_HEADER
from infra.serving.exposures.inference.sharing import sharing
from infra.serving.exposures.inference_gateway import InferenceGateway
from infra.serving.exposures.path_route import PathRoute
from infra.serving.models import Workload

GATEWAY, INGRESS, INFERENCE = "gateway", "ingress", "inference-gateway"
_CODES = {GATEWAY: 301, INGRESS: 308, INFERENCE: 301}
"""Statuses of a redirect to HTTPS: the platform's own HTTPRoutes, and NGINX's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFrontEnd:
    """A Gateway, or the ingress controller."""

    kind: str
    is_encrypted: bool
    url_map: dict[str, Any]
    """Services of the cluster stand for backend services."""
    models: Mapping[str, Workload]

    @property
    def scheme(self) -> str:
        """What callers use."""
        return "https" if self.is_encrypted else "http"

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that its routes name."""
        return frozenset(
            host for one in self.url_map["hostRules"] for host in one["hosts"] if host != ANY_HOST
        )

    def find(self, url: str, headers: Mapping[str, str] | None = None) -> Found:
        """What becomes of a request for `url`; a path alone is asked on no known host."""
        parts = urlsplit(url)
        asked = SplitResult(
            parts.scheme or self.scheme,
            parts.netloc.partition(":")[0].lower() or "address.invalid",
            parts.path or "/",
            parts.query,
            "",
        )
        full = asked.geturl()
        if asked.scheme == "https" and not self.is_encrypted:
            return Found(url=full, problem="it has no certificates, and serves HTTP only")
        if asked.scheme == "http" and self.is_encrypted:
            to = asked._replace(scheme="https").geturl()
            return Found(url=full, redirect=to, code=_CODES[self.kind])
        path = f"{asked.path}?{asked.query}" if asked.query else asked.path
        outcome = route(self.url_map, Request(asked.netloc, path, headers or {}, asked.scheme))
        if not outcome.rule:
            return Found(url=full, matcher=outcome.matcher, code=404)
        action = outcome.rule["routeAction"]
        shares = tuple(
            (one["backendService"], one["weight"]) for one in action["weightedBackendServices"]
        )
        model = self.models[shares[0][0]]
        mirror = action.get("requestMirrorPolicy")
        arrived = urlsplit(outcome.url)
        iap = model.exposure.iap
        return Found(
            url=full,
            rule=_pattern(outcome.rule),
            matcher=outcome.matcher,
            model=model.name,
            shares=shares,
            mirrored=(mirror["backendService"], mirror["mirrorPercent"]) if mirror else None,
            path=f"{arrived.path}?{arrived.query}" if arrived.query else arrived.path,
            members=iap.members if iap else (),
            timeout_seconds=model.exposure.timeout_seconds,
        )


def path_front_ends(serving: ServingConfig) -> tuple[PathFrontEnd, ...]:
    """The front ends that have at least one model."""
    by_kind: dict[str, list[Workload]] = {}
    shared = sharing(serving.entries)
    for entry in serving.routed:
        if isinstance(entry.exposure, PathRoute | InferenceGateway):
            by_kind.setdefault(entry.exposure.kind, []).append(entry)
    return tuple(
        PathFrontEnd(
            kind=kind,
            is_encrypted=_is_encrypted(serving, entries[0]),
            url_map=url_map(entries, shared),
            models={entry.name: entry for entry in entries},
        )
        for kind, entries in by_kind.items()
    )


def _is_encrypted(serving: ServingConfig, entry: Workload) -> bool:
    exposure = entry.exposure
    if isinstance(exposure, InferenceGateway):
        return serving.inference_gateway.is_encrypted
    return isinstance(exposure, PathRoute) and exposure.is_encrypted(serving.routes)


def url_map(entries: Iterable[Workload], shared: Collection[str] = ()) -> dict[str, Any]:
    """The URL map of models with a route: longer paths first, then more headers.

    `shared` are those that share a host of the Inference Gateway.
    """
    hosts: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        exposure = entry.exposure
        if isinstance(exposure, PathRoute):
            for host in exposure.hosts or (ANY_HOST,):
                hosts.setdefault(host, []).extend(_rules(entry, exposure))
        elif isinstance(exposure, InferenceGateway):
            for host in exposure.hosts:
                hosts.setdefault(host, []).extend(_pool_rules(entry, named=entry.name in shared))
    for rules in hosts.values():
        rules.sort(key=_precedence)
        for priority, rule in enumerate(rules, 1):
            rule["priority"] = priority
    return {
        "hostRules": [{"hosts": [host], "pathMatcher": host} for host in hosts],
        "pathMatchers": [{"name": host, "routeRules": rules} for host, rules in hosts.items()],
    }


def _rules(entry: Workload, exposure: PathRoute) -> list[dict[str, Any]]:
    """Two rules: the path itself, and everything below it."""
    action: dict[str, Any] = {"weightedBackendServices": _shares(entry)}
    if entry.canary and entry.canary.mirror:
        action["requestMirrorPolicy"] = {
            "backendService": entry.canary.name,
            "mirrorPercent": entry.canary.mirror,
        }
    given = exposure.headers if isinstance(exposure, Gateway) else {}
    headers = [{"headerName": name, "exactMatch": value} for name, value in given.items()]
    # NGINX compares expressions without regard to case.
    case = {"ignoreCase": True} if exposure.kind == INGRESS else {}
    target = exposure.server_path
    return [
        {
            "matchRules": [{**match, **case, **({"headerMatches": headers} if headers else {})}],
            "routeAction": {**action, "urlRewrite": {"pathPrefixRewrite": rewrite}},
        }
        for match, rewrite in (
            ({"fullPathMatch": exposure.path}, target),
            ({"prefixMatch": f"{exposure.path}/"}, f"{target.rstrip('/')}/"),
        )
    ]


def _pool_rules(entry: Workload, *, named: bool) -> list[dict[str, Any]]:
    """The rules of a model on the Inference Gateway: the whole host, or requests that name it."""
    everything: dict[str, Any] = {"prefixMatch": "/"}
    matches = [everything]
    if named:
        matches = [
            {**everything, "headerMatches": [{"headerName": MODEL_HEADER, "exactMatch": name}]}
            for name in entry.served_names
        ]
    action = {"weightedBackendServices": _shares(entry)}
    return [{"matchRules": [match], "routeAction": action} for match in matches]


def router_headers(kind: str, body: bytes) -> dict[str, str]:
    """The headers that the body-based router adds to a request before its route is chosen."""
    if kind != INFERENCE:
        return {}
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    model = content.get("model") if isinstance(content, dict) else None
    return {MODEL_HEADER: model} if isinstance(model, str) and model else {}


def _shares(entry: Workload) -> list[dict[str, Any]]:
    if entry.canary is None or entry.canary.mirror:
        return [{"backendService": entry.name, "weight": 100}]
    return [{"backendService": one.name, "weight": one.weight} for one in (entry, entry.canary)]


def _precedence(rule: Mapping[str, Any]) -> tuple[bool, int, int]:
    match = rule["matchRules"][0]
    exact = match.get("fullPathMatch")
    headers = len(match.get("headerMatches") or ())
    return not exact, -len(exact or match["prefixMatch"]), -headers


def _pattern(rule: Mapping[str, Any]) -> str:
    match = rule["matchRules"][0]
    path = match.get("fullPathMatch") or f"{match['prefixMatch']}*"
    headers = [
        f"{one['headerName']}: {one['exactMatch']}" for one in match.get("headerMatches", ())
    ]
    return " ".join([path, *(f"with {header}" for header in headers)])
