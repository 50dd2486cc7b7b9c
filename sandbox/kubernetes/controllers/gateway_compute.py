"""Compute API documents of a Gateway's load balancer. Pure functions.

As on GKE: a health check and a backend service per routed Service, one URL map with route rules,
and a target proxy and a forwarding rule per listener.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.controllers import inference_pools

Json = dict[str, Any]
_MILLION = 1_000_000
_MANAGER = "//certificatemanager.googleapis.com/projects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A routed Service port with its policies."""

    namespace: str
    service: str
    port: int
    groups: tuple[str, ...] = ()
    """Paths of its network endpoint groups."""
    health: Json = field(default_factory=dict)
    """`spec.default` of its HealthCheckPolicy."""
    policy: Json = field(default_factory=dict)
    """`spec.default` of its GCPBackendPolicy."""

    def name(self, prefix: str) -> str:
        """Name of its compute resources."""
        return named(prefix, self.namespace, self.service, str(self.port))


def named(prefix: str, *parts: str) -> str:
    """Return a deterministic name of at most 63 characters from the parts."""
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]
    readable = "-".join(part[:14].strip("-") for part in parts)
    return f"gkegw1-{prefix}-{readable}"[:50].rstrip("-") + f"-{digest}"


def health_check(name: str, target: Target) -> Json:
    """Return the health check. Default without a policy: `/` on the serving port."""
    policy = target.health
    config: Json = policy.get("config") or {}
    request: Json = config.get("httpHealthCheck") or {}
    http = {
        "requestPath": request.get("requestPath", "/"),
        "portSpecification": request.get("portSpecification", "USE_SERVING_PORT"),
    }
    if request.get("port"):
        http["port"] = request["port"]
    if request.get("host"):
        http["host"] = request["host"]
    return {
        "name": name,
        "type": "HTTP",
        "httpHealthCheck": http,
        "checkIntervalSec": policy.get("checkIntervalSec", 15),
        "timeoutSec": policy.get("timeoutSec", 15),
        "healthyThreshold": policy.get("healthyThreshold", 1),
        "unhealthyThreshold": policy.get("unhealthyThreshold", 2),
    }


