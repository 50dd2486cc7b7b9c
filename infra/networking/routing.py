"""Which host and path leads to which model: the URL map, planned as plain data."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from gkeplatform.contracts import ServedModel
from gkeplatform.routes import ANY_HOST

MOST_TESTS = 100
"""The tests that a URL map may hold."""

SOME_HOST = "any-host.invalid"
"""A host that no host rule names; requests for it take the rule for every host."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A host and its rules: which model has which paths. All else goes to the default."""

    name: str
    host: str
    rules: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A request and where it must go; `model` is None for the default."""

    host: str
    path: str
    model: str | None


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
                (name, route.paths)
                for name, route in routes
                if not route.hosts or host in route.hosts
            ),
        )
        for host in (ANY_HOST, *hosts)
    )


def cases(planned: Iterable[Matcher]) -> tuple[Case, ...]:
    """The tests that the URL map carries, so that an edit which misroutes a model is refused.

    The bare paths of all models come before their verbs, and those before the rest, for there may
    be more than a URL map can hold.
    """
    planned = tuple(planned)
    rounds: list[list[Case]] = [[], [], []]
    for matcher in planned:
        host = SOME_HOST if matcher.host == ANY_HOST else matcher.host
        for model, paths in matcher.rules:
            exact = [path for path in paths if not path.endswith("*")]
            for turn, path in zip(rounds, exact, strict=False):
                turn.append(Case(host, path, model))
        rounds[0].append(Case(host, "/", None))
    return tuple(case for turn in rounds[:2] for case in turn)[:MOST_TESTS]


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
