"""Tests that the URL map carries: Google refuses a map that does not pass its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from gkeplatform.routes import ANY_HOST
from gkeplatform.url_map_limits import MOST_TESTS
from infra.networking.url_map.matchers import Matcher

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

    The paths of all models come before one verb of each path.
    """
    paths: list[Case] = []
    verbs: list[Case] = []
    for matcher in planned:
        if len(paths) >= MOST_TESTS:
            break
        host = SOME_HOST if matcher.host == ANY_HOST else matcher.host
        tested: set[str] = set()
        for rule in matcher.rules:
            # A test names one version of a split: the one with the larger share.
            version = max(rule.shares, key=lambda share: share[1])[0]
            for pattern in rule.patterns:
                if pattern.is_below or (pattern.verb and pattern.path in tested):
                    continue
                case = Case(host, str(pattern), version, rule.rewrite)
                (verbs if pattern.verb else paths).append(case)
                if pattern.verb:
                    tested.add(pattern.path)
        paths.append(Case(host, "/", None))
    return (*paths, *verbs)[:MOST_TESTS]