def backend_service(
    name: str, target: Target, *, check: str, scheme: str, scope: str = "global"
) -> Json:
    """Return the backend service. `check` is the health check's link."""
    policy = target.policy
    logging: Json = policy.get("logging") or {}
    draining: Json = policy.get("connectionDraining") or {}
    rate = policy.get("maxRatePerEndpoint", 100_000_000)
    body: Json = {
        "name": name,
        "loadBalancingScheme": scheme,
        "protocol": "HTTP",
        "healthChecks": [check],
        "timeoutSec": policy.get("timeoutSec", 30),
        "connectionDraining": {"drainingTimeoutSec": draining.get("drainingTimeoutSec", 0)},
        "backends": [
            {"group": group, "balancingMode": "RATE", "maxRatePerEndpoint": rate}
            for group in target.groups
        ],
        "logConfig": {"enable": bool(logging.get("enabled"))},
    }
    if logging.get("enabled"):
        body["logConfig"]["sampleRate"] = logging.get("sampleRate", _MILLION) / _MILLION
    if policy.get("securityPolicy"):
        body["securityPolicy"] = f"{scope}/securityPolicies/{policy['securityPolicy']}"
    affinity: Json = policy.get("sessionAffinity") or {}
    if affinity.get("type"):
        body["sessionAffinity"] = affinity["type"]
    if affinity.get("cookieTtlSec"):
        body["affinityCookieTtlSec"] = affinity["cookieTtlSec"]
    # Off is explicit: an update without it leaves what was.
    body["iap"] = {"enabled": bool((policy.get("iap") or {}).get("enabled"))}
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Backend service links by namespace, Service and port, and the one for 404s."""

    services: Mapping[tuple[str, str, int], str]
    nowhere: str

    def not_found(self) -> Json:
        """Link of the backend service that always answers 404."""
        return {
            "faultInjectionPolicy": {"abort": {"httpStatus": 404, "percentage": 100.0}},
            "weightedBackendServices": [{"backendService": self.nowhere, "weight": 1}],
        }


def url_map(name: str, routes: list[Json], backends: Backends) -> Json:
    """Return the URL map of HTTPRoutes. Unmatched requests get 404."""
    hosts: dict[str, list[Json]] = {}
    for route in routes:
        for host in route["spec"].get("hostnames") or ["*"]:
            for rule in route["spec"].get("rules") or []:
                made = _route_rules(route["metadata"]["namespace"], rule, backends)
                hosts.setdefault(host, []).extend(made)
    body: Json = {
        "name": name,
        "defaultRouteAction": backends.not_found(),
        "hostRules": [],
        "pathMatchers": [],
    }
    for index, (host, rules) in enumerate(sorted(hosts.items())):
        matcher = f"matcher{index}"
        # The Gateway API's own order: exact paths, longer prefixes, more headers.
        rules.sort(key=_precedence)
        numbered = [{**rule, "priority": number} for number, rule in enumerate(rules, start=1)]
        body["hostRules"].append({"hosts": [host], "pathMatcher": matcher})
        body["pathMatchers"].append(
            {
                "name": matcher,
                "defaultRouteAction": backends.not_found(),
                "routeRules": numbered,
            }
        )
    return body


def _precedence(rule: Json) -> tuple[bool, int, int]:
    match = rule["matchRules"][0]
    exact = match.get("fullPathMatch")
    headers = len(match.get("headerMatches") or ())
    return not exact, -len(exact or match.get("prefixMatch", "")), -headers


def _route_rules(namespace: str, rule: Json, backends: Backends) -> list[Json]:
    """Convert an HTTPRoute rule to route rules, one per kind of path match."""
    filters = {one["type"]: one for one in rule.get("filters") or ()}
    if "RequestRedirect" in filters:
        act: Json = {"urlRedirect": _redirect(filters["RequestRedirect"]["requestRedirect"])}
    else:
        act = {"routeAction": _action(namespace, rule, filters, backends)}
    return [
        {"matchRules": [{**matched, **_header_matches(match)}], **_joined(act, matched)}
        for match in rule.get("matches") or [{}]
        for matched in _path_matches(match.get("path") or {"type": "PathPrefix", "value": "/"})
    ]


def _joined(act: Json, matched: Json) -> Json:
    """Keep the slash between a rewritten prefix and the rest: the URL map replaces it too."""
    action: Json = act.get("routeAction") or {}
    rewritten = (action.get("urlRewrite") or {}).get("pathPrefixRewrite")
    if rewritten is None or not matched.get("prefixMatch", "").endswith("/"):
        return act
    prefix = f"{rewritten.rstrip('/')}/"
    return {"routeAction": {**action, "urlRewrite": {"pathPrefixRewrite": prefix}}}


def _header_matches(match: Json) -> Json:
    """Convert header matches; GKE supports exact ones."""
    headers = [
        {"headerName": one["name"], "exactMatch": one["value"]}
        for one in match.get("headers") or ()
        if one.get("type", "Exact") == "Exact"
    ]
    return {"headerMatches": headers} if headers else {}


def _path_matches(path: Json) -> list[Json]:
    """Convert a path match. `PathPrefix` matches whole elements, so `/model` not `/models`."""
    value = path.get("value", "/")
    if path.get("type") == "Exact":
        return [{"fullPathMatch": value}]
    if value == "/":
        return [{"prefixMatch": "/"}]
    return [{"fullPathMatch": value}, {"prefixMatch": f"{value.rstrip('/')}/"}]


def _redirect(redirect: Json) -> Json:
    codes = {301: "MOVED_PERMANENTLY_DEFAULT", 302: "FOUND"}
    return {
        "httpsRedirect": redirect.get("scheme") == "https",
        "redirectResponseCode": codes[redirect.get("statusCode", 302)],
    }


def _action(namespace: str, rule: Json, filters: Json, backends: Backends) -> Json:
    weighted = [
        {"backendService": backends.services[key], "weight": one.get("weight", 1)}
        for one in rule.get("backendRefs") or ()
        if (key := reference(one, namespace)) in backends.services
    ]
    action: Json = {"weightedBackendServices": weighted} if weighted else backends.not_found()
    path: Json = ((filters.get("URLRewrite") or {}).get("urlRewrite") or {}).get("path") or {}
    if path.get("type") == "ReplacePrefixMatch":
        action["urlRewrite"] = {"pathPrefixRewrite": path.get("replacePrefixMatch", "/")}
    mirror: Json = (filters.get("RequestMirror") or {}).get("requestMirror") or {}
    if mirror and (key := reference(mirror["backendRef"], namespace)) in backends.services:
        action["requestMirrorPolicy"] = {
            "backendService": backends.services[key],
            "mirrorPercent": _percent(mirror),
        }
    return action


def _percent(mirror: Json) -> float:
    """Return the percentage of mirrored requests; all by default."""
    if fraction := mirror.get("fraction"):
        return float(100 * fraction["numerator"] / fraction.get("denominator", 100))
    return float(mirror.get("percent", 100))


def backend_references(rule: Json) -> list[Json]:
    """Return the references to Services of an HTTPRoute rule, those of mirrors included."""
    mirrors = [
        one["requestMirror"]["backendRef"]
        for one in rule.get("filters") or ()
        if one["type"] == "RequestMirror"
    ]
    return [*(rule.get("backendRefs") or ()), *mirrors]


def reference(backend: Json, namespace: str) -> tuple[str, str, int]:
    """Return namespace, Service or InferencePool, and port of a route's backend."""
    name = inference_pools.named(backend)
    # A pool states its ports itself.
    port = 0 if inference_pools.is_pool(backend) else int(backend.get("port", 0))
    return backend.get("namespace", namespace), name, port


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What an HTTPS listener names: one of the three."""

    map: str = ""
    """A global certificate map."""
    managed: tuple[str, ...] = ()
    """Regional certificates of Certificate Manager."""
    classic: tuple[str, ...] = ()
    """Certificates of Compute Engine."""


def certificates(gateway: Json, listener: Json, *, is_regional: bool) -> Certificates:
    """Return the certificates of an HTTPS listener; empty if it has none that count.

    Certificate maps are global; regional load balancers name Certificate Manager's certificates.
    Source: https://docs.cloud.google.com/kubernetes-engine/docs/how-to/secure-gateway.
    """
    options: Json = (listener.get("tls") or {}).get("options") or {}
    classic = _names(options.get("networking.gke.io/pre-shared-certs"))
    if not is_regional:
        annotations = gateway["metadata"].get("annotations") or {}
        return Certificates(map=annotations.get("networking.gke.io/certmap", ""), classic=classic)
    return Certificates(
        managed=_names(options.get("networking.gke.io/cert-manager-certs")), classic=classic
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def proxy(
    name: str, *, url_map_link: str, project: str, scope: str, given: Certificates | None
) -> Json:
    """Return the target proxy of a listener: HTTPS if certificates are given."""
    body: Json = {"name": name, "urlMap": url_map_link}
    if given is None:
        return body
    if given.map:
        body["certificateMap"] = (
            f"{_MANAGER}/{project}/locations/global/certificateMaps/{given.map}"
        )
        return body
    location = scope.rpartition("/")[2]
    # The API takes certificates of both services in one field.
    managed = f"{_MANAGER}/{project}/locations/{location}/certificates"
    classic = f"projects/{project}/{scope}/sslCertificates"
    body["sslCertificates"] = [
        *(f"{managed}/{one}" for one in given.managed),
        *(f"{classic}/{one}" for one in given.classic),
    ]
    return body


def forwarding_rule(
    name: str, *, target: str, address: str | None, port: int, scheme: str, network: Json
) -> Json:
    """Return the forwarding rule of a listener. `network`: fields that a regional one has."""
    return {
        "name": name,
        "loadBalancingScheme": scheme,
        "IPProtocol": "TCP",
        "portRange": f"{port}-{port}",
        "target": target,
        **network,
        **({"IPAddress": address} if address else {}),
    }
