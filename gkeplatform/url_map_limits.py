"""Limits of a URL map of the global external Application Load Balancer.

The limits are those of `facts.url_maps`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facts import url_maps

MOST = url_maps.MAX_RULES
MOST_BACKENDS = url_maps.MAX_BACKENDS
MOST_TESTS = url_maps.MAX_TESTS
MOST_BYTES = url_maps.MAX_BYTES

_LINK, _SHARE, _RULE, _ROUTE, _PATTERN = 120, 60, 25, 70, 3
"""Bytes of JSON: a self link, a weighted share, a path rule, a route rule, quotes of a path."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The hosts, paths and versions of one model."""

    hosts: Sequence[str]
    """Empty: every host."""
    paths: Sequence[str]
    patterns: Sequence[str]
    """The paths as URL map patterns (`gkeplatform.routes.patterns`)."""
    versions: int = 1


def is_dense(patterns: int) -> bool:
    """Whether a path matcher must use one prefix per path, because it has too many patterns."""
    return patterns > MOST


def excess(claims: Iterable[Claim]) -> str | None:
    """The first limit that the claims exceed, and the remedy; None if they fit."""
    known = tuple(claims)
    anywhere = [claim for claim in known if not claim.hosts]
    by_host: dict[str, list[Claim]] = {"": anywhere}
    for claim in known:
        for host in claim.hosts:
            by_host.setdefault(host, list(anywhere)).append(claim)
    if len(by_host) > MOST:
        return (
            f"{len(by_host) - 1} hosts and the rule for all others need {len(by_host)} host rules, "
            f"and a URL map holds {MOST}; let models share hosts"
        )
    for host, there in by_host.items():
        paths = sum(len(claim.paths) for claim in there)
        if paths > MOST:
            where = f"host {host}" if host else "every host"
            return (
                f"on {where} they claim {paths} paths, and a path matcher holds {MOST} rules; "
                "give some of them hosts of their own, or fewer paths"
            )
    backends = sum(claim.versions for claim in known) + 1
    if backends > MOST_BACKENDS:
        return (
            f"the load balancer would lead to {backends} backends, and a URL map to "
            f"{MOST_BACKENDS} at most; expose fewer models"
        )
    size = sum(_size(there) for there in by_host.values())
    if size > MOST_BYTES:
        return (
            f"the URL map would take about {size // 1000} kB, and it may take "
            f"{MOST_BYTES // 1000}: it repeats {len(anywhere)} models without hosts for each of "
            f"{len(by_host) - 1} hosts; give them hosts, or list fewer"
        )
    return None


def _size(claims: Sequence[Claim]) -> int:
    """The approximate size of a path matcher as JSON, in bytes."""
    dense = is_dense(sum(len(claim.patterns) for claim in claims))
    total = 0
    for claim in claims:
        target = _LINK if claim.versions == 1 else claim.versions * (_LINK + _SHARE)
        if dense:
            total += sum(_ROUTE + target + len(path) for path in claim.paths)
        else:
            total += _RULE + target + sum(_PATTERN + len(pattern) for pattern in claim.patterns)
    return total
