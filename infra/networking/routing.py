"""Which host and path leads to which model: the URL map, planned as plain data."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from gkeplatform.contracts import Route, ServedModel
from gkeplatform.routes import ANY_HOST
from gkeplatform.url_map_limits import MOST_TESTS, is_dense

SOME_HOST = "any-host.invalid"
"""A host that no host rule names; requests for it take the rule for every host."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The paths of a model, and which of its versions answers them how often."""

    model: str
    paths: tuple[str, ...]
    shares: tuple[tuple[str, int], ...]
    """By the version's name, percent of the requests."""
    route: Route
    rewrite: str | None = None
    """What the matched part of the path becomes; None: it stays."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A host and its rules: which model has which paths. All else goes to the default.

    A dense one has more patterns than a path matcher holds. It says one prefix a path instead, the
    longest first, so that `/v1/models/resnet50` does not go to `resnet`; what begins like a model's
    path and is nobody's goes to that model, which answers 404.
    """

    name: str
    host: str
    rules: tuple[Rule, ...]
    is_dense: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A request and where it must go; `version` is None for the default."""

    host: str
    path: str
    version: str | None
    forwarded: str | None = None
    """The path that the version gets, where it is another."""


def shares(name: str, route: Route) -> tuple[tuple[str, int], ...]:
    """How the requests of a model are shared out among its versions, in percent."""
    canary = route.canary
    if canary is None:
        return ((name, 100),)
    return ((name, 100 - canary.weight), (canary.name, canary.weight))


def versions(models: Iterable[ServedModel]) -> tuple[ServedModel, ...]:
    """All that needs a backend service: each routed model, and its canary as one of its own."""
    found = []
    for model in models:
        if model.route is None:
            continue
        found.append(model)
        if canary := model.route.canary:
            route = replace(model.route, backend=canary.backend, canary=None)
            found.append(replace(model, name=canary.name, route=route))
    return tuple(found)


def rules(name: str, route: Route) -> Iterator[Rule]:
    """The rules of a model: one for the paths that stay as they are, one for each other."""
    split = shares(name, route)
    if kept := tuple(path for path in route.paths if path not in route.rewrites):
        yield Rule(name, kept, split, route)
    for path in route.paths:
        if path in route.rewrites:
            yield Rule(name, (path,), split, route, route.rewrites[path])


def prefixes(name: str, route: Route) -> Iterator[Rule]:
    """The rules of a model where a path is a prefix: for itself, all below it and its verbs."""
    split = shares(name, route)
    for path in route.paths:
        if f"{path}/*" in route.paths:
            yield Rule(name, (path,), split, route, route.rewrites.get(path))


def matchers(models: Iterable[ServedModel]) -> tuple[Matcher, ...]:
    """One matcher for every host there is, that for all other hosts first.

    A host rule hides the rule for every host, so a model without hosts is in each matcher.
    """
    routes = [(model.name, model.route) for model in models if model.route]
    anywhere = {name for name, route in routes if not route.hosts}
    at: dict[str, set[str]] = {ANY_HOST: anywhere}
    for name, route in routes:
        for host in route.hosts:
            at.setdefault(host, set(anywhere)).add(name)
    patterns = {name: len(route.paths) for name, route in routes}
    exact = {name: tuple(rules(name, route)) for name, route in routes}
    short = {name: tuple(prefixes(name, route)) for name, route in routes}
    found = []
    for host in (ANY_HOST, *sorted(at.keys() - {ANY_HOST})):
        there = [name for name, _ in routes if name in at[host]]
        dense = is_dense(sum(patterns[name] for name in there))
        chosen = [rule for name in there for rule in (short if dense else exact)[name]]
        if dense:
            chosen.sort(key=lambda rule: (-len(rule.paths[0]), rule.paths[0]))
        found.append(Matcher(matcher_name(host), host, tuple(chosen), dense))
    return tuple(found)


def cases(planned: Iterable[Matcher]) -> tuple[Case, ...]:
    """The tests that the URL map carries, so that an edit which misroutes a model is refused.

    The bare paths of all models come before a verb of each, for there may be more than a URL map
    can hold.
    """
    bare: list[Case] = []
    verbs: list[Case] = []
    for matcher in planned:
        if len(bare) >= MOST_TESTS:
            break
        host = SOME_HOST if matcher.host == ANY_HOST else matcher.host
        spoken: set[str] = set()
        for rule in matcher.rules:
            # Of a split the test says one version only: that which gets most.
            likely = max(rule.shares, key=lambda share: share[1])[0]
            for path in rule.paths:
                stem, verb, _ = path.partition(":")
                if path.endswith("*") or (verb and stem in spoken):
                    continue
                (verbs if verb else bare).append(Case(host, path, likely, rule.rewrite))
                if verb:
                    spoken.add(stem)
        bare.append(Case(host, "/", None))
    return (*bare, *verbs)[:MOST_TESTS]


def matcher_name(host: str) -> str:
    """A name that Google Cloud takes; hosts that differ never share one."""
    if host == ANY_HOST:
        return "every-host"
    name = "host-" + host.replace(".", "--")
    if len(name) <= 63:
        return name
    return f"{name[:54].rstrip('-')}-{zlib.crc32(host.encode()):08x}"


def url(model: ServedModel, address: str, *, domain: str | None = None) -> str:
    """Where the load balancer answers for the model; `domain` is one that HTTPS is served on."""
    if model.route is None:
        raise ValueError(f"{model.name} is not routed")
    scheme = "https" if domain else "http"
    return f"{scheme}://{(*model.route.hosts, domain or address)[0]}{model.route.paths[0]}"
