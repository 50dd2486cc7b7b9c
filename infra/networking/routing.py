"""Which host and path leads to which model: the URL map, planned as plain data."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from gkeplatform.contracts import Route, ServedModel
from gkeplatform.routes import ANY_HOST

MOST_TESTS = 100
"""The tests that a URL map may hold."""

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
    """A host and its rules: which model has which paths. All else goes to the default."""

    name: str
    host: str
    rules: tuple[Rule, ...]


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


def matchers(models: Iterable[ServedModel]) -> tuple[Matcher, ...]:
    """One matcher for every host there is, that for all other hosts first.

    A host rule hides the rule for every host, so a model without hosts is in each matcher.
    """
    routes = [(model.name, model.route) for model in models if model.route]
    hosts = sorted({host for _, route in routes for host in route.hosts})
    return tuple(
        Matcher(
            name=matcher_name(host),
            host=host,
            rules=tuple(
                rule
                for name, route in routes
                if not route.hosts or host in route.hosts
                for rule in rules(name, route)
            ),
        )
        for host in (ANY_HOST, *hosts)
    )


def cases(planned: Iterable[Matcher]) -> tuple[Case, ...]:
    """The tests that the URL map carries, so that an edit which misroutes a model is refused.

    The bare paths of all models come before a verb of each, for there may be more than a URL map
    can hold.
    """
    bare: list[Case] = []
    verbs: list[Case] = []
    for matcher in planned:
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
