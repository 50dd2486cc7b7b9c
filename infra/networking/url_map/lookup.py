"""What the load balancer does with a request, foretold from configuration alone.

The URL map is the planned one and the matching is `facts.url_map_routing`. Whether a backend is
healthy, Cloud Armor and what a bucket holds are not foretold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from facts.url_map_routing import Outcome, Request, route
from gkeplatform.contracts import Route, ServedModel
from gkeplatform.hosts import covers
from infra.networking.config import NetworkingConfig
from infra.networking.contract import default_domain
from infra.networking.iap import members_of
from infra.networking.url_map.document import DEFAULT, document
from infra.networking.url_map.matchers import Matcher, matchers


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What becomes of one request."""

    url: str
    """The URL that was asked, with scheme and host."""
    rule: str = ""
    """The path or prefix that matched; empty where the default backend gets the request."""
    matcher: str = ""
    """Name of the path matcher."""
    model: str | None = None
    """The model that gets the request; None for the bucket of static files, and a redirect."""
    shares: tuple[tuple[str, int], ...] = ()
    """Version and percent of the requests."""
    mirrored: tuple[str, int] | None = None
    """The version that gets copies, and the percent of the requests."""
    path: str | None = None
    """The path that the model's server gets."""
    redirect: str | None = None
    code: int | None = None
    """Status of a redirect, or of a request that nothing takes; None for a backend's."""
    members: tuple[str, ...] = ()
    """Principals that Identity-Aware Proxy admits; empty where anyone may call."""
    timeout_seconds: int | None = None
    retries: int = 0
    problem: str = ""
    """Why no answer comes: no HTTPS, or no certificate for the host."""


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """The HTTP load balancer of an environment, as its stack file plans it."""

    config: NetworkingConfig
    planned: tuple[Matcher, ...]
    url_map: dict[str, Any]
    routes: Mapping[str, Route]
    """By model."""

    @property
    def scheme(self) -> str:
        """What callers use."""
        return "https" if self.config.serves_https else "http"

    def find(self, url: str, headers: Mapping[str, str] | None = None) -> Found:
        """What becomes of a GET or POST of `url`; a path alone is asked on the default domain."""
        asked = self._asked(url)
        full = asked.geturl()
        if problem := self._problem(asked):
            return Found(url=full, problem=problem)
        if asked.scheme == "http" and self.config.https.redirect:
            to = asked._replace(scheme="https").geturl()
            return Found(url=full, redirect=to, code=301)
        path = f"{asked.path}?{asked.query}" if asked.query else asked.path
        outcome = route(self.url_map, Request(asked.netloc, path, headers or {}, asked.scheme))
        return self._found(full, outcome)

    def _asked(self, url: str) -> SplitResult:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].partition(":")[0].lower()
        return SplitResult(
            parts.scheme or self.scheme,
            host or default_domain(self.config) or "address.invalid",
            parts.path or "/",
            parts.query,
            "",
        )

    def _problem(self, asked: SplitResult) -> str:
        if asked.scheme != "https":
            return ""
        if not self.config.serves_https:
            return "nothing listens on port 443: gke-networking:certificates is empty"
        if not self.is_certified(asked.netloc):
            return f"no certificate covers {asked.netloc}: the TLS handshake fails"
        return ""

    def is_certified(self, host: str) -> bool:
        """Whether a certificate of the environment covers the host."""
        certificates = self.config.certificates
        return any(covers(domain, host) for one in certificates for domain in one.domains)

    def _found(self, url: str, outcome: Outcome) -> Found:
        pattern = outcome.pattern or _prefix(outcome.rule)
        reached = outcome.services[0] if outcome.services else DEFAULT
        if not outcome.rule or reached == DEFAULT:
            return Found(url=url, matcher=outcome.matcher, rule=pattern)
        model = self._model(reached)
        action = outcome.rule.get("routeAction") or {}
        split = action.get("weightedBackendServices") or ()
        mirror = action.get("requestMirrorPolicy")
        known = self.routes[model]
        arrived = urlsplit(outcome.url)
        return Found(
            url=url,
            rule=pattern,
            matcher=outcome.matcher,
            model=model,
            shares=tuple((one["backendService"], one["weight"]) for one in split)
            or ((reached, 100),),
            mirrored=(mirror["backendService"], mirror["mirrorPercent"]) if mirror else None,
            path=f"{arrived.path}?{arrived.query}" if arrived.query else arrived.path,
            members=members_of(self.config, known),
            timeout_seconds=known.timeout_seconds or self.config.backends.timeout_seconds,
            retries=known.retries.attempts if known.retries else 0,
        )

    def _model(self, version: str) -> str:
        for name, known in self.routes.items():
            if version == name or (known.canary and version == known.canary.name):
                return name
        raise KeyError(version)


def load_balancer(config: NetworkingConfig, models: Iterable[ServedModel]) -> LoadBalancer:
    """The load balancer in front of these models."""
    served = tuple(models)
    planned = matchers(served)
    routes = {one.name: one.route for one in served if one.route}
    return LoadBalancer(config, planned, document(planned), routes)


def _prefix(rule: Mapping[str, Any]) -> str:
    """The first path of a route rule, as a path rule would spell it."""
    for match in rule.get("matchRules") or ():
        if "prefixMatch" in match:
            return f"{match['prefixMatch']}*"
        if "fullPathMatch" in match:
            return str(match["fullPathMatch"])
    return ""
