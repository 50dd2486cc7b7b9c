"""Rules about URL maps: host rules, path matchers, defaults, weights, tests."""

from collections import Counter
from collections.abc import Iterator

from policies.rule import Stack, advisory, google, mandatory
from policies.rules.frontends import URL_MAPS, resource_name
from policies.rules.load_balancer import BACKEND_SERVICES
from policies.subjects import Resource
from policies.values import Props, block, entries, number, text, texts

_DOCS = google("URL maps", "load-balancing/docs/url-map-concepts")
_ROUTES = google("Traffic management", "load-balancing/docs/https/traffic-management-global")
_STATIC = "global/backendBuckets/static"


def _map(*rules: Props, **more: object) -> Props:
    matcher = {"name": "models", "defaultService": _STATIC, "pathRules": list(rules)}
    return {
        "name": "models",
        "defaultService": _STATIC,
        "hostRules": [{"hosts": ["models.example"], "pathMatcher": "models"}],
        "pathMatchers": [matcher],
        "tests": [{"host": "models.example", "path": "/v1/models/resnet", "service": "resnet"}],
        **more,
    }


def _path(*paths: str, service: str = "global/backendServices/resnet") -> Props:
    return {"paths": list(paths), "service": service}


_GOOD = _map(_path("/v1/models/resnet", "/v1/models/resnet/*"))


@mandatory(
    URL_MAPS,
    layer="networking",
    severity="high",
    why="A path matcher without a host rule is unused, so its models are not served.",
    fix="reference the matcher in a host rule, or remove it",
    references=(_DOCS,),
    passing=_GOOD,
    failing=_map(hostRules=[{"hosts": ["models.example"], "pathMatcher": "others"}]),
)
def url_map_matchers_are_reached(url_map: Props) -> Iterator[str]:
    """Every path matcher has a host rule, and every host rule has a path matcher."""
    matchers = [text(one, "name") for one in entries(url_map, "pathMatchers")]
    wanted = [text(one, "pathMatcher") for one in entries(url_map, "hostRules")]
    for name in matchers:
        if name not in wanted:
            yield f"no host rule references path matcher {name}"
    for name in wanted:
        if name not in matchers:
            yield f"a host rule references path matcher {name or '(none)'}, which does not exist"


@mandatory(
    URL_MAPS,
    layer="networking",
    severity="high",
    why="Of two rules for the same host or path, one is never used.",
    fix="remove one rule, or order the route rules from specific to general",
    references=(_DOCS, _ROUTES),
    passing=_GOOD,
    failing=_map(_path("/v1/*"), _path("/v1/*", service="global/backendServices/bert")),
)
def url_map_rules_are_not_shadowed(url_map: Props) -> Iterator[str]:
    """No host, path or route of a URL map shadows another."""
    hosts = Counter(host for rule in entries(url_map, "hostRules") for host in texts(rule, "hosts"))
    for host in _duplicates(hosts):
        yield f"host {host} is in more than one host rule"
    for matcher in entries(url_map, "pathMatchers"):
        name = text(matcher, "name")
        paths = Counter(
            path for rule in entries(matcher, "pathRules") for path in texts(rule, "paths")
        )
        for path in _duplicates(paths):
            yield f"{name}: path {path} is in more than one rule"
        yield from _routes(name, entries(matcher, "routeRules"))


def _duplicates(found: Counter[str]) -> list[str]:
    return sorted(key for key, count in found.items() if count > 1)


def _routes(matcher: str, rules: list[Props]) -> Iterator[str]:
    priorities = Counter(number(rule, "priority") for rule in rules)
    for priority, count in priorities.items():
        if count > 1:
            yield f"{matcher}: {count} route rules have priority {priority or 0:.0f}"
    seen: list[tuple[float, str]] = []
    for rule in sorted(rules, key=lambda one: number(one, "priority") or 0):
        priority = number(rule, "priority") or 0
        for match in entries(rule, "matchRules"):
            plain = not any(
                entries(match, key)
                for key in ("headerMatches", "queryParameterMatches", "metadataFilters")
            )
            path = text(match, "prefixMatch") or text(match, "fullPathMatch")
            for earlier, prefix in seen:
                if path and earlier < priority and path.startswith(prefix):
                    yield f"{matcher}: {path} is shadowed by {prefix}, which has a higher priority"
            if plain and text(match, "prefixMatch"):
                seen.append((priority, text(match, "prefixMatch")))


