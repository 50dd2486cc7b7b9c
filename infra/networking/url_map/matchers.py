"""Path matchers of the URL map, planned as plain data."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gkeplatform.contracts import Route, ServedModel
from gkeplatform.naming import digest
from gkeplatform.routes import ANY_HOST, Pattern, expand
from gkeplatform.url_map_limits import is_dense
from infra.networking.url_map.versions import shares


@dataclass(frozen=True, slots=True)
class Rule:
    """Patterns of one model, and the share of the requests that each version gets."""

    model: str
    patterns: tuple[Pattern, ...]
    shares: tuple[tuple[str, int], ...]
    """Version and percent of the requests."""
    route: Route
    rewrite: str | None = None
    """Replaces the part of the path that matched; None keeps it."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """The rules of one host. Requests that match none of them go to the default backend.

    A dense matcher has more patterns than a path matcher holds. It has one prefix per path instead,
    the longest first, so that `/v1/models/resnet50` does not go to `resnet`. A request that begins
    like a model's path, but is none of its patterns, then goes to that model, which answers 404.
    """

    name: str
    host: str
    rules: tuple[Rule, ...]
    is_dense: bool = False


def matchers(models: Iterable[ServedModel]) -> tuple[Matcher, ...]:
    """One matcher per host, the one of every other host first.

    A host rule hides the rule of every other host, so a model without hosts is in each matcher.
    """
    routes = {model.name: model.route for model in models if model.route}
    anywhere = {name for name, route in routes.items() if not route.hosts}
    at: dict[str, set[str]] = {ANY_HOST: anywhere}
    for name, route in routes.items():
        for host in route.hosts:
            at.setdefault(host, set(anywhere)).add(name)
    sizes = {name: len(patterns(route)) for name, route in routes.items()}
    exact = {name: tuple(rules(name, route)) for name, route in routes.items()}
    prefixed = {name: tuple(prefixes(name, route)) for name, route in routes.items()}
    found = []
    for host in (ANY_HOST, *sorted(at.keys() - {ANY_HOST})):
        there = [name for name in routes if name in at[host]]
        dense = is_dense(sum(sizes[name] for name in there))
        chosen = [rule for name in there for rule in (prefixed if dense else exact)[name]]
        if dense:
            chosen.sort(key=lambda rule: (-len(rule.patterns[0].path), rule.patterns[0].path))
        found.append(Matcher(matcher_name(host), host, tuple(chosen), dense))
    return tuple(found)


def patterns(route: Route) -> tuple[Pattern, ...]:
    """Every pattern of a route, path by path."""
    return tuple(pattern for path in route.paths for pattern in expand(path, route.verbs))


def rules(name: str, route: Route) -> Iterator[Rule]:
    """One rule for the patterns that keep their path, and one for each that is rewritten."""
    split = shares(name, route)
    rewritten = {one: rewrite(one, route.rewrites) for one in patterns(route)}
    if kept := tuple(one for one, target in rewritten.items() if target is None):
        yield Rule(name, kept, split, route)
    for one, target in rewritten.items():
        if target is not None:
            yield Rule(name, (one,), split, route, target)


def prefixes(name: str, route: Route) -> Iterator[Rule]:
    """One rule per path, as a prefix: for the path, everything below it and its verbs.

    A path that is stripped has two patterns, so that no `//` is left.
    """
    split = shares(name, route)
    for path in route.paths:
        target = route.rewrites.get(path)
        stripped = (Pattern(path, is_below=True),) if target == "/" else ()
        yield Rule(name, (Pattern(path), *stripped), split, route, target)


def rewrite(pattern: Pattern, rewrites: Mapping[str, str]) -> str | None:
    """What replaces the matched part of the path; None where the path is not rewritten.

    Of `/chat/*` the load balancer replaces the part before the star, slash included.
    """
    target = rewrites.get(pattern.path)
    if target is None:
        return None
    if pattern.is_below:
        return f"{target.rstrip('/')}/"
    return f"{target}:{pattern.verb}" if pattern.verb else target


def matcher_name(host: str) -> str:
    """A valid name of a path matcher; different hosts have different names."""
    if host == ANY_HOST:
        return "every-host"
    name = "host-" + host.replace(".", "--")
    if len(name) <= 63:
        return name
    return f"{name[:54].rstrip('-')}-{digest(host)}"
