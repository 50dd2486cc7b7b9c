"""Tests that the URL map carries: Google refuses a map that does not pass its own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gkeplatform.contracts import RouteTest
from gkeplatform.routes import ANY_HOST
from gkeplatform.url_map_limits import MOST_TESTS
from infra.networking.url_map.matchers import Matcher, Rule

SOME_HOST = "any-host.invalid"
"""A host that no host rule names: its requests take the rule of every other host."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request and the version it must reach; None is the default backend."""

    host: str
    path: str
    version: str | None
    forwarded: str | None = None
    """The path that the version gets, where it is rewritten."""


def cases(planned: Iterable[Matcher]) -> tuple[Case, ...]:
    """The tests of the planned matchers, as many as a URL map holds.

    Those of the models' entries come first, and the paths of all models before one verb of each.
    """
    known = tuple(planned)
    paths: list[Case] = [*_declared(known)]
    verbs: list[Case] = []
    for matcher in known:
        if len(paths) >= MOST_TESTS:
            break
        host = SOME_HOST if matcher.host == ANY_HOST else matcher.host
        tested: set[str] = set()
        for rule in matcher.rules:
            version = _larger_share(rule)
            for pattern in rule.patterns:
                if pattern.is_below or (pattern.verb and pattern.path in tested):
                    continue
                case = Case(host, str(pattern), version, rule.rewrite)
                (verbs if pattern.verb else paths).append(case)
                if pattern.verb:
                    tested.add(pattern.path)
        paths.append(Case(host, "/", None))
    return tuple(dict.fromkeys((*paths, *verbs)))[:MOST_TESTS]


def _declared(planned: Iterable[Matcher]) -> Iterator[Case]:
    """The tests of the models' entries. A model's rules are in a matcher for each of its hosts."""
    versions: dict[str, str] = {}
    tests: dict[RouteTest, None] = {}
    for matcher in planned:
        for rule in matcher.rules:
            versions[rule.model] = _larger_share(rule)
            tests |= dict.fromkeys(rule.route.tests)
    for test in tests:
        # A model that is not behind this load balancer was refused with the stack file.
        version = versions.get(test.model) if test.model else None
        if version or test.model is None:
            yield Case(test.host or SOME_HOST, test.path, version, test.forwarded)


def _larger_share(rule: Rule) -> str:
    """The version with the larger share: a test names one version of a split."""
    return max(rule.shares, key=lambda share: share[1])[0]