@mandatory(
    URL_MAPS,
    layer="networking",
    severity="medium",
    why="Unmatched requests, such as those of scanners, would reach a model.",
    fix="use the static files bucket or a redirect as the default (the networking layer does)",
    references=(_DOCS,),
    passing=_GOOD,
    failing=_map(defaultService="global/backendServices/resnet"),
)
def url_map_default_is_no_model(url_map: Props) -> Iterator[str]:
    """The default of a URL map is a bucket or a redirect, not a model."""
    default = text(url_map, "defaultService")
    if "backendservice" in default.lower():
        yield f"defaultService is {default.rpartition('/')[2]}, a backend service"
    routed = block(url_map, "defaultRouteAction").get("weightedBackendServices")
    if not default and not block(url_map, "defaultUrlRedirect") and not routed:
        yield "neither defaultService nor defaultUrlRedirect is set"


@mandatory(
    URL_MAPS,
    layer="networking",
    severity="medium",
    why="Weights are relative to their sum, so 90 and 20 do not mean 90 % and 20 %.",
    fix="use weights that add up to 100 (gke-serving:models[].canary.weights)",
    references=(_ROUTES,),
    passing=_map(
        {
            "paths": ["/v1/models/resnet/*"],
            "routeAction": {
                "weightedBackendServices": [
                    {"backendService": "resnet", "weight": 90},
                    {"backendService": "resnet-canary", "weight": 10},
                ]
            },
        }
    ),
    failing=_map(
        {
            "paths": ["/v1/models/resnet/*"],
            "routeAction": {
                "weightedBackendServices": [
                    {"backendService": "resnet", "weight": 90},
                    {"backendService": "resnet-canary", "weight": 20},
                ]
            },
        }
    ),
)
def url_map_weights_add_up(url_map: Props) -> Iterator[str]:
    """The weights of a traffic split add up to 100."""
    for where, action in _actions(url_map):
        split = entries(action, "weightedBackendServices")
        total = sum(number(one, "weight") or 0 for one in split)
        if split and total != 100:
            yield f"{where}: the weights add up to {total:.0f}"


def _actions(url_map: Props) -> Iterator[tuple[str, Props]]:
    yield "the default", block(url_map, "defaultRouteAction")
    for matcher in entries(url_map, "pathMatchers"):
        name = text(matcher, "name")
        yield name, block(matcher, "defaultRouteAction")
        for rule in (*entries(matcher, "pathRules"), *entries(matcher, "routeRules")):
            yield name, block(rule, "routeAction")


def _declared(name: str) -> Resource:
    return Resource(BACKEND_SERVICES.example, {"name": name}, name)


@mandatory(
    URL_MAPS,
    layer="networking",
    severity="high",
    why="The API rejects a URL map whose backend does not exist, and the update fails halfway.",
    fix="declare the backend service, or correct the name in the route",
    references=(_DOCS,),
    passing=(_declared("resnet"), Resource(URL_MAPS.example, _GOOD)),
    failing=(_declared("bert"), Resource(URL_MAPS.example, _GOOD)),
)
def url_map_leads_to_declared_backends(url_map: Props, stack: Stack) -> Iterator[str]:
    """Every backend service of a URL map is declared, if the stack declares any."""
    names = {resource_name(text(one.props, "name")) for one in stack.of(BACKEND_SERVICES)}
    for reference in sorted(set(_services(url_map))) if names else ():
        if resource_name(reference) not in names:
            yield f"backend service {resource_name(reference)} is not declared"


def _services(url_map: Props) -> Iterator[str]:
    """Yield the backend services of a URL map, without backend buckets."""
    rules = [url_map]
    for matcher in entries(url_map, "pathMatchers"):
        rules += [matcher, *entries(matcher, "pathRules"), *entries(matcher, "routeRules")]
    for rule in rules:
        for key in ("service", "defaultService"):
            reference = text(rule, key)
            if reference and "backendbucket" not in reference.lower():
                yield reference
        for key in ("routeAction", "defaultRouteAction"):
            for one in entries(rule, key, "weightedBackendServices"):
                yield text(one, "backendService")
            mirrored = text(rule, key, "requestMirrorPolicy", "backendService")
            if mirrored:
                yield mirrored


@advisory(
    URL_MAPS,
    layer="networking",
    severity="low",
    why="The API runs a URL map's tests before it accepts the map, and rejects wrong routes.",
    fix="add tests to the map (the networking layer creates one per route)",
    references=(
        google("URL map tests", "load-balancing/docs/url-map-concepts#configuration_tests"),
    ),
    passing=_GOOD,
    failing=_map(_path("/v1/*"), tests=[]),
)
def url_maps_are_tested(url_map: Props) -> Iterator[str]:
    """A URL map with host rules has tests."""
    if entries(url_map, "hostRules") and not entries(url_map, "tests"):
        yield "it has host rules and no tests"
