"""A URL map as Envoy's route configuration: host rules are virtual hosts, rules are routes."""

from __future__ import annotations

from typing import Any

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.kubernetes.cluster_objects import Callout
from sandbox.traffic.load_balancer import callouts, matches, route_actions, shared_filters
from sandbox.traffic.load_balancer.armor import bodies, policies
from sandbox.traffic.load_balancer.backends import Backends, Target
from sandbox.traffic.load_balancer.client import INTERNAL_HEADERS
from sandbox.traffic.load_balancer.unsupported import Document

_FILTERS = "typed_per_filter_config"
_NO_TARGET: Json = {"direct_response": {"status": 502}}
_MISSING = "There is no such backend."
_NOT_ALLOWED: Json = {"direct_response": {"status": 405}}


class Routes:
    """The routes of one URL map."""

    def __init__(self, place: Place, url_map: Document, backends: Backends) -> None:
        self._place, self._map, self._backends = place, url_map, backends

    def configuration(self, router: Callout | None = None, *, has_callouts: bool = False) -> Json:
        """The route configuration, named after the URL map's path.

        `router` is asked about each request before its route is decided; with `has_callouts` the
        listeners have filters that ask programs.
        """
        url_map = self._map
        matchers = {one.text("name"): one for one in url_map.many("pathMatchers")}
        hosts: list[Json] = []
        for index, rule in enumerate(url_map.many("hostRules")):
            matcher = matchers.get(rule.text("pathMatcher"))
            domains = sorted({one.lower() for one in rule.texts("hosts")})
            if matcher is not None and domains:
                hosts.append(
                    {"name": f"hostRules[{index}]", "domains": domains}
                    | {"routes": self._matcher(matcher)}
                    | route_actions.header_action(matcher)
                )
        if not any("*" in host["domains"] for host in hosts):
            routes = self._default(url_map, "default")
            hosts.append({"name": "default", "domains": ["*"], "routes": routes})
        else:
            # Every request has a host rule: what the map itself says is never asked.
            for field in ("defaultService", "defaultUrlRedirect", "defaultRouteAction"):
                url_map.value(field)
        if router is not None and router.hosts:
            hosts = [part for host in hosts for part in callouts.by_host(host, router)]
            router = None
        for host in hosts:
            host["request_body_buffer_limit"] = bodies.LARGEST
        filters = shared_filters.lift(hosts, policies.FILTERS)
        shared = filters.get(_FILTERS, {}) | (callouts.unasked() if has_callouts else {})
        filters = _filters(shared | callouts.of_route(callouts.ROUTER, router))
        return {
            "name": self._place.path,
            "virtual_hosts": hosts,
            "ignore_port_in_host_matching": True,
            **filters,
        } | _joined(
            route_actions.header_action(url_map),
            {"request_headers_to_remove": list(INTERNAL_HEADERS)},
        )

    def _matcher(self, matcher: Document) -> list[Json]:
        routes: list[Json] = []
        rules = {path: one for one in matcher.many("pathRules") for path in one.texts("paths")}
        for pattern in matches.by_precedence(rules):
            rule = rules[pattern]
            name = f"{rule.field} {pattern}"
            routes += self._route(name, rule, "", matches.path_rule(pattern))
        for rule in sorted(matcher.many("routeRules"), key=lambda one: one.whole("priority")):
            for match in rule.many("matchRules"):
                routes += self._route(match.field, rule, "", matches.match_rule(match))
        return routes + self._default(matcher, f"{matcher.field} default")

    def _default(self, holder: Document, name: str) -> list[Json]:
        return self._route(name, holder, "default", dict(matches.EVERYTHING))

    def _route(self, name: str, rule: Document, prefix: str, match: Json) -> list[Json]:
        """The routes of one match: one, and one more for methods that a backend refuses."""

        def key(field: str) -> str:
            return prefix + field if prefix else field[0].lower() + field[1:]

        headers = {} if prefix else route_actions.header_action(rule)
        route: dict[str, Any] = {"name": name, "match": match} | headers
        if rule.has(key("UrlRedirect")):
            return [route | {"redirect": route_actions.redirect(rule.one(key("UrlRedirect")))}]
        action = rule.one(key("RouteAction"))
        weighted = action.many("weightedBackendServices")
        if weighted:
            rule.value(key("Service"))
            return [self._split(route, action, weighted, match)]
        target = self._backends.target(rule.text(key("Service")), self._place.project)
        if target is None:
            rule.decline(key("Service"), _MISSING)
            return [route | _NO_TARGET]
        if target.refusal:
            return [_joined(route, target.refusal)]
        routes = []
        if target.methods:
            others = {"name": ":method", "string_match": {"safe_regex": {"regex": target.methods}}}
            only = {"headers": [*match.get("headers", ()), others | {"invert_match": True}]}
            routes.append({"name": name, "match": match | only} | _NOT_ALLOWED)
        route = _joined(route, target.headers)
        route["route"] = {"cluster": target.cluster} | self._action(action, [target], match)
        own = target.filters | route_actions.filters(action)
        return [*routes, route | _filters(own)]

    def _split(self, route: Json, action: Document, weighted: list[Document], match: Json) -> Json:
        """A route to several backend services by weight."""
        found = [
            (one, self._backends.target(one.text("backendService"), self._place.project))
            for one in weighted
        ]
        pairs = [(one, target) for one, target in found if target]
        for one, target in found:
            if target is None:
                one.decline("backendService", _MISSING)
        if len(pairs) < len(found):
            return route | _NO_TARGET
        clusters = [
            {"name": target.cluster, "weight": one.whole("weight")}
            | _joined(route_actions.header_action(one), target.headers)
            | _filters(target.filters)
            for one, target in pairs
        ]
        where = {"weighted_clusters": {"clusters": clusters}}
        targets = [target for _, target in pairs]
        made = route | {"route": where | self._action(action, targets, match)}
        return made | _filters(route_actions.filters(action))

    def _action(self, action: Document, targets: list[Target], match: Json) -> Json:
        """Everything about the way to the backend but which one it is."""
        found: dict[str, Any] = {
            "timeout": action.duration("timeout") or f"{max(one.timeout for one in targets)}s",
            "retry_policy": route_actions.retries(action),
        } | route_actions.rewrite(action, match)
        if limit := action.duration("maxStreamDuration"):
            found["max_stream_duration"] = {"max_stream_duration": limit}
        policies = [policy for one in targets for policy in one.affinity]
        if policies:
            found["hash_policy"] = [p for i, p in enumerate(policies) if p not in policies[:i]]
        mirror = action.one("requestMirrorPolicy")
        copied = self._backends.target(mirror.text("backendService"), self._place.project)
        if copied is None:
            mirror.decline("backendService", _MISSING)
        else:
            percent = mirror.number("mirrorPercent", 100)
            found["request_mirror_policies"] = [
                {
                    "cluster": copied.cluster,
                    "runtime_fraction": {"default_value": route_actions.fraction(percent)},
                }
            ]
        return found


def _filters(found: Json) -> Json:
    return {_FILTERS: dict(found)} if found else {}


def _joined(*parts: Json) -> Json:
    """Mappings in one; the lists of one key are joined."""
    found: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            found[key] = [*found[key], *value] if isinstance(found.get(key), list) else value
    return found
